// gpt-oss (2025): windows in every second layer, a sink a head, biases everywhere, and experts with
// a clamped gated unit, the best four weighed by the softmax over themselves.
#include "model/families/families.h"

namespace orrery::model::families_detail {

Result<ModelSpec> gpt_oss(const Fields& fields) {
  TRY(ModelSpec spec, fields.decoder({.rope_base = 150000}));
  spec.rope.whole_pairs = spec.rope.whole_pairs && !fields.is_gguf();
  TRY(GroupedAttention attention, fields.grouped_attention());
  TRY(const bool bias, fields.flag_or("attention_bias", true));
  attention.qkv_bias = attention.output_bias = bias;
  attention.sinks = true;
  TRY(ExpertFfn ffn, fields.expert_ffn());
  ffn.bias = true;
  ffn.router = {.bias = true, .renormalize = true};
  TRY(const f64 limit, fields.number_or("unit_limit", 7));
  TRY(const f64 alpha, fields.number_or("unit_alpha", 1.702));
  ffn.unit = {.limit = f32(limit), .alpha = f32(alpha), .shift = 1};
  for (LayerSpec& layer : spec.layers) layer = {attention, ffn};
  CHECK_OK(fields.set_windows(spec, [](u32 layer) { return layer % 2 == 0; }));
  return spec;
}

}  // namespace orrery::model::families_detail
