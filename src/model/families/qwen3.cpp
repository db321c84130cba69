// Qwen3 (Yang et al. 2025): LLaMA's block with a norm on each head of queries and keys instead of
// biases.
#include "model/families/families.h"

namespace orrery::model::families_detail {

Result<ModelSpec> qwen3(const Fields& fields) {
  TRY(ModelSpec spec, llama(fields));
  for (LayerSpec& layer : spec.layers)
    std::get<GroupedAttention>(layer.attention).qk_norm = QkNorm::kBeforeRope;
  TRY(const u32 first, fields.count_or("window_layers_first", 0));
  TRY(const bool used, fields.flag_or("uses_window", false));
  CHECK_OK(fields.set_windows(spec, [=](u32 layer) { return used && layer >= first; }));
  return spec;
}

// Qwen3-30B-A3B and -235B-A22B: experts without a shared one; weights that sum to 1.
Result<ModelSpec> qwen3_moe(const Fields& fields) {
  TRY(ModelSpec spec, qwen3(fields));
  TRY(ModelSpec sparse, with_experts(fields, std::move(spec)));
  // GGUF does not say it; every published model does it.
  if (fields.is_gguf()) each_expert_ffn(sparse, [](ExpertFfn& f) { f.router.renormalize = true; });
  return sparse;
}

}  // namespace orrery::model::families_detail
