// Sizes of the scratch memory of `attend`, which those who allocate it and the rungs must agree on.
#pragma once

#include "kernels/kernels.h"

namespace orrery::kernels {

// Floats from one query's scores to the next; not a power of two, so that rows do not share a set
// of the first-level cache.
inline constexpr u32 kScoreStride = kKeyChunk + 16;

// No rung answers more queries at a time.
inline constexpr u32 kQueryTileMax = 8;
// Groups of queries that go through the pages of a chunk side by side.
inline constexpr u32 kQueryGroups = 2;

// Floats from one query's sums of values to the next.
[[nodiscard]] inline u32 value_sum_stride(u32 value_dim) { return round_up(value_dim, 16u); }

}  // namespace orrery::kernels
