// Attention of a few queries over keys in pages, with an online softmax, so that no score matrix is
// ever stored (Dao et al. 2022, "FlashAttention"), and the cutting of a batch into such pieces.
#pragma once

#include <algorithm>
#include <limits>

#include "forward/step.h"
#include "forward/visible_keys.h"

namespace orrery::forward {

// One item of attention: some tokens of a run x some query heads that share a KV head.
struct Item {
  const Run& run;
  u32 token_begin, token_end;  // relative to the run
  u32 head_begin, head_end;    // query heads
  u32 kv_head;
};

// Cuts the queries of the batch into items and hands every team_size-th to this member: neighbours
// cost about the same.
template <typename DoItem>
void for_my_items(const Step& step, u32 heads, u32 kv_heads, u32 tokens_max, DoItem do_item) {
  const u32 group = heads / kv_heads, team = step.worker.team_size();
  u64 item_number = 0;
  for (const Run& run : step.scratch.runs) {
    const u32 block = std::min(tokens_max, std::max(1u, kQueriesMax / group));
    const u32 blocks = divide_up(run.count, block);
    // Few items would leave members idle: then each query head is one, though keys are read again.
    const bool split = u64(blocks) * kv_heads * step.scratch.runs.size() < 4 * u64(team);
    const u32 step_heads =
        split && kv_heads > 1 ? 1 : std::min(split ? divide_up(group, team) : group, kQueriesMax);
    for (u32 b = 0; b < blocks; ++b)
      for (u32 h = 0; h < heads;) {
        // An item must not cross into the next group, whose KV head is another.
        const u32 end = std::min(h + step_heads, (h / group + 1) * group);
        if (item_number++ % team == step.worker.index())
          do_item(Item{run, b * block, std::min(run.count, (b + 1) * block), h, end, h / group});
        h = end;
      }
  }
}

// The running softmax of an item's queries.
struct Queries {
  u32 count = 0;
  const f32* q[kQueriesMax];
  f32* value[kQueriesMax];  // [value_dim], zero at the start
  f32 max[kQueriesMax], sum[kQueriesMax];
  Range visible[kQueriesMax];

  // `sink`: a logit that joins the sum without a value, or null.
  void add(const f32* query, f32* out, u32 value_dim, Range keys, const f32* sink) {
    const u32 i = count++;
    q[i] = query;
    value[i] = out;
    std::fill_n(out, value_dim, 0.0f);
    max[i] = sink ? *sink : -std::numeric_limits<f32>::infinity();
    sum[i] = sink ? 1.0f : 0.0f;
    visible[i] = keys;
  }
};

struct HeadShape {
  u32 key_dim, value_dim;
  f32 scale;  // of the softmax, on q . k
  kernels::KvFormat format;
};

// Pages of one chunk of keys, in order.
struct ChunkPages {
  static constexpr u32 kMax = kernels::kKeyChunk / kPageTokens;
  const void* keys[kMax];
  const void* values[kMax];
};

// `fill(start, pages, to)` names the pages of the chunk that starts at key `start`. Queries stand
// in order: the first sees the earliest key, the last the latest.
template <typename Fill>
void attend(const Step& step, Queries& queries, const HeadShape& shape, Fill fill) {
  using kernels::kKeyChunk;
  const u64 first = queries.visible[0].begin, last = queries.visible[queries.count - 1].end;
  ChunkPages pages;
  u32 key_begin[kQueriesMax], key_end[kQueriesMax];
  for (u64 start = first / kKeyChunk * kKeyChunk; start < last; start += kKeyChunk) {
    fill(start, u32(std::min<u64>(ChunkPages::kMax, divide_up(last - start, u64(kPageTokens)))),
         pages);
    const auto inside = [&](u64 key) {
      return u32(std::clamp<u64>(key, start, start + kKeyChunk) - start);
    };
    for (u32 i = 0; i < queries.count; ++i) {
      key_begin[i] = inside(queries.visible[i].begin);
      key_end[i] = inside(queries.visible[i].end);
    }
    step.kernels.attend({.format = shape.format,
                         .head_dim = shape.key_dim,
                         .value_dim = shape.value_dim,
                         .scale = shape.scale,
                         .queries = queries.count,
                         .q = queries.q,
                         .page_tiles = kPageTokens / kernels::kKeyTile,
                         .k_pages = pages.keys,
                         .v_pages = pages.values,
                         .key_begin = key_begin,
                         .key_end = key_end,
                         .max = queries.max,
                         .sum = queries.sum,
                         .value = queries.value,
                         .scratch = step.mine().attention});
  }
  for (u32 i = 0; i < queries.count; ++i)
    step.kernels.scale(1.0f / queries.sum[i], queries.value[i], shape.value_dim);
}

// By how much a query at `position` grows (spec.h).
[[nodiscard]] f32 temperature_at(const model::QueryTemperature& t, u32 position);

// x [n] to x / sqrt(mean(x^2) + eps) * weight; `weight` null: all ones.
void norm_in_place(const Step& step, f32* x, const f32* weight, u32 n, f32 eps);

}  // namespace orrery::forward
