// Mistral 7B (Jiang et al. 2023) and those after it: the neighbour's block, whose keys end at a
// sliding window where the config has one (of 7B only v0.1 does; Ministral 8B in some layers).
#include "model/families/families.h"

namespace orrery::model::families_detail {

Result<ModelSpec> mistral(const Fields& fields) {
  TRY(ModelSpec spec, llama(fields));
  CHECK_OK(fields.set_windows(spec, [](u32) { return true; }));
  return spec;
}

// Ministral 3 (2025): queries grow beyond the original context.
Result<ModelSpec> ministral3(const Fields& fields) {
  TRY(ModelSpec spec, mistral(fields));
  TRY(const QueryTemperature temperature, fields.temperature());
  for (LayerSpec& layer : spec.layers)
    std::get<GroupedAttention>(layer.attention).temperature = temperature;
  return spec;
}

}  // namespace orrery::model::families_detail
