// Mistral 4 (2026): DeepSeek's block with other scores.
#include "model/families/families.h"

namespace orrery::model::families_detail {

// Softmax scores, groups by their two best, queries that grow with their position.
Result<ModelSpec> mistral4(const Fields& fields) {
  TRY(ModelSpec spec, with_latent_attention(fields, {}));
  TRY(const QueryTemperature temperature, fields.temperature());
  for (LayerSpec& layer : spec.layers)
    std::get<LatentAttention>(layer.attention).temperature = temperature;
  return spec;
}

}  // namespace orrery::model::families_detail
