// Mistral 7B (Jiang et al. 2023): the neighbour's block, whose keys end at a sliding window where
// the config has one (only 7B v0.1 does; later ones say null).
#include "model/families/families.h"

namespace orrery::model::families_detail {

Result<ModelSpec> mistral(const Fields& fields) {
  TRY(ModelSpec spec, llama(fields));
  TRY(const u32 window, fields.count_or("window", 0));
  for (LayerSpec& layer : spec.layers) std::get<GroupedAttention>(layer.attention).window = window;
  return spec;
}

}  // namespace orrery::model::families_detail
