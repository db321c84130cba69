// DeepSeek V2, V3 and V3.2 (2024, 2025) and their like: latent attention, the first layers dense,
// the others experts chosen within groups beside shared ones.
#include "model/families/families.h"

namespace orrery::model::families_detail {
namespace {

Result<ModelSpec> latent(const Fields& fields, const Router& router) {
  TRY(ModelSpec spec, fields.decoder());
  TRY(const LatentAttention attention, fields.latent_attention());
  for (LayerSpec& layer : spec.layers) layer.attention = attention;
  return with_leading_dense(fields, std::move(spec), router);
}

constexpr Router kV3Router = {.score = Router::Score::kSigmoid, .selection_bias = true};

}  // namespace

// Softmax scores, a group counts as its best expert, weights are never renormalised.
Result<ModelSpec> deepseek_v2(const Fields& fields) {
  TRY(ModelSpec spec, latent(fields, {.group_score = Router::GroupScore::kBest}));
  TRY(const auto method, fields.text("expert_method"));
  const bool grouped = fields.is_gguf() || (method && *method == "group_limited_greedy");
  each_expert_ffn(spec, [=](ExpertFfn& f) {
    f.router.renormalize = false;
    if (!grouped) f.router.groups = f.router.groups_kept = 1;
  });
  return spec;
}

// Sigmoid scores, a bias that only selects, a group counts as its two best.
Result<ModelSpec> deepseek_v3(const Fields& fields) {
  TRY(ModelSpec spec, latent(fields, kV3Router));
  TRY(const auto method, fields.text("expert_method"));
  if (method && *method != "noaux_tc")
    return fail("{}: \"{}\" is not supported (noaux_tc is)", fields.key("expert_method"), *method);
  return spec;
}

// Attention looks only at the keys that an indexer picks.
Result<ModelSpec> deepseek_v32(const Fields& fields) {
  TRY(ModelSpec spec, deepseek_v3(fields));
  KeyIndexer indexer;
  TRY(indexer.heads, fields.count("index_heads"));
  TRY(indexer.head_dim, fields.count("index_head_dim"));
  TRY(indexer.keys_max, fields.count("index_keys"));
  for (LayerSpec& layer : spec.layers) std::get<LatentAttention>(layer.attention).indexer = indexer;
  return spec;
}

// GLM-5 (2026): V3.2's block, where some layers look at the keys that one before them chose.
Result<ModelSpec> glm_moe_dsa(const Fields& fields) {
  TRY(ModelSpec spec, deepseek_v32(fields));
  TRY(const u32 every, fields.count_or("index_every", 1));
  TRY(const u32 first, fields.count_or("index_every_from", 2));
  TRY(const auto reuses, fields.layers_of_type("indexer_types", "shared", [&](u32 layer) {
    if (fields.is_gguf()) return !fields.has_tensor("indexer.attn_q_b.weight", layer);
    return every > 1 && layer + 1 > first && (layer + 1 - first) % every != 0;
  }));
  for (u32 i = 0; i < spec.layers.size(); ++i)
    std::get<LatentAttention>(spec.layers[i].attention).indexer.reuses = reuses(i);
  return spec;
}

// gating 1 is softmax, 2 sigmoid. Files without it are V2's or, with a selection bias, the others'.
Result<ModelSpec> deepseek_gguf(const Fields& fields) {
  TRY(const u32 first, fields.count_or("dense_layers", 0));
  const bool biased = fields.has_tensor("exp_probs_b.bias", first);
  TRY(const u32 gating, fields.count_or("expert_gating", biased ? 2 : 1));
  if (gating == 1) return deepseek_v2(fields);
  if (gating == 2) return deepseek_v3(fields);
  return fail("{}: {} is not supported (1, softmax, and 2, sigmoid, are)",
              fields.key("expert_gating"), gating);
}

// GLM-4.7-Flash (2026): V3's block with one dense layer first.
Result<ModelSpec> glm4_moe_lite(const Fields& fields) {
  TRY(ModelSpec spec, fields.decoder());
  TRY(const LatentAttention attention, fields.latent_attention());
  for (LayerSpec& layer : spec.layers) layer.attention = attention;
  return with_leading_dense(fields, std::move(spec), kV3Router);
}

// Mistral 4 (2026): softmax scores, groups by their two best, queries that grow with their
// position.
Result<ModelSpec> mistral4(const Fields& fields) {
  TRY(ModelSpec spec, latent(fields, {}));
  TRY(const QueryTemperature temperature, fields.temperature());
  for (LayerSpec& layer : spec.layers)
    std::get<LatentAttention>(layer.attention).temperature = temperature;
  return spec;
}

}  // namespace orrery::model::families_detail
