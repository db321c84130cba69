// Probes: what this machine can do at most right now. A speed without its probe taken beside it
// says little on shared machines, so `orrery bench` and kernels_bench print both.
#pragma once

#include "base/thread_team.h"
#include "kernels/kernels.h"

namespace orrery::kernels {

// Bytes a second that the team reads from `bytes` of huge-page memory, one stream a member; the
// best of a plain stream and one that prefetches 1 KiB ahead. An error when the memory cannot be
// had.
[[nodiscard]] Result<f64> read_bandwidth(ThreadTeam& team, u64 bytes);

// What a product of a layout is made of, as far as a CPU's instructions tell them apart.
enum class DotKind : u8 {
  kNarrow,  // weights of at most 6 bits x int8: without VNNI sums of pairs stay in 16 bits
  kByte,    // weights of 8 bits x int8: without VNNI every pair has to be widened at once
  kFloat,   // weights of floats x float32
};
inline constexpr u32 kDotKindCount = 3;
[[nodiscard]] DotKind dot_kind(Layout layout);
[[nodiscard]] std::string_view name(DotKind kind);  // "narrow", "byte", "float"

// Operations a second (a multiplication and an addition are two) of the fastest instructions that
// the rung has for such products, with everything in registers; 0 for scalar. The CPU must have the
// rung.
[[nodiscard]] f64 dot_peak(ThreadTeam& team, Isa isa, DotKind kind);

}  // namespace orrery::kernels
