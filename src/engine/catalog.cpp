#include "engine/catalog.h"

#include <algorithm>

#include "base/overload.h"
#include "model/families/published.h"
#include "plan/figures.h"
#include "plan/memory.h"

namespace orrery::engine {
namespace {

using text::Json;

using model::Role;

constexpr u64 kFlopsAt = 4096;  // tokens before the one whose cost is told
constexpr u64 kHalf = 2;        // bytes of a weight where only a config is known

Json rope_json(const model::Rope& rope) {
  constexpr std::string_view kScalings[] = {"none",      "linear", "by_wavelength",
                                            "by_length", "yarn",   "two_tables"};
  return {{"base", rope.base},
          {"dim", rope.dim},
          {"scaling", kScalings[u8(rope.scaling)]},
          {"factor", rope.factor},
          {"original_context", rope.original_context}};
}

Json attention_json(const model::Attention& attention) {
  return std::visit(
      Overload{
          [](const model::GroupedAttention& a) -> Json {
            return {{"kind", "grouped"},      {"heads", a.heads},
                    {"kv_heads", a.kv_heads}, {"head_dim", a.head_dim},
                    {"window", a.window},     {"chunk", a.chunk},
                    {"rope", a.rope},         {"qk_norm", a.qk_norm != model::QkNorm::kNone},
                    {"sinks", a.sinks},       {"gate", a.gate},
                    {"bias", a.qkv_bias}};
          },
          [](const model::LatentAttention& a) -> Json {
            return {{"kind", "latent"},
                    {"heads", a.heads},
                    {"query_rank", a.query_rank},
                    {"kv_rank", a.kv_rank},
                    {"nope_dim", a.nope_dim},
                    {"rope_dim", a.rope_dim},
                    {"value_dim", a.value_dim},
                    {"indexer_keys", a.indexer.heads ? a.indexer.keys_max : 0},
                    {"bias", a.bias}};
          },
          [](const model::DeltaNet& d) -> Json {
            return {
                {"kind", "delta"},      {"key_heads", d.key_heads}, {"value_heads", d.value_heads},
                {"key_dim", d.key_dim}, {"value_dim", d.value_dim}, {"conv_width", d.conv_width}};
          }},
      attention);
}

Json ffn_json(const model::Ffn& ffn) {
  return std::visit(
      Overload{
          [](const model::DenseFfn& f) -> Json { return {{"kind", "dense"}, {"width", f.width}}; },
          [](const model::ExpertFfn& f) -> Json {
            const model::Router& r = f.router;
            return {{"kind", "experts"},
                    {"experts", f.experts},
                    {"active", f.active},
                    {"width", f.width},
                    {"shared_width", f.shared_width},
                    {"shared_gate", f.shared_gate},
                    {"score", r.score == model::Router::Score::kSoftmax ? "softmax" : "sigmoid"},
                    {"groups", r.groups},
                    {"groups_kept", r.groups_kept},
                    {"selection_bias", r.selection_bias},
                    {"renormalize", r.renormalize},
                    {"scale", r.scale}};
          }},
      ffn);
}

Json layer_json(const model::LayerSpec& layer) {
  return {{"attention", attention_json(layer.attention)}, {"ffn", ffn_json(layer.ffn)}};
}

Json spec_json(const model::ModelSpec& spec) {
  Json layers = Json::array(), folded = Json::array();
  for (const model::LayerSpec& layer : spec.layers) {
    Json one = layer_json(layer);
    if (!layers.empty() && layers.back() == one)
      folded.back()["count"] = folded.back()["count"].get<u32>() + 1;
    else
      folded.push_back({{"first", layers.size()}, {"count", 1}});
    layers.push_back(std::move(one));
  }
  return {{"dim", spec.dim},
          {"vocab", spec.vocab},
          {"context", spec.context},
          {"norm_eps", spec.norm_eps},
          {"tied_output", spec.tied_output},
          {"prediction_layers", spec.prediction_layers},
          {"rope", rope_json(spec.rope)},
          {"layers", std::move(layers)},
          {"folded", std::move(folded)}};
}

// Where a tensor belongs, in the order of the pass.
std::string_view block_of(Role role, bool has_experts) {
  switch (role) {
    case Role::kEmbedding:
      return "embedding";
    case Role::kOutput:
      return "output";
    case Role::kOutputNorm:
      return "output_norm";
    case Role::kAttentionNorm:
      return "attention_norm";
    case Role::kFfnNorm:
      return "ffn_norm";
    default:
      break;
  }
  // The roles stand in the order of the pass.
  if (u8(role) < u8(Role::kFfnNorm)) return "attention";
  return has_experts ? "experts" : "ffn";
}

// A block's sums while its tensors are added.
struct Block {
  std::string_view name;
  std::optional<u32> layer;
  u64 parameters = 0, file_bytes = 0, resident_bytes = 0, kv_bytes = 0;
  f64 active = 0, read = 0, flops = 0;
  Json tensors = Json::array();
};

class Blocks {
 public:
  // `loaded`: the model's tensors, or null for a config.
  Blocks(const model::ModelSpec& spec, const model::Model* loaded, kernels::KvFormat kv)
      : spec_(spec), loaded_(loaded) {
    add("embedding", std::nullopt);
    for (u32 l = 0; l < spec.layers.size(); ++l) {
      add("attention_norm", l);
      add("attention", l);
      Block& attention = blocks_.back();
      model::ModelSpec one = spec;
      one.layers = {spec.layers[l]};
      attention.kv_bytes = plan::kv_bytes_per_token(one, kv);
      attention.flops = f64(plan::operations_per_token(one, kFlopsAt)) - matrix_operations(one);
      add("ffn_norm", l);
      add(has_experts(l) ? "experts" : "ffn", l);
    }
    add("output_norm", std::nullopt);
    add("output", std::nullopt);
    for (const model::TensorNeed& need : model::needed_tensors(spec)) add(need);
    if (spec.tied_output) tie();
    if (loaded)
      for (const model::BoundTensor& tensor : loaded->tensors) add(tensor);
  }

