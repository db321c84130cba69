// The tensors that a ModelSpec needs: role, layer and exact shape.
//
// One list drives the binder (what must exist), the planner (bytes) and `inspect`. A bias or the
// output matrix stands in the list exactly when the spec has it, so "required" needs no exceptions.
// How a checkpoint calls and stores them is in stored.h.
#pragma once

#include <string_view>
#include <vector>

#include "model/spec.h"

namespace orrery::model {

enum class Form : u8 { kVector, kMatrix, kStack };

enum class Role : u8 {
#define ORRERY_ROLE(id, name, form) id,
#include "model/roles.def"
#undef ORRERY_ROLE
};
inline constexpr u32 kRoleCount = 0
#define ORRERY_ROLE(id, name, form) +1
#include "model/roles.def"
#undef ORRERY_ROLE
    ;

[[nodiscard]] std::string_view name(Role role);  // "query", "ffn_norm", ...
[[nodiscard]] Form form(Role role);

// Matrices whose small errors would change decisions (which expert, how much a state decays): held
// and multiplied in float32 in every mode.
[[nodiscard]] bool keeps_f32(Role role);

// The share of a role's values that one token meets: active / experts of the experts, else 1.
[[nodiscard]] f64 share_met(const ModelSpec& spec, Role role, u32 layer);

struct TensorNeed {
  Role role;
  u32 layer;  // 0 for roles outside the layers
  std::vector<u64>
      shape;  // [n] or [n, m] of a vector, [rows, cols], [count, rows, cols] of a stack
  [[nodiscard]] bool is_vector() const { return form(role) == Form::kVector; }
  // Of a matrix or stack.
  [[nodiscard]] u32 count() const { return shape.size() == 3 ? u32(shape[0]) : 1; }
  [[nodiscard]] u32 rows() const { return u32(shape[shape.size() - 2]); }
  [[nodiscard]] u32 cols() const { return u32(shape.back()); }
  [[nodiscard]] u64 values() const;
};

[[nodiscard]] std::vector<TensorNeed> needed_tensors(const ModelSpec& spec);

}  // namespace orrery::model
