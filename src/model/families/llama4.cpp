// Llama 4 (2025), the text model: attention in chunks with rotary positions, every fourth layer
// over everything without them and with a growing query temperature; layers of experts that weigh
// what they read, beside a shared one.
#include "model/families/families.h"

namespace orrery::model::families_detail {
namespace {

Result<GroupedAttention> turning(const Fields& fields) {
  TRY(GroupedAttention a, fields.grouped_attention());
  TRY(a.chunk, fields.count_or("attention_chunk", 8192));
  TRY(const u32 experts, fields.count("experts"));
  // The file of the larger model, of 128 experts, is the one without norms.
  TRY(const bool norm, fields.flag_or("qk_norm", !fields.is_gguf() || experts != 128));
  if (norm) a.qk_norm = QkNorm::kPlainAfterRope;
  return a;
}

Result<GroupedAttention> not_turning(const Fields& fields) {
  TRY(GroupedAttention a, fields.grouped_attention());
  a.rope = false;
  TRY(const bool grows, fields.flag_or("temperature", true));
  TRY(const f64 scale, fields.number_or("temperature_scale", 0.1));
  TRY(const u32 length, fields.count_or("temperature_length", 8192));
  if (grows) a.temperature = {.scale = f32(scale), .length = length, .offset = 1};
  return a;
}

// Experts weigh what they read, beside a shared one of their size.
Result<ModelSpec> with_weighing_experts(const Fields& fields, ModelSpec spec) {
  DenseFfn dense;
  TRY(dense.width, fields.count("ffn_width_beside_experts"));
  TRY(ExpertFfn experts, fields.expert_ffn());
  experts.shared_width = experts.width;
  experts.router = {.score = Router::Score::kSigmoid, .weighs_input = true};
  TRY(const u32 step, fields.count_or("expert_interval", 1));
  TRY(const auto sparse, fields.layers_listed("expert_layers", [=](u32 layer) {
    return step != 0 && (layer + 1) % step == 0;
  }));
  for (u32 i = 0; i < spec.layers.size(); ++i) {
    if (sparse(i))
      spec.layers[i].ffn = experts;
    else
      spec.layers[i].ffn = dense;
  }
  return spec;
}

}  // namespace

Result<ModelSpec> llama4(const Fields& fields) {
  TRY(ModelSpec spec, fields.decoder({.rope_base = 5e5}));
  TRY(const GroupedAttention chunked, turning(fields));
  TRY(const GroupedAttention full, not_turning(fields));
  TRY(const u32 interval, fields.count_or("no_rope_interval", 4));
  TRY(const auto turns, fields.layers_flagged("no_rope_layers", [=](u32 layer) {
    return interval == 0 || (layer + 1) % interval != 0;
  }));
  TRY(const auto chunks, fields.layers_of_type("layer_types", "chunked_attention", turns));
  for (u32 i = 0; i < spec.layers.size(); ++i) {
    GroupedAttention a = turns(i) ? chunked : full;
    a.chunk = chunks(i) ? chunked.chunk : 0;
    spec.layers[i].attention = a;
  }
  return with_weighing_experts(fields, std::move(spec));
}

}  // namespace orrery::model::families_detail
