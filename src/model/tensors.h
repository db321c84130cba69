// The tensors that a ModelSpec needs: role, layer, exact shape, and the name in each checkpoint
// world.
//
// One list drives the binder (what must exist), the planner (bytes) and `inspect`. A bias or the
// output matrix stands in the list exactly when the spec has it, so "required" needs no exceptions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "model/spec.h"

namespace orrery::model {

enum class Role : u8 {
  kEmbedding,
  kOutputNorm,
  kOutput,
  kRopeDivisors,
  kAttentionNorm,
  kQuery,
  kKey,
  kValue,
  kAttentionOutput,
  kQueryBias,
  kKeyBias,
  kValueBias,
  kAttentionOutputBias,
  kFfnNorm,
  kGate,
  kUp,
  kDown,
  kGateBias,
  kUpBias,
  kDownBias,
};
inline constexpr u32 kRoleCount = 20;
[[nodiscard]] std::string_view name(Role role);  // "query", "ffn_norm", ...

struct TensorNeed {
  Role role;
  u32 layer;               // 0 for roles outside the layers
  std::vector<u64> shape;  // [rows, cols] of a matrix, [n] of a vector
  [[nodiscard]] bool is_matrix() const { return shape.size() == 2; }
};

[[nodiscard]] std::vector<TensorNeed> needed_tensors(const ModelSpec& spec);

// The name of this tensor in a checkpoint of that kind ("model.layers.3.self_attn.q_proj.weight",
// "blk.3.attn_q.weight").
[[nodiscard]] std::string tensor_name(checkpoint::Kind kind, Role role, u32 layer);

// True for a tensor that files carry and the forward pass computes itself or does not need.
[[nodiscard]] bool is_ignored(checkpoint::Kind kind, std::string_view name);

}  // namespace orrery::model