  [[nodiscard]] Json json() const {
    Json all = Json::array();
    for (const Block& b : blocks_)
      all.push_back({{"name", b.name},
                     {"layer", b.layer ? Json(*b.layer) : Json(nullptr)},
                     {"kind", kind(b)},
                     {"parameters", b.parameters},
                     {"active_parameters", u64(b.active)},
                     {"file_bytes", loaded_ ? Json(b.file_bytes) : Json(nullptr)},
                     {"resident_bytes", loaded_ ? Json(b.resident_bytes) : Json(nullptr)},
                     {"read_bytes", u64(b.read)},
                     {"flops", u64(b.flops)},
                     {"kv_bytes", b.kv_bytes},
                     {"tensors", b.tensors}});
    return all;
  }

 private:
  [[nodiscard]] bool has_experts(u32 layer) const {
    return std::holds_alternative<model::ExpertFfn>(spec_.layers[layer].ffn);
  }
  void add(std::string_view name, std::optional<u32> layer) {
    blocks_.emplace_back();
    blocks_.back().name = name;
    blocks_.back().layer = layer;
  }
  [[nodiscard]] static f64 matrix_operations(const model::ModelSpec& spec) {
    f64 sum = 0;
    for (const model::TensorNeed& need : model::needed_tensors(spec))
      if (!need.is_vector() && (need.role != Role::kEmbedding || spec.tied_output))
        sum += 2 * f64(need.values()) * model::share_met(spec, need.role, need.layer);
    return sum;
  }
  [[nodiscard]] Block& find(Role role, u32 layer) {
    const bool whole =
        role == Role::kEmbedding || role == Role::kOutput || role == Role::kOutputNorm;
    const std::string_view name = block_of(role, !whole && has_experts(layer));
    return *std::find_if(blocks_.begin(), blocks_.end(), [&](const Block& block) {
      return block.name == name && (whole || block.layer == layer);
    });
  }
  void add(const model::TensorNeed& need) {
    Block& block = find(need.role, need.layer);
    const f64 share = model::share_met(spec_, need.role, need.layer);
    const bool is_table = need.role == Role::kEmbedding && !spec_.tied_output;
    block.parameters += need.values();
    block.active += f64(need.values()) * share;
    if (!need.is_vector() && need.role != Role::kEmbedding)
      block.flops += 2 * f64(need.values()) * share;
    if (!loaded_)
      block.read += is_table ? f64(spec_.dim * kHalf)
                             : f64(need.values() * (need.is_vector() ? 4 : kHalf)) * share;
    if (loaded_) return;
    block.tensors.push_back({{"role", model::name(need.role)},
                             {"shape", need.shape},
                             {"format", nullptr},
                             {"file_bytes", nullptr},
                             {"resident_bytes", nullptr}});
  }
  // The output matrix is the embedding: it is multiplied there, and stands once.
  void tie() {
    Block& output = blocks_.back();
    const f64 values = f64(spec_.dim) * spec_.vocab;
    output.flops += 2 * values;
    if (!loaded_) output.read += values * kHalf;
    blocks_.front().read = f64(spec_.dim * kHalf);
  }
  void add(const model::BoundTensor& tensor) {
    Block& block = find(tensor.role, tensor.layer);
    u64 values = 1;
    for (const u64 n : tensor.shape) values *= n;
    const FormatInfo& format = info(tensor.format);
    const u64 bytes = divide_up(values, u64(format.block_elements)) * format.block_bytes;
    block.file_bytes += bytes;
    block.resident_bytes += tensor.packed_bytes;
    const f64 share = model::share_met(spec_, tensor.role, tensor.layer);
    if (tensor.role == Role::kEmbedding) {
      block.read += f64(tensor.packed_bytes) / f64(spec_.vocab);
      if (spec_.tied_output) blocks_.back().read += f64(tensor.packed_bytes);
    } else {
      block.read += f64(tensor.packed_bytes) * share;
    }
    const std::string_view role = model::name(tensor.role);
    Json& tensors = block.tensors;
    if (tensor.index > 0 && !tensors.empty() && tensors.back()["role"] == role) {
      Json& stack = tensors.back();  // matrices of one stack stand together
      stack["count"] = tensor.index + 1;
      stack["file_bytes"] = stack["file_bytes"].get<u64>() + bytes;
      stack["resident_bytes"] = stack["resident_bytes"].get<u64>() + tensor.packed_bytes;
      return;
    }
    tensors.push_back({{"role", role},
                       {"shape", tensor.shape},
                       {"count", 1},
                       {"format", name(tensor.format)},
                       {"file_bytes", bytes},
                       {"resident_bytes", tensor.packed_bytes}});
  }
  [[nodiscard]] Json kind(const Block& b) const {
    if (!b.layer) return b.name;
    if (b.name == "attention") return attention_json(spec_.layers[*b.layer].attention)["kind"];
    if (b.name == "experts") return "experts";
    return b.name == "ffn" ? "dense" : "norm";
  }

