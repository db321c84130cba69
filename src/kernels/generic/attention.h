// Attention over one chunk of keys, a group of queries at a time (scalar/attention.cpp has the
// meaning).
//
// A group is as many queries as a register tile holds. Scores: 16 keys are the lanes, a chain over
// d for each query; a group of few queries takes several tiles of keys at once, so that there are
// always enough independent chains to hide the latency of fma. Values: 16 d are the lanes, a chain
// over the keys. The queries of a group see almost the same keys; those that not all of them see
// are added one query at a time, before or after the common ones, so that no query ever multiplies
// a key that it does not see.
#pragma once

#include "kernels/generic/elementwise.h"

namespace orrery::kernels {
namespace {

constexpr u32 kScoreStride =
    kKeyChunk + 16;  // floats; not a power of two, so rows do not share a set

template <KvFormat kFormat>
struct Kv {
  static constexpr u32 kBytes = kFormat == KvFormat::kF32 ? 4 : 2;
  ORRERY_INLINE static F32x16 load16(const u8* from) {
    if constexpr (kFormat == KvFormat::kF32) return load(reinterpret_cast<const f32*>(from));
    if constexpr (kFormat == KvFormat::kF16) return load_f16(from);
    if constexpr (kFormat == KvFormat::kBf16) return load_bf16(from);
  }
  ORRERY_INLINE static F32x16 load8(const u8* from) {  // the upper lanes are zero
    if constexpr (kFormat == KvFormat::kF32) return load_8(reinterpret_cast<const f32*>(from));
    if constexpr (kFormat == KvFormat::kF16) return load_8_f16(from);
    if constexpr (kFormat == KvFormat::kBf16) return load_8_bf16(from);
  }
};

// Queries answered together, all with a visible key, and what each needs between the phases.
struct QueryGroup {
  u32 count = 0;
  u32 query[kQueryTile];
  u32 begin[kQueryTile], end[kQueryTile];
  f32 keep[kQueryTile], take[kQueryTile];
  u32 first_key = kKeyChunk, last_key = 0;       // union
  u32 common_begin = 0, common_end = kKeyChunk;  // intersection

  ORRERY_INLINE void add(u32 index, u32 key_begin, u32 key_end) {
    query[count] = index;
    begin[count] = key_begin;
    end[count] = key_end;
    ++count;
    if (key_begin < first_key) first_key = key_begin;
    if (key_end > last_key) last_key = key_end;
    if (key_begin > common_begin) common_begin = key_begin;
    if (key_end < common_end) common_end = key_end;
  }
};

template <class Format, u32 kQueries, u32 kTiles>
ORRERY_INLINE void score_tiles(const AttentionChunk& chunk, const f32* const (&q)[kQueries],
                               u32 tile, f32* scores) {
  const u8* k[kTiles];
  ORRERY_UNROLL
  for (u32 t = 0; t < kTiles; ++t) {
    const u32 page = (tile + t) / chunk.page_tiles, within = (tile + t) % chunk.page_tiles;
    k[t] = static_cast<const u8*>(chunk.k_pages[page]) +
           u64(within) * chunk.head_dim * kKeyTile * Format::kBytes;
  }
  F32x16 sums[kQueries][kTiles];
  ORRERY_UNROLL
  for (u32 n = 0; n < kQueries; ++n) {
    ORRERY_UNROLL
    for (u32 t = 0; t < kTiles; ++t) sums[n][t] = splat(0);
  }
  for (u64 d = 0; d < chunk.head_dim; ++d) {
    ORRERY_UNROLL
    for (u32 t = 0; t < kTiles; ++t) {
      const F32x16 keys = Format::load16(k[t] + d * kKeyTile * Format::kBytes);
      ORRERY_UNROLL
      for (u32 n = 0; n < kQueries; ++n) sums[n][t] = fma(splat(q[n][d]), keys, sums[n][t]);
    }
  }
  ORRERY_UNROLL
  for (u32 n = 0; n < kQueries; ++n) {
    ORRERY_UNROLL
    for (u32 t = 0; t < kTiles; ++t)
      store(scores + n * kScoreStride + (tile + t) * kKeyTile, sums[n][t] * splat(chunk.scale));
  }
}

template <class Format, u32 kQueries>
__attribute__((noinline)) void score_group(const AttentionChunk& chunk, const QueryGroup& group,
                                           f32* scores) {
  constexpr u32 kTiles = kAttentionTile / kQueries > 0 ? kAttentionTile / kQueries : 1;
  const f32* q[kQueries];
  ORRERY_UNROLL
  for (u32 n = 0; n < kQueries; ++n) q[n] = chunk.q[group.query[n]];
  u32 tile = group.first_key / kKeyTile;
  const u32 end = (group.last_key + kKeyTile - 1) / kKeyTile;
  for (; tile + kTiles <= end; tile += kTiles)
    score_tiles<Format, kQueries, kTiles>(chunk, q, tile, scores);
  for (; tile < end; ++tile) score_tiles<Format, kQueries, 1>(chunk, q, tile, scores);
}

// The lanes of a tile of scores that the query sees; `other` elsewhere.
ORRERY_INLINE F32x16 visible(u32 tile_key, u32 begin, u32 end, F32x16 x, F32x16 other) {
  if (tile_key >= begin && tile_key + kKeyTile <= end) return x;
  const u32 first = begin > tile_key ? begin - tile_key : 0;
  const u32 last = end - tile_key < kKeyTile ? end - tile_key : kKeyTile;
  return select_lanes(first, last, x, other);
}

// Turns the scores of member n into weights and joins maximum and sum with what stands in the
// chunk.
void softmax(const AttentionChunk& chunk, QueryGroup& group, u32 n, f32* scores) {
  const u32 begin = group.begin[n], end = group.end[n], first = begin / kKeyTile * kKeyTile;
  F32x16 largest = splat(-__builtin_inff());
  for (u32 key = first; key < end; key += kKeyTile)
    largest = max(visible(key, begin, end, load(scores + key), largest), largest);
  const f32 maximum = reduce_max(largest);
  F32x16 lanes = splat(0);
  for (u32 key = first; key < end; key += kKeyTile) {
    const F32x16 weights = exp(load(scores + key) - splat(maximum));
    store(scores + key, weights);
    lanes = lanes + visible(key, begin, end, weights, splat(0));
  }
  const u32 query = group.query[n];
  const f32 old_max = chunk.max[query], new_max = maximum > old_max ? maximum : old_max;
  alignas(64) f32 factors[kLanes];
  const F32x16 exponents = select_lanes(0, 1, splat(old_max - new_max), splat(maximum - new_max));
  store(factors, exp(exponents));
  group.keep[n] = factors[0];
  group.take[n] = factors[1];
  chunk.max[query] = new_max;
  chunk.sum[query] = __builtin_fmaf(chunk.sum[query], factors[0], reduce_add(lanes) * factors[1]);
}

// Where the keys' values lie, from element d of each on.
template <class Format>
struct ValueRows {
  const void* const* pages;
  u32 page_keys;
  u64 row_bytes, first_byte;

