// Keys, values and queries of the attention ladders, plain and as the cache holds them.
#pragma once

#include <functional>
#include <memory>

#include "ladder/ladder.h"

namespace orrery::ladder {

// One KV head: keys and values [positions][dim]; queries [queries][dim] that share it.
struct Heads {
  u32 positions, queries, dim;
  std::vector<f32> k, v, q;
  std::vector<u16> k16, v16;  // the same as f16
  std::vector<f32> k_tiles;   // [positions / 16][dim][16]
};
// Keys and values are floats that f16 holds exactly, so that every rung computes with the same.
[[nodiscard]] std::shared_ptr<Heads> make_heads(u32 positions, u32 queries, u32 dim);

// The kernel over a cache of this format: query i sees the keys below ends[i].
[[nodiscard]] Result<std::function<void(f32*)>> attention_kernel(const kernels::Kernels& kernels,
                                                                 std::shared_ptr<Heads> heads,
                                                                 kernels::KvFormat format,
                                                                 std::vector<u32> ends);

}  // namespace orrery::ladder
