// Attention rows: where a query looked, computed for a viewer beside the fused kernel.
//
// The kernel keeps no weights, so they are computed again from the query that it took and the keys
// that are in the cache: one row is one dot product a key. What the row reads from the values must
// be what the kernel gave, which makes each watched row a test of the kernel. Deliberately not
// here: the kernel's order of sums. These numbers agree to a tolerance and are part of no result.
#pragma once

#include <span>
#include <vector>

#include "forward/kv_cache.h"
#include "model/weights.h"

namespace orrery::forward {

// The query of one token in one layer, as the tap gave it (Point::kQuery).
struct RowsAt {
  const model::Model& model;
  const kernels::Kernels& kernels;
  const KvCache& cache;
  u32 sequence, layer, position;
  const f32* query;             // [heads, head_dim], of latent attention [heads, cached_dim]
  std::span<const u32> chosen;  // positions, where an indexer chose them
};

struct AttentionRow {
  u32 first = 0;             // position of weights[0], where nothing was chosen
  std::vector<f32> weights;  // [visible keys]
  f32 null_mass = 0;         // what a learned sink took
  std::vector<f32> read;     // [value_dim] the row times the values; empty unless asked for
  [[nodiscard]] f32 sum() const;
};

// Heads whose rows the layer has: 0 for a layer without keys (a delta net).
[[nodiscard]] u32 row_heads(const model::LayerSpec& layer);
// Values of the query of one head in RowsAt::query, and of what it reads.
[[nodiscard]] u32 row_query_dim(const model::LayerSpec& layer);
[[nodiscard]] u32 row_value_dim(const model::LayerSpec& layer);

// The rows of heads [begin, begin + rows.size()), with what they read when `with_read`.
void attention_rows(const RowsAt& at, u32 begin, bool with_read, std::span<AttentionRow> rows);

// The greatest difference between what a row reads and what the kernel gave for its head
// [value_dim], in parts of the output's largest magnitude.
[[nodiscard]] f32 read_difference(const AttentionRow& row, const f32* output);

}  // namespace orrery::forward