  // Calls step(key, row) for the keys [begin, end) in ascending order.
  template <class Step>
  ORRERY_INLINE void each(u32 begin, u32 end, const Step& step) const {
    while (begin < end) {
      const u32 page = begin / page_keys, within = begin % page_keys;
      const u32 stop = page_keys - within < end - begin ? begin + page_keys - within : end;
      const u8* row = static_cast<const u8*>(pages[page]) + within * row_bytes + first_byte;
      for (; begin < stop; ++begin, row += row_bytes) step(begin, row);
    }
  }
};

// values[d .. d + 16 * kSpan) of all queries of the group; kHalf: 8 values only.
template <class Format, u32 kQueries, u32 kSpan, bool kHalf>
ORRERY_INLINE void add_values(const AttentionChunk& chunk, const QueryGroup& group, u32 d,
                              const f32* weights) {
  const ValueRows<Format> rows{chunk.v_pages, chunk.page_tiles * kKeyTile,
                               u64(chunk.value_dim) * Format::kBytes, u64(d) * Format::kBytes};
  const auto load_value = [](const u8* row, u32 s) ORRERY_INLINE_LAMBDA {
    return kHalf ? Format::load8(row) : Format::load16(row + 16 * s * Format::kBytes);
  };
  F32x16 sums[kQueries][kSpan];
  const bool common = group.common_begin < group.common_end;
  ORRERY_UNROLL
  for (u32 n = 0; n < kQueries; ++n) {
    ORRERY_UNROLL
    for (u32 s = 0; s < kSpan; ++s) sums[n][s] = splat(0);
    const u32 stop = common ? group.common_begin : group.end[n];
    rows.each(group.begin[n], stop, [&](u32 key, const u8* row) ORRERY_INLINE_LAMBDA {
      const F32x16 weight = splat(weights[n * kScoreStride + key]);
      ORRERY_UNROLL
      for (u32 s = 0; s < kSpan; ++s) sums[n][s] = fma(weight, load_value(row, s), sums[n][s]);
    });
  }
  if (common)
    rows.each(group.common_begin, group.common_end,
              [&](u32 key, const u8* row) ORRERY_INLINE_LAMBDA {
                F32x16 values[kSpan];
                ORRERY_UNROLL
                for (u32 s = 0; s < kSpan; ++s) values[s] = load_value(row, s);
                ORRERY_UNROLL
                for (u32 n = 0; n < kQueries; ++n) {
                  const F32x16 weight = splat(weights[n * kScoreStride + key]);
                  ORRERY_UNROLL
                  for (u32 s = 0; s < kSpan; ++s) sums[n][s] = fma(weight, values[s], sums[n][s]);
                }
              });
  ORRERY_UNROLL
  for (u32 n = 0; n < kQueries; ++n) {
    const u32 start = common ? group.common_end : group.end[n];
    rows.each(start, group.end[n], [&](u32 key, const u8* row) ORRERY_INLINE_LAMBDA {
      const F32x16 weight = splat(weights[n * kScoreStride + key]);
      ORRERY_UNROLL
      for (u32 s = 0; s < kSpan; ++s) sums[n][s] = fma(weight, load_value(row, s), sums[n][s]);
    });
    ORRERY_UNROLL
    for (u32 s = 0; s < kSpan; ++s) {
      f32* to = chunk.value[group.query[n]] + d + 16 * s;
      const F32x16 taken = sums[n][s] * splat(group.take[n]);
      if constexpr (kHalf)
        store_first(to, fma(load_first(to, 8), splat(group.keep[n]), taken), 8);
      else
        store(to, fma(load(to), splat(group.keep[n]), taken));
    }
  }
}

template <class Format, u32 kQueries>
__attribute__((noinline)) void value_group(const AttentionChunk& chunk, const QueryGroup& group,
                                           const f32* weights) {
  constexpr u32 kSpan = kAttentionTile / kQueries > 0 ? kAttentionTile / kQueries : 1;
  u32 d = 0;
  for (; d + 16 * kSpan <= chunk.value_dim; d += 16 * kSpan)
    add_values<Format, kQueries, kSpan, false>(chunk, group, d, weights);
  if constexpr (kSpan > 1)
    for (; d + 16 <= chunk.value_dim; d += 16)
      add_values<Format, kQueries, 1, false>(chunk, group, d, weights);
  if (d < chunk.value_dim) add_values<Format, kQueries, 1, true>(chunk, group, d, weights);
}

template <class Format>
struct GroupCall {
  const AttentionChunk& chunk;
  QueryGroup& group;
  template <u32 kQueries>
  ORRERY_INLINE void run() const {
    score_group<Format, kQueries>(chunk, group, chunk.scratch);
    for (u32 n = 0; n < kQueries; ++n) softmax(chunk, group, n, chunk.scratch + n * kScoreStride);
    value_group<Format, kQueries>(chunk, group, chunk.scratch);
  }
};

template <class Format>
void attend_in(const AttentionChunk& chunk) {
  u32 query = 0;
  while (query < chunk.queries) {
    QueryGroup group;
    for (; query < chunk.queries && group.count < kQueryTile; ++query)
      if (chunk.key_begin[query] < chunk.key_end[query])
        group.add(query, chunk.key_begin[query], chunk.key_end[query]);
    if (group.count) with_constant<kQueryTile>(group.count, GroupCall<Format>{chunk, group});
  }
}

void attend(const AttentionChunk& chunk) {
  switch (chunk.format) {
    case KvFormat::kF32:
      return attend_in<Kv<KvFormat::kF32>>(chunk);
    case KvFormat::kF16:
      return attend_in<Kv<KvFormat::kF16>>(chunk);
    case KvFormat::kBf16:
      return attend_in<Kv<KvFormat::kBf16>>(chunk);
  }
}

// 16 values in the cache's format; those past `count` are not valid.
ORRERY_INLINE void convert(KvFormat format, const f32* from, u32 count, void* to) {
  const F32x16 v = load_some(from, count);
  if (format == KvFormat::kF32) return store(static_cast<f32*>(to), v);
  if (format == KvFormat::kF16) return store_f16(to, v);
  store_bf16(to, v);
}

void store_kv(KvFormat format, const f32* k, const f32* v, u32 head_dim, u32 value_dim,
              void* k_tile, void* v_row, u32 lane) {
  alignas(64) u8 piece[64];
  const u32 bytes = format == KvFormat::kF32 ? 4 : 2;
  u8* keys = static_cast<u8*>(k_tile) + lane * bytes;
  in_lanes(head_dim, [&](u32 d, u32 count) ORRERY_INLINE_LAMBDA {
    convert(format, k + d, count, piece);
    for (u32 i = 0; i < count; ++i)
      if (bytes == 4)
        __builtin_memcpy(keys + u64(d + i) * kKeyTile * 4, piece + 4 * i, 4);
      else
        __builtin_memcpy(keys + u64(d + i) * kKeyTile * 2, piece + 2 * i, 2);
  });
  in_lanes(value_dim, [&](u32 d, u32 count) ORRERY_INLINE_LAMBDA {
    convert(format, v + d, count, piece);
    __builtin_memcpy(static_cast<u8*>(v_row) + d * bytes, piece, count * bytes);
  });
}

}  // namespace
}  // namespace orrery::kernels
