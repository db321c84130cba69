#include "model/families/families.h"

namespace orrery::model {
namespace {

using namespace families_detail;

// Queries and gates of gated attention share a matrix, head by head.
constexpr Spelling kGatedQueries[] = {
    {Role::kQuery, "{layer}.self_attn.q_proj.weight", Cut::kFirstOfHead},
    {Role::kAttentionGate, "{layer}.self_attn.q_proj.weight", Cut::kSecondOfHead},
    {Role::kQueryBias, "{layer}.self_attn.q_proj.bias", Cut::kFirstOfHead},
    {Role::kAttentionGateBias, "{layer}.self_attn.q_proj.bias", Cut::kSecondOfHead},
};
constexpr Spelling kGatedQueriesGguf[] = {
    {Role::kQuery, "{layer}.attn_q.weight", Cut::kFirstOfHead},
    {Role::kAttentionGate, "{layer}.attn_q.weight", Cut::kSecondOfHead},
};
// Gate and up of an expert take turns, as columns in floats and as rows in MXFP4.
constexpr Spelling kInterleavedExperts[] = {
    {Role::kExpertGate, "{layer}.mlp.experts.gate_up_proj_blocks", Cut::kEvenRows},
    {Role::kExpertUp, "{layer}.mlp.experts.gate_up_proj_blocks", Cut::kOddRows},
    {Role::kExpertDown, "{layer}.mlp.experts.down_proj_blocks"},
    {Role::kExpertGate, "{layer}.mlp.experts.gate_up_proj", Cut::kEvenTransposed},
    {Role::kExpertUp, "{layer}.mlp.experts.gate_up_proj", Cut::kOddTransposed},
    {Role::kExpertDown, "{layer}.mlp.experts.down_proj", Cut::kTransposed},
    {Role::kExpertGateBias, "{layer}.mlp.experts.gate_up_proj_bias", Cut::kEvenRows},
    {Role::kExpertUpBias, "{layer}.mlp.experts.gate_up_proj_bias", Cut::kOddRows},
    {Role::kExpertDownBias, "{layer}.mlp.experts.down_proj_bias"},
};

constexpr Storage kNeighbours = {.neighbour_pairs = true};
constexpr Storage kNeighboursAll = {.neighbour_pairs = true, .neighbour_index_pairs = true};
constexpr Storage kHybrid = {.spellings = kGatedQueries, .norms_from_one = true};
constexpr Storage kHybridGguf = {.spellings = kGatedQueriesGguf};
constexpr Storage kInterleaved = {.spellings = kInterleavedExperts};

struct Missing {
  std::string_view begin;  // of the architecture's name, in either world
  std::string_view what;
};
// Families that people will try, and what they would need.
constexpr Missing kMissing[] = {
    {"Gemma", "post-norms, soft-capping and its own activation"},
    {"gemma", "post-norms, soft-capping and its own activation"},
    {"DeepseekV4", "several residual lanes, hash-routed layers and compressed keys"},
    {"deepseek4", "several residual lanes, hash-routed layers and compressed keys"},
    {"Kimi", "its delta attention"},
    {"kimi", "its delta attention"},
    {"Phi", "its fused projections and activation"},
    {"phi", "its fused projections and activation"},
    {"Mamba", "state space layers"},
    {"mamba", "state space layers"},
    {"Bert", "an encoder"},
};

// Models that also see keep the language model's settings apart: "mistral4" or "llama4_text" there
// is a family's name.
Result<const Family*> family_of_text(const checkpoint::Config& config) {
  TRY(const auto type, config.get_string("text_config.model_type"));
  if (!type) return nullptr;
  std::string_view name = *type;
  if (name.ends_with("_text")) name.remove_suffix(5);
  for (const Family& family : families())
    if (!family.architecture.empty() && family.name == name) return &family;
  return nullptr;
}

// The architecture's name in this checkpoint.
Result<std::string> architecture_of(const checkpoint::Checkpoint& checkpoint) {
  const checkpoint::Config& config = checkpoint.config();
  if (checkpoint.kind() == checkpoint::Kind::kGguf)
    return config.require_string("general.architecture");
  TRY(const checkpoint::Strings* names, config.get_strings("architectures"));
  if (!names || names->size() != 1)
    return fail("config.json: \"architectures\" must name exactly one architecture");
  return names->front();
}

tl::unexpected<Error> unsupported(const std::string& architecture, bool gguf) {
  for (const Missing& missing : kMissing)
    if (architecture.starts_with(missing.begin))
      return fail("the architecture \"{}\" is not supported: it needs {}", architecture,
                  missing.what);
  std::string known;
  for (const Family& family : families()) {
    const std::string_view name = gguf ? family.gguf : family.architecture;
    if (!name.empty()) known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
  }
  return fail("the architecture \"{}\" is not supported (supported: {})", architecture, known);
}

}  // namespace

const std::vector<Family>& families() {
  static const std::vector<Family> table = {
      {"llama", "LlamaForCausalLM", "", llama},
      // GGUF files of LLaMA, Mistral and Mixtral carry one name; what they have stands in the file.
      {"llama", "", "llama", mixtral, kNeighbours},
      {"llama4", "Llama4ForCausalLM", "llama4", llama4, kNeighbours},
      {"smollm3", "SmolLM3ForCausalLM", "", smollm3},
      {"smollm3", "", "smollm3", smollm3, kNeighbours},
      {"mistral", "MistralForCausalLM", "", mistral},
      {"ministral", "MinistralForCausalLM", "", mistral},
      {"ministral3", "Ministral3ForCausalLM", "", ministral3},
      {"ministral3", "", "mistral3", ministral3, kNeighbours},
      {"mixtral", "MixtralForCausalLM", "", mixtral},
      {"mistral4", "Mistral4ForCausalLM", "mistral4", mistral4, kNeighbours},
      {"qwen2", "Qwen2ForCausalLM", "qwen2", qwen2},
      {"qwen2_moe", "Qwen2MoeForCausalLM", "qwen2moe", qwen2_moe},
      {"qwen3", "Qwen3ForCausalLM", "qwen3", qwen3},
      {"qwen3_moe", "Qwen3MoeForCausalLM", "qwen3moe", qwen3_moe},
      {"qwen3_next", "Qwen3NextForCausalLM", "", qwen3_next, kHybrid},
      {"qwen3_next", "", "qwen3next", qwen3_next, kHybridGguf},
      {"qwen3_5", "Qwen3_5ForCausalLM", "", qwen3_5, kHybrid},
      {"qwen3_5", "", "qwen35", qwen3_5, kHybridGguf},
      {"qwen3_5_moe", "Qwen3_5MoeForCausalLM", "", qwen3_5_moe, kHybrid},
      {"qwen3_5_moe", "", "qwen35moe", qwen3_5_moe, kHybridGguf},
      {"deepseek_v2", "DeepseekV2ForCausalLM", "", deepseek_v2, kNeighbours},
      {"deepseek_v3", "DeepseekV3ForCausalLM", "", deepseek_v3, kNeighbours},
      {"deepseek_v3.2", "DeepseekV32ForCausalLM", "deepseek32", deepseek_v32, kNeighbours},
      {"deepseek", "", "deepseek2", deepseek_gguf, kNeighbours},
      {"glm4_moe", "Glm4MoeForCausalLM", "glm4moe", glm4_moe},
      {"glm4_moe_lite", "Glm4MoeLiteForCausalLM", "", glm4_moe_lite, kNeighbours},
      {"glm_moe_dsa", "GlmMoeDsaForCausalLM", "glm-dsa", glm_moe_dsa, kNeighboursAll},
      {"gpt_oss", "GptOssForCausalLM", "gpt-oss", gpt_oss, kInterleaved},
  };
  return table;
}

Result<Description> describe(const checkpoint::Checkpoint& checkpoint) {
  TRY(const std::string architecture, architecture_of(checkpoint));
  const bool gguf = checkpoint.kind() == checkpoint::Kind::kGguf;
  const Family* family = nullptr;
  for (const Family& row : families())
    if ((gguf ? row.gguf : row.architecture) == architecture) family = &row;
  if (!family && !gguf) {
    TRY(family, family_of_text(checkpoint.config()));
  }
  if (!family) return unsupported(architecture, gguf);
  const Fields fields(checkpoint);
  Description description{{}, family->storage, {}};
  TRY(description.spec, family->describe(fields));
  description.spec.family = family->name;
  TRY(description.storage.neighbour_pairs,
      fields.flag_or("pairs_are_neighbours", family->storage.neighbour_pairs));
  CHECK_OK(check(description.spec));
  description.remarks = fields.remarks();
  return description;
}

}  // namespace orrery::model
