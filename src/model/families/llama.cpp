// The LLaMA family (Touvron et al. 2023; Dubey et al. 2024): pre-norm blocks of grouped attention
// with rotary positions and a gated feed-forward, all layers alike. SmolLM2 is one of them.
#include "model/families/families.h"

namespace orrery::model::families_detail {

Result<ModelSpec> llama(const Fields& fields) {
  TRY(ModelSpec spec, fields.decoder());
  TRY(const GroupedAttention attention, fields.grouped_attention());
  TRY(const DenseFfn ffn, fields.dense_ffn());
  for (LayerSpec& layer : spec.layers) layer = {attention, ffn};
  return spec;
}

}  // namespace orrery::model::families_detail
