#include "forward/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "forward/watch.h"

namespace orrery::forward {
namespace {

using kernels::kKeyChunk;
using kernels::kKeyTile;

// Turns queries and new keys by their positions and writes keys and values into the cache. A unit
// of work is one head of one token.
void rotate_and_store(const Step& step, u32 layer, const model::GroupedAttention& a) {
  Scratch& s = step.scratch;
  const u32 rotary = step.model.spec.rope.dim, units = a.heads + a.kv_heads;
  const u64 q_stride = u64(a.heads) * a.head_dim, kv_stride = u64(a.kv_heads) * a.head_dim;
  const u64 element = kernels::kv_element_bytes(step.cache.format());
  const Range share = step.worker.share(u64(step.tokens()) * units);
  for (u64 i = share.begin; i < share.end; ++i) {
    const u32 t = u32(i / units), unit = u32(i % units);
    const BatchToken& token = step.batch.tokens[t];
    const f32* cos = s.cos + u64(t) * (rotary / 2);
    const f32* sin = s.sin + u64(t) * (rotary / 2);
    if (unit < a.heads) {
      f32* q = s.query + t * q_stride + u64(unit) * a.head_dim;
      if (a.rope) step.kernels.rope(q, 1, a.head_dim, rotary, cos, sin);
      continue;
    }
    const u32 head = unit - a.heads, page = token.position / kPageTokens;
    const u32 within = token.position % kPageTokens;
    f32* k = s.key + t * kv_stride + u64(head) * a.head_dim;
    const f32* v = s.value + t * kv_stride + u64(head) * a.head_dim;
    if (a.rope) step.kernels.rope(k, 1, a.head_dim, rotary, cos, sin);
    u8* k_tile = step.cache.keys(token.sequence, page, layer, head) +
                 u64(within / kKeyTile) * kKeyTile * a.head_dim * element;
    u8* v_row =
        step.cache.values(token.sequence, page, layer, head) + within * a.head_dim * element;
    step.kernels.store_kv(step.cache.format(), k, v, a.head_dim, a.head_dim, k_tile, v_row,
                          within % kKeyTile);
  }
}

// One item of attention: some tokens of a run x some query heads that share a KV head.
struct Item {
  const Run& run;
  u32 token_begin, token_end;  // relative to the run
  u32 head_begin, head_end;    // query heads
  u32 kv_head;
};

struct Queries {
  u32 count = 0;
  const f32* q[kQueriesMax];
  f32* value[kQueriesMax];
  f32 max[kQueriesMax], sum[kQueriesMax];
  Range visible[kQueriesMax];
};

void gather(const Step& step, const Item& item, const model::GroupedAttention& a,
            Queries& queries) {
  const u64 stride = u64(a.heads) * a.head_dim;
  for (u32 t = item.token_begin; t < item.token_end; ++t)
    for (u32 h = item.head_begin; h < item.head_end; ++h) {
      const u32 i = queries.count++;
      const u64 at = (item.run.first + t) * stride + u64(h) * a.head_dim;
      queries.q[i] = step.scratch.query + at;
      queries.value[i] = step.scratch.attended + at;
      std::fill_n(queries.value[i], a.head_dim, 0.0f);
      queries.max[i] = -std::numeric_limits<f32>::infinity();
      queries.sum[i] = 0;
      queries.visible[i] = visible_keys(item.run.position + t, a.window);
    }
}

void attend(const Step& step, u32 layer, const Item& item, const model::GroupedAttention& a) {
  Queries queries;
  gather(step, item, a, queries);
  // Tokens stand in order: the first sees the earliest key, the last the latest.
  const u64 first = queries.visible[0].begin, last = queries.visible[queries.count - 1].end;
  constexpr u32 kPages = kKeyChunk / kPageTokens;
  const void* k_pages[kPages];
  const void* v_pages[kPages];
  u32 key_begin[kQueriesMax], key_end[kQueriesMax];
  for (u64 start = first / kKeyChunk * kKeyChunk; start < last; start += kKeyChunk) {
    const u32 pages = u32(std::min<u64>(kPages, divide_up(last - start, u64(kPageTokens))));
    for (u32 p = 0; p < pages; ++p) {
      const u32 page = u32(start / kPageTokens) + p;
      k_pages[p] = step.cache.keys(item.run.sequence, page, layer, item.kv_head);
      v_pages[p] = step.cache.values(item.run.sequence, page, layer, item.kv_head);
    }
    const auto inside = [&](u64 key) {
      return u32(std::clamp<u64>(key, start, start + kKeyChunk) - start);
    };
    for (u32 i = 0; i < queries.count; ++i) {
      key_begin[i] = inside(queries.visible[i].begin);
      key_end[i] = inside(queries.visible[i].end);
    }
    step.kernels.attend({.format = step.cache.format(),
                         .head_dim = a.head_dim,
                         .value_dim = a.head_dim,
                         .scale = 1.0f / std::sqrt(f32(a.head_dim)),
                         .queries = queries.count,
                         .q = queries.q,
                         .page_tiles = kPageTokens / kKeyTile,
                         .k_pages = k_pages,
                         .v_pages = v_pages,
                         .key_begin = key_begin,
                         .key_end = key_end,
                         .max = queries.max,
                         .sum = queries.sum,
                         .value = queries.value,
                         .scratch = step.mine().attention});
  }
  for (u32 i = 0; i < queries.count; ++i)
    step.kernels.scale(1.0f / queries.sum[i], queries.value[i], a.head_dim);
}

// Cuts the queries of the batch into items and takes every team_size-th: neighbours cost about the
// same.
void attend_all(const Step& step, u32 layer, const model::GroupedAttention& a) {
  const u32 group = a.heads / a.kv_heads, team = step.worker.team_size();
  u64 item_number = 0;
  for (const Run& run : step.scratch.runs) {
    const u32 block = std::max(1u, kQueriesMax / group);
    const u32 blocks = divide_up(run.count, block);
    // Few items would leave members idle: then each query head is one, though keys are read again.
    const bool split = u64(blocks) * a.kv_heads * step.scratch.runs.size() < 4 * u64(team);
    const u32 heads = split ? 1 : std::min(group, kQueriesMax);
    for (u32 b = 0; b < blocks; ++b)
      for (u32 h = 0; h < a.heads; h += heads) {
        // An item must not cross into the next group, whose KV head is another.
        const u32 end = std::min(h + heads, (h / group + 1) * group);
        if (item_number++ % team != step.worker.index()) continue;
        attend(step, layer,
               Item{run, b * block, std::min(run.count, (b + 1) * block), h, end, h / group}, a);
      }
  }
}

}  // namespace

template <typename Tap>
void attention_block(const Step& step, u32 layer, Tap& tap) {
  const auto& a = std::get<model::GroupedAttention>(step.model.spec.layers[layer].attention);
  const model::AttentionWeights& w = step.model.weights.layers[layer].attention;
  Scratch& s = step.scratch;
  const u32 dim = step.model.spec.dim, q = a.heads * a.head_dim, kv = a.kv_heads * a.head_dim;

  watch_norm(step, tap, trace::Point::kAttentionNorm, layer, w.norm);
  const ActivationSet& normed = convert(
      step, {.values = s.residual, .stride = dim, .depth = dim, .norm = w.norm}, step.tokens());
  const Product in[] = {{w.query, w.query_bias, s.query, q},
                        {w.key, w.key_bias, s.key, kv},
                        {w.value, w.value_bias, s.value, kv}};
  multiply(step, normed, in);
  step.worker.barrier();
  rotate_and_store(step, layer, a);
  step.worker.barrier();
  watch_rows(step, tap, trace::Point::kQuery, layer, s.query, q);
  watch_rows(step, tap, trace::Point::kKey, layer, s.key, kv);
  watch_rows(step, tap, trace::Point::kValue, layer, s.value, kv);
  attend_all(step, layer, a);
  step.worker.barrier();
  watch_rows(step, tap, trace::Point::kAttentionOutput, layer, s.attended, q);
  const ActivationSet& attended =
      convert(step, {.values = s.attended, .stride = q, .depth = q}, step.tokens());
  const Product out[] = {{w.output, w.output_bias, s.residual, dim, true}};
  multiply(step, attended, out);
  step.worker.barrier();
  watch_rows(step, tap, trace::Point::kResidualAttention, layer, s.residual, dim);
}

template void attention_block(const Step&, u32, trace::TapOff&);
template void attention_block(const Step&, u32, trace::TapOn&);

}  // namespace orrery::forward
