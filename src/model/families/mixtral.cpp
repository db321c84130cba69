// Mixtral (Jiang et al. 2024): Mistral's block with a mixture of experts; softmax over all, the
// best two, weights that sum to 1. GGUF has one name for it and for models without experts.
#include "model/families/families.h"

namespace orrery::model::families_detail {

Result<ModelSpec> mixtral(const Fields& fields) {
  TRY(ModelSpec spec, mistral(fields));
  TRY(const u32 experts, fields.count_or("experts", 0));
  if (experts == 0) return spec;
  TRY(ExpertFfn ffn, fields.expert_ffn());
  ffn.router = {.score = Router::Score::kSoftmax, .renormalize = true};
  for (LayerSpec& layer : spec.layers) layer.ffn = ffn;
  return spec;
}

}  // namespace orrery::model::families_detail
