// GLM-4.5 to 4.7 (2025): grouped attention with positions on half of each head, and DeepSeek-V3's
// experts.
#include "model/families/families.h"

namespace orrery::model::families_detail {

Result<ModelSpec> glm4_moe(const Fields& fields) {
  TRY(ModelSpec spec, fields.decoder({.rotary_fraction = 0.5}));
  TRY(GroupedAttention attention, fields.grouped_attention());
  attention.output_bias = false;
  TRY(const bool norm, fields.flag_or("qk_norm", fields.has_tensor("attn_q_norm.weight")));
  if (norm) attention.qk_norm = QkNorm::kBeforeRope;
  for (LayerSpec& layer : spec.layers) layer.attention = attention;
  return with_leading_dense(fields, std::move(spec),
                            {.score = Router::Score::kSigmoid, .selection_bias = true});
}

}  // namespace orrery::model::families_detail
