// Parts of descriptions that several families share: which layers have experts.
#include "model/families/families.h"

namespace orrery::model::families_detail {

Result<ModelSpec> with_experts(const Fields& fields, ModelSpec spec) {
  TRY(ExpertFfn ffn, fields.expert_ffn());
  ffn.shared_gate = ffn.shared_width != 0;
  TRY(const u32 step, fields.count_or("expert_interval", 1));
  TRY(const auto dense, fields.layers_listed("dense_layer_list", [](u32) { return false; }));
  for (u32 i = 0; i < spec.layers.size(); ++i)
    if (!dense(i) && step != 0 && (i + 1) % step == 0) spec.layers[i].ffn = ffn;
  return spec;
}

Result<ModelSpec> with_leading_dense(const Fields& fields, ModelSpec spec, const Router& router) {
  TRY(const DenseFfn dense, fields.dense_ffn());
  TRY(ExpertFfn experts, fields.expert_ffn());
  experts.router.score = router.score;
  experts.router.selection_bias = router.selection_bias;
  experts.router.group_score = router.group_score;
  TRY(const auto score, fields.text("expert_score"));
  if (score && *score != "softmax" && *score != "sigmoid")
    return fail("{}: \"{}\" is not supported (softmax and sigmoid are)", fields.key("expert_score"),
                *score);
  if (score)
    experts.router.score = *score == "softmax" ? Router::Score::kSoftmax : Router::Score::kSigmoid;
  TRY(const u32 first, fields.count_or("dense_layers", 0));
  TRY(const u32 every, fields.count_or("expert_every", 1));
  TRY(const auto sparse, fields.layers_of_type("ffn_types", "sparse", [=](u32 layer) {
    return layer >= first && (every == 0 || layer % every == 0);
  }));
  for (u32 i = 0; i < spec.layers.size(); ++i) {
    if (sparse(i))
      spec.layers[i].ffn = experts;
    else
      spec.layers[i].ffn = dense;
  }
  return spec;
}

Result<ModelSpec> with_latent_attention(const Fields& fields, const Router& router) {
  TRY(ModelSpec spec, fields.decoder());
  TRY(const LatentAttention attention, fields.latent_attention());
  for (LayerSpec& layer : spec.layers) layer.attention = attention;
  return with_leading_dense(fields, std::move(spec), router);
}

void each_expert_ffn(ModelSpec& spec, const std::function<void(ExpertFfn&)>& edit) {
  for (LayerSpec& layer : spec.layers)
    if (auto* f = std::get_if<ExpertFfn>(&layer.ffn)) edit(*f);
}

void each_delta_net(ModelSpec& spec, const std::function<void(DeltaNet&)>& edit) {
  for (LayerSpec& layer : spec.layers)
    if (auto* d = std::get_if<DeltaNet>(&layer.attention)) edit(*d);
}

}  // namespace orrery::model::families_detail
