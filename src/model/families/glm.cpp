// GLM-4.5 to 5 (2025, 2026): DeepSeek's experts beside other attention, or its whole block.
#include "model/families/families.h"

namespace orrery::model::families_detail {

// GLM-4.5 to 4.7: grouped attention with positions on half of each head.
Result<ModelSpec> glm4_moe(const Fields& fields) {
  TRY(ModelSpec spec, fields.decoder({.rotary_fraction = 0.5}));
  TRY(GroupedAttention attention, fields.grouped_attention());
  attention.output_bias = false;
  TRY(const bool norm, fields.flag_or("qk_norm", fields.has_tensor("attn_q_norm.weight")));
  if (norm) attention.qk_norm = QkNorm::kBeforeRope;
  for (LayerSpec& layer : spec.layers) layer.attention = attention;
  return with_leading_dense(fields, std::move(spec), kV3Router);
}

// GLM-4.7-Flash (2026): DeepSeek V3's block with one dense layer first.
Result<ModelSpec> glm4_moe_lite(const Fields& fields) {
  return with_latent_attention(fields, kV3Router);
}

// GLM-5 (2026): DeepSeek V3.2's block, where some layers look at the keys that one before them
// chose.
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

}  // namespace orrery::model::families_detail