  const model::ModelSpec& spec_;
  const model::Model* loaded_;
  std::vector<Block> blocks_;
};

Json totals_json(const model::ModelSpec& spec, const model::Model* loaded, kernels::KvFormat kv) {
  return {
      {"parameters", model::parameter_count(spec)},
      {"active_parameters", model::active_parameter_count(spec)},
      {"weights_bytes", loaded ? loaded->weights_bytes : plan::weights_bytes(spec, Format::kBF16)},
      {"kv_bytes_per_token", plan::kv_bytes_per_token(spec, kv)},
      {"state_bytes", plan::state_bytes_per_sequence(spec)},
      {"flops_per_token", plan::operations_per_token(spec, kFlopsAt)},
      {"flops_at", kFlopsAt}};
}

// What was loaded, in 64 bits (FNV-1a): enough to see that a recording belongs to another model.
std::string hash_of(const Engine& engine) {
  u64 hash = 0xcbf29ce484222325;
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ u8(c)) * 0x100000001b3;
  };
  add(std::to_string(engine.checkpoint().file_bytes()));
  for (const model::BoundTensor& tensor : engine.model().tensors) {
    add(tensor.name);
    add(fmt::format("{} {}", orrery::name(tensor.format), tensor.packed_bytes));
  }
  return fmt::format("{:016x}", hash);
}

Json engine_json(const Engine& e, u64 pages) {
  const LoadTimings& t = e.load_timings();
  return {{"isa", kernels::name(e.kernels().isa)},
          {"cpu", e.host().cpu_name},
          {"threads", e.thread_count()},
          {"context", e.context()},
          {"kv_format", kernels::name(e.kv_format())},
          {"page_tokens", forward::kPageTokens},
          {"pages", pages},
          {"load_ms", 1000 * (t.open + t.text + t.weights)}};
}

}  // namespace

Json describe_loaded(Engine& engine) {
  const model::Model& model = engine.model();
  const kernels::KvFormat kv = engine.kv_format();
  Json stages = Json::array();
  for (u32 i = 0; i < forward::kSamplerStageCount; ++i)
    stages.push_back(forward::name(forward::SamplerStage(i)));
  return {{"hash", hash_of(engine)},
          {"spec", spec_json(model.spec)},
          {"totals", totals_json(model.spec, &model, kv)},
          {"blocks", Blocks(model.spec, &model, kv).json()},
          {"engine", engine_json(engine, engine.cache().tokens_max() / forward::kPageTokens)},
          {"stages", std::move(stages)}};
}

Result<Json> describe_published(std::string_view name) {
  const model::Published* found = model::find_published(name);
  if (!found) return fail("'{}' is no published config that is known", name.substr(0, 100));
  TRY(const model::ModelSpec spec, model::describe(*found));
  const kernels::KvFormat kv = kernels::KvFormat::kF16;
  return Json{{"model",
               {{"id", found->name},
                {"hash", nullptr},
                {"family", spec.family},
                {"source", found->source},
                {"date", found->date},
                {"format", nullptr},
                {"file_bytes", nullptr},
                {"loaded", false},
                {"badge", "derived"}}},
              {"spec", spec_json(spec)},
              {"totals", totals_json(spec, nullptr, kv)},
              {"blocks", Blocks(spec, nullptr, kv).json()}};
}

Json list_published() {
  Json published = Json::array();
  for (const model::Published& one : model::published())
    if (const auto spec = model::describe(one))
      published.push_back({{"name", one.name},
                           {"source", one.source},
                           {"date", one.date},
                           {"family", spec->family},
                           {"parameters", model::parameter_count(*spec)},
                           {"active_parameters", model::active_parameter_count(*spec)}});
  return published;
}

}  // namespace orrery::engine
