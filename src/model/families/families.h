// Families: the table from a checkpoint's architecture to the function that describes it as data.
//
// The only place in the program that knows the names of model families. A family is one file beside
// this one: its description (an edit of its neighbour), nothing else.
#pragma once

#include "model/families/fields.h"
#include "model/spec.h"
#include "model/stored.h"

namespace orrery::model {

struct Family {
  std::string_view name;          // for people
  std::string_view architecture;  // in config.json's "architectures"; empty: GGUF only
  std::string_view gguf;          // GGUF general.architecture; empty: not in GGUF
  Result<ModelSpec> (*describe)(const Fields&);
  Storage storage = {};  // what its checkpoints have of their own
};

[[nodiscard]] const std::vector<Family>& families();

struct Description {
  ModelSpec spec;
  Storage storage;
  std::vector<std::string> remarks;  // what was assumed where the file should say it, for people
};

// What this checkpoint holds, as data. An unknown architecture is an error by name that lists ours.
[[nodiscard]] Result<Description> describe(const checkpoint::Checkpoint& checkpoint);

namespace families_detail {
Result<ModelSpec> llama(const Fields& fields);
Result<ModelSpec> llama4(const Fields& fields);
Result<ModelSpec> smollm3(const Fields& fields);
Result<ModelSpec> mistral(const Fields& fields);
Result<ModelSpec> ministral3(const Fields& fields);
Result<ModelSpec> mixtral(const Fields& fields);
Result<ModelSpec> mistral4(const Fields& fields);
Result<ModelSpec> qwen2(const Fields& fields);
Result<ModelSpec> qwen2_moe(const Fields& fields);
Result<ModelSpec> qwen3(const Fields& fields);
Result<ModelSpec> qwen3_moe(const Fields& fields);
Result<ModelSpec> qwen3_next(const Fields& fields);
Result<ModelSpec> qwen3_5(const Fields& fields);
Result<ModelSpec> qwen3_5_moe(const Fields& fields);
Result<ModelSpec> deepseek_v2(const Fields& fields);
Result<ModelSpec> deepseek_v3(const Fields& fields);
Result<ModelSpec> deepseek_v32(const Fields& fields);
Result<ModelSpec> glm_moe_dsa(const Fields& fields);
Result<ModelSpec> glm4_moe(const Fields& fields);
Result<ModelSpec> glm4_moe_lite(const Fields& fields);
Result<ModelSpec> gpt_oss(const Fields& fields);

// GGUF's deepseek2 holds several families; the router tells them apart.
Result<ModelSpec> deepseek_gguf(const Fields& fields);

// Parts that several families share, in layers.cpp.
//
// Experts in the layers that expert_interval and dense_layer_list leave to them.
Result<ModelSpec> with_experts(const Fields& fields, ModelSpec spec);
// Layers of ffn_types, or after the first dense ones, have experts; the router's scale, groups and
// renormalisation are the config's, the rest is the family's.
Result<ModelSpec> with_leading_dense(const Fields& fields, ModelSpec spec, const Router& router);
// The same with latent attention in all layers.
Result<ModelSpec> with_latent_attention(const Fields& fields, const Router& router);
// Sigmoid scores and a bias that only selects, as DeepSeek V3 has them.
inline constexpr Router kV3Router = {.score = Router::Score::kSigmoid, .selection_bias = true};
void each_expert_ffn(ModelSpec& spec, const std::function<void(ExpertFfn&)>& edit);
void each_delta_net(ModelSpec& spec, const std::function<void(DeltaNet&)>& edit);
}  // namespace families_detail

}  // namespace orrery::model
