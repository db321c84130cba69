// SmolLM3 (2025): the LLaMA block, every fourth layer without rotary positions (Yang et al. 2025,
// "Rope to Nope").
#include "model/families/families.h"

namespace orrery::model::families_detail {

Result<ModelSpec> smollm3(const Fields& fields) {
  TRY(ModelSpec spec, fields.decoder({.rope_base = 2e6}));
  TRY(const GroupedAttention attention, fields.grouped_attention());
  TRY(const DenseFfn ffn, fields.dense_ffn());
  TRY(const u32 interval, fields.count_or("no_rope_interval", 4));
  TRY(const auto turns, fields.layers_flagged("no_rope_layers", [=](u32 layer) {
    return interval == 0 || (layer + 1) % interval != 0;
  }));
  for (u32 i = 0; i < spec.layers.size(); ++i) {
    GroupedAttention a = attention;
    a.rope = turns(i);
    spec.layers[i] = {a, ffn};
  }
  CHECK_OK(fields.set_windows(spec, [&](u32 layer) { return !turns(layer); }));
  return spec;
}

}  // namespace orrery::model::families_detail
