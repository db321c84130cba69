// The ladder of one token's attention: four query heads that share a KV head look back at 4,096
// positions. Every byte of keys and values is read once and used little: memory decides.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/half.h"
#include "ladder/attention.h"

namespace orrery::ladder {
namespace {

using kernels::kKeyTile;
using kernels::KvFormat;

// Scores to weights.
void softmax(std::vector<f32>& scores) {
  const f32 max = *std::max_element(scores.begin(), scores.end());
  f32 sum = 0;
  for (f32& score : scores) sum += score = std::exp(score - max);
  for (f32& score : scores) score /= sum;
}

// Rung 1: the definition, head by head, keys and values as floats.
void definition(const Heads& h, f32* out) {
  const f32 scale = 1 / std::sqrt(f32(h.dim));
  std::vector<f32> scores(h.positions);
  for (u32 i = 0; i < h.queries; ++i) {
    const f32* q = &h.q[u64(i) * h.dim];
    for (u32 p = 0; p < h.positions; ++p) {
      f32 dot = 0;
      for (u32 d = 0; d < h.dim; ++d) dot += q[d] * h.k[u64(p) * h.dim + d];
      scores[p] = dot * scale;
    }
    softmax(scores);
    f32* to = out + u64(i) * h.dim;
    std::fill_n(to, h.dim, 0.0f);
    for (u32 p = 0; p < h.positions; ++p)
      for (u32 d = 0; d < h.dim; ++d) to[d] += scores[p] * h.v[u64(p) * h.dim + d];
  }
}

// Rung 2: the cache in 16 bits: half of the bytes, but each value is widened for every head.
void sixteen_bits(const Heads& h, f32* out) {
  const f32 scale = 1 / std::sqrt(f32(h.dim));
  std::vector<f32> scores(h.positions);
  for (u32 i = 0; i < h.queries; ++i) {
    const f32* q = &h.q[u64(i) * h.dim];
    for (u32 p = 0; p < h.positions; ++p) {
      f32 dot = 0;
      for (u32 d = 0; d < h.dim; ++d) dot += q[d] * f32_from_f16(h.k16[u64(p) * h.dim + d]);
      scores[p] = dot * scale;
    }
    softmax(scores);
    f32* to = out + u64(i) * h.dim;
    std::fill_n(to, h.dim, 0.0f);
    for (u32 p = 0; p < h.positions; ++p)
      for (u32 d = 0; d < h.dim; ++d) to[d] += scores[p] * f32_from_f16(h.v16[u64(p) * h.dim + d]);
  }
}

// Rung 3: the heads of a group together: a key that is read (floats again, to keep it plain) meets
// all of them.
void group_together(const Heads& h, f32* out) {
  const f32 scale = 1 / std::sqrt(f32(h.dim));
  std::vector<std::vector<f32>> scores(h.queries, std::vector<f32>(h.positions));
  for (u32 p = 0; p < h.positions; ++p)
    for (u32 i = 0; i < h.queries; ++i) {
      f32 dot = 0;
      for (u32 d = 0; d < h.dim; ++d) dot += h.q[u64(i) * h.dim + d] * h.k[u64(p) * h.dim + d];
      scores[i][p] = dot * scale;
    }
  for (auto& each : scores) softmax(each);
  std::fill_n(out, u64(h.queries) * h.dim, 0.0f);
  for (u32 p = 0; p < h.positions; ++p)
    for (u32 i = 0; i < h.queries; ++i)
      for (u32 d = 0; d < h.dim; ++d)
        out[u64(i) * h.dim + d] += scores[i][p] * h.v[u64(p) * h.dim + d];
}

// Rung 4: keys in tiles of 16 positions, turned so that lanes are positions: a score needs no sum
// across lanes, and compilers see 16 independent chains.
void tiles(const Heads& h, f32* out) {
  const f32 scale = 1 / std::sqrt(f32(h.dim));
  std::vector<std::vector<f32>> scores(h.queries, std::vector<f32>(h.positions));
  for (u32 tile = 0; tile < h.positions / kKeyTile; ++tile)
    for (u32 i = 0; i < h.queries; ++i) {
      f32 dots[kKeyTile] = {};
      const f32* k = &h.k_tiles[u64(tile) * h.dim * kKeyTile];
      for (u32 d = 0; d < h.dim; ++d)
        for (u32 lane = 0; lane < kKeyTile; ++lane)
          dots[lane] += h.q[u64(i) * h.dim + d] * k[d * kKeyTile + lane];
      for (u32 lane = 0; lane < kKeyTile; ++lane)
        scores[i][tile * kKeyTile + lane] = dots[lane] * scale;
    }
  for (auto& each : scores) softmax(each);
  std::fill_n(out, u64(h.queries) * h.dim, 0.0f);
  for (u32 p = 0; p < h.positions; ++p)
    for (u32 i = 0; i < h.queries; ++i)
      for (u32 d = 0; d < h.dim; ++d)
        out[u64(i) * h.dim + d] += scores[i][p] * h.v[u64(p) * h.dim + d];
}

}  // namespace

Result<Ladder> attention_token(const kernels::Kernels& kernels) {
  constexpr u32 kPositions = 4096, kQueries = 4, kDim = 64;
  const auto heads = make_heads(kPositions, kQueries, kDim);
  const auto rung = [&](std::string_view name, std::string_view idea,
                        void (*run)(const Heads&, f32*)) {
    return Rung{name, idea, [heads, run](f32* out) { run(*heads, out); }};
  };
  const std::vector<u32> ends(kQueries, kPositions);
  TRY(const auto f16, attention_kernel(kernels, heads, KvFormat::kF16, ends));
  TRY(const auto q8, attention_kernel(kernels, heads, KvFormat::kQ8, ends));
  return Ladder{
      "attention_token",
      "one token's attention: 4 heads of 64, 4,096 positions",
      4.0 * kPositions * kQueries * kDim,
      u64(kQueries) * kDim,
      0.25,  // of a mean of many random values, which is small; 8 bits are rounded
      {rung("definition", "head by head, keys and values as floats", definition),
       rung("16 bits", "half of the bytes, but widened again for every head", sixteen_bits),
       rung("group together", "a key that is read meets all heads of its group", group_together),
       rung("tiles of 16 keys", "lanes are positions: no sum across a register", tiles),
       {"the kernel", "16 bits, a page at a time, widened once for all heads", f16},
       {"keys in 8 bits", "the kernel again: fewer bytes, more arithmetic (--kv q8)", q8}}};
}

}  // namespace orrery::ladder
