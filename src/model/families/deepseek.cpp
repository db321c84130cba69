// DeepSeek V2, V3 and V3.2 (2024, 2025): latent attention, the first layers dense, the others
// experts chosen within groups beside shared ones.
#include "model/families/families.h"

namespace orrery::model::families_detail {

// Softmax scores, a group counts as its best expert, weights are never renormalised.
Result<ModelSpec> deepseek_v2(const Fields& fields) {
  TRY(ModelSpec spec, with_latent_attention(fields, {.group_score = Router::GroupScore::kBest}));
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
  TRY(ModelSpec spec, with_latent_attention(fields, kV3Router));
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

// gating 1 is softmax, 2 sigmoid. Files without it are V2's or, with a selection bias, the others'.
Result<ModelSpec> deepseek_gguf(const Fields& fields) {
  TRY(const u32 first, fields.count_or("dense_layers", 0));
  const bool biased = fields.has_tensor("exp_probs_b.bias", first);
  TRY(const u32 gating, fields.count_or("expert_gating", biased ? 2 : 1));
  if (!fields.has("expert_gating"))
    fields.remark(fmt::format("{} is missing: the router's scores are taken as {}",
                              fields.key("expert_gating"), biased ? "sigmoid" : "softmax"));
  if (gating == 1) return deepseek_v2(fields);
  if (gating == 2) return deepseek_v3(fields);
  return fail("{}: {} is not supported (1, softmax, and 2, sigmoid, are)",
              fields.key("expert_gating"), gating);
}

}  // namespace orrery::model::families_detail
