// Qwen3-Next and Qwen3.5 (2025): three of four layers are gated delta nets, the others attention
// with a gate on its output, head norms and positions on a quarter of each head.
#include "model/families/families.h"

namespace orrery::model::families_detail {
namespace {

Result<ModelSpec> hybrid(const Fields& fields, const Ffn& ffn) {
  TRY(ModelSpec spec, fields.decoder({.rotary_fraction = 0.25}));
  TRY(GroupedAttention attention, fields.grouped_attention());
  attention.gate = true;
  attention.qk_norm = QkNorm::kBeforeRope;
  TRY(const DeltaNet delta, fields.delta_net());
  TRY(const u32 interval, fields.count_or("full_attention_interval", 4));
  TRY(const auto full, fields.layers_of_type("layer_types", "full_attention", [=](u32 layer) {
    return interval != 0 && (layer + 1) % interval == 0;
  }));
  for (u32 i = 0; i < spec.layers.size(); ++i) {
    spec.layers[i].ffn = ffn;
    if (full(i))
      spec.layers[i].attention = attention;
    else
      spec.layers[i].attention = delta;
  }
  return spec;
}

}  // namespace

Result<ModelSpec> qwen3_next(const Fields& fields) {
  TRY(const u32 width, fields.count_or("ffn_width", 0));
  TRY(ModelSpec spec, hybrid(fields, DenseFfn{.width = width}));
  TRY(ModelSpec sparse, with_experts(fields, std::move(spec)));
  TRY(const bool renormalize, fields.flag_or("expert_renormalize", true));
  each_expert_ffn(sparse, [=](ExpertFfn& f) { f.router.renormalize = renormalize; });
  return sparse;
}

// In GGUF the value heads that share a key head stand key_heads apart.
Result<ModelSpec> qwen3_5(const Fields& fields) {
  TRY(const DenseFfn ffn, fields.dense_ffn());
  TRY(ModelSpec spec, hybrid(fields, ffn));
  each_delta_net(spec, [&](DeltaNet& d) { d.strided_groups = fields.is_gguf(); });
  return spec;
}

Result<ModelSpec> qwen3_5_moe(const Fields& fields) {
  TRY(ModelSpec spec, hybrid(fields, DenseFfn{}));
  TRY(ModelSpec sparse, with_experts(fields, std::move(spec)));
  each_expert_ffn(sparse, [](ExpertFfn& f) { f.router.renormalize = true; });
  each_delta_net(sparse, [&](DeltaNet& d) { d.strided_groups = fields.is_gguf(); });
  return sparse;
}

}  // namespace orrery::model::families_detail
