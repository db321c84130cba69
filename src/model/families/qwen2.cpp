// Qwen2 and 2.5 (Yang et al. 2024): LLaMA's block with biases on queries, keys and values, and with
// windows in the later layers where the config uses them.
#include "model/families/families.h"

namespace orrery::model::families_detail {

Result<ModelSpec> qwen2(const Fields& fields) {
  TRY(ModelSpec spec, llama(fields));
  for (LayerSpec& layer : spec.layers) {
    auto& a = std::get<GroupedAttention>(layer.attention);
    a.qkv_bias = true;
    a.output_bias = false;
  }
  TRY(const u32 first, fields.count_or("window_layers_first", 0));
  TRY(const bool used, fields.flag_or("uses_window", false));
  CHECK_OK(fields.set_windows(spec, [=](u32 layer) { return used && layer >= first; }));
  return spec;
}

// Qwen1.5-MoE and Qwen2-57B-A14B: experts beside a shared one behind a gate.
Result<ModelSpec> qwen2_moe(const Fields& fields) {
  TRY(ModelSpec spec, qwen2(fields));
  TRY(const u32 first, fields.count_or("window_layers_first", 0));
  TRY(const bool used, fields.flag_or("uses_window", false));
  CHECK_OK(
      fields.set_windows(spec, [=](u32 layer) { return used && layer < first && layer % 2 == 0; }));
  return with_experts(fields, std::move(spec));
}

}  // namespace orrery::model::families_detail
