// The ladder of a prompt's attention: 256 queries, each of which sees the keys up to its own. Every
// key meets many queries: arithmetic decides.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ladder/attention.h"

namespace orrery::ladder {
namespace {

using kernels::kKeyTile;

f32 score(const Heads& h, u32 query, u32 position) {
  f32 dot = 0;
  for (u32 d = 0; d < h.dim; ++d)
    dot += h.q[u64(query) * h.dim + d] * h.k[u64(position) * h.dim + d];
  return dot / std::sqrt(f32(h.dim));
}

// Rung 1: the definition: all scores of all queries, those of the future struck out, then a softmax
// of each row, then the values.
void full_matrix(const Heads& h, f32* out) {
  const u32 n = h.positions;
  std::vector<f32> scores(u64(n) * n);
  for (u32 i = 0; i < n; ++i)
    for (u32 p = 0; p < n; ++p)
      scores[u64(i) * n + p] = p <= i ? score(h, i, p) : -std::numeric_limits<f32>::infinity();
  for (u32 i = 0; i < n; ++i) {
    f32* row = &scores[u64(i) * n];
    const f32 max = *std::max_element(row, row + n);
    f32 sum = 0;
    for (u32 p = 0; p < n; ++p) sum += row[p] = std::exp(row[p] - max);
    f32* to = out + u64(i) * h.dim;
    std::fill_n(to, h.dim, 0.0f);
    for (u32 p = 0; p < n; ++p)
      for (u32 d = 0; d < h.dim; ++d) to[d] += row[p] / sum * h.v[u64(p) * h.dim + d];
  }
}

// Rung 2: the running softmax: no matrix of scores is ever stored, and what a query cannot see is
// never computed. When a larger score comes, what was summed up so far is scaled down.
void running_softmax(const Heads& h, f32* out) {
  for (u32 i = 0; i < h.positions; ++i) {
    f32* to = out + u64(i) * h.dim;
    std::fill_n(to, h.dim, 0.0f);
    f32 max = -std::numeric_limits<f32>::infinity(), sum = 0;
    for (u32 p = 0; p <= i; ++p) {
      const f32 s = score(h, i, p), greater = std::max(max, s);
      const f32 down = std::exp(max - greater), weight = std::exp(s - greater);
      sum = sum * down + weight;
      for (u32 d = 0; d < h.dim; ++d) to[d] = to[d] * down + weight * h.v[u64(p) * h.dim + d];
      max = greater;
    }
    for (u32 d = 0; d < h.dim; ++d) to[d] /= sum;
  }
}

// Scores of a query with a tile of 16 keys, lanes are positions.
void tile_scores(const Heads& h, u32 query, u32 tile, f32* scores) {
  f32 dots[kKeyTile] = {};
  const f32* k = &h.k_tiles[u64(tile) * h.dim * kKeyTile];
  for (u32 d = 0; d < h.dim; ++d)
    for (u32 lane = 0; lane < kKeyTile; ++lane)
      dots[lane] += h.q[u64(query) * h.dim + d] * k[d * kKeyTile + lane];
  for (u32 lane = 0; lane < kKeyTile; ++lane) scores[lane] = dots[lane] / std::sqrt(f32(h.dim));
}

// Rung 3: a tile of keys at a time: one step of the running softmax for 16 of them, and inner loops
// that are the same for all lanes.
void tiles(const Heads& h, f32* out) {
  for (u32 i = 0; i < h.positions; ++i) {
    f32* to = out + u64(i) * h.dim;
    std::fill_n(to, h.dim, 0.0f);
    f32 max = -std::numeric_limits<f32>::infinity(), sum = 0;
    for (u32 tile = 0; tile <= i / kKeyTile; ++tile) {
      f32 s[kKeyTile];
      tile_scores(h, i, tile, s);
      const u32 seen = std::min(kKeyTile, i + 1 - tile * kKeyTile);
      const f32 greater = std::max(max, *std::max_element(s, s + seen));
      const f32 down = std::exp(max - greater);
      sum *= down;
      for (u32 d = 0; d < h.dim; ++d) to[d] *= down;
      for (u32 lane = 0; lane < seen; ++lane) {
        const f32 weight = std::exp(s[lane] - greater);
        sum += weight;
        const f32* v = &h.v[(u64(tile) * kKeyTile + lane) * h.dim];
        for (u32 d = 0; d < h.dim; ++d) to[d] += weight * v[d];
      }
      max = greater;
    }
    for (u32 d = 0; d < h.dim; ++d) to[d] /= sum;
  }
}

}  // namespace

Result<Ladder> attention_prompt(const kernels::Kernels& kernels) {
  constexpr u32 kPositions = 256, kDim = 64;
  const auto heads = make_heads(kPositions, kPositions, kDim);
  const auto rung = [&](std::string_view name, std::string_view idea,
                        void (*run)(const Heads&, f32*)) {
    return Rung{name, idea, [heads, run](f32* out) { run(*heads, out); }};
  };
  std::vector<u32> ends;
  for (u32 i = 0; i < kPositions; ++i) ends.push_back(i + 1);
  TRY(const auto kernel, attention_kernel(kernels, heads, kernels::KvFormat::kF16, ends));
  return Ladder{
      "attention_prompt",
      "a prompt's attention: one head of 64, 256 tokens",
      4.0 * kPositions * (kPositions + 1) / 2 * kDim,
      u64(kPositions) * kDim,
      1e-3,
      {rung("full matrix", "the definition: all scores, also those of the future", full_matrix),
       rung("running softmax", "no matrix of scores, nothing of the future", running_softmax),
       rung("tiles of 16 keys", "one step of the softmax for 16 keys, lanes are keys", tiles),
       {"the kernel", "8 queries share each tile; exp as a polynomial in vectors", kernel}}};
}

}  // namespace orrery::ladder
