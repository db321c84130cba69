// Attention over one chunk of keys, a group of queries at a time (scalar/attention.cpp has the
// meaning).
//
// A group is as many queries as a register tile holds. Scores: 16 keys are the lanes, a chain over
// d for each query; a group of few queries takes several tiles of keys at once, so that there are
// always enough independent chains to hide the latency of fma. Values: 16 d are the lanes, a chain
// over the keys. The queries of a group see almost the same keys; those that not all of them see
// are added one query at a time, before or after the common ones, so that no query ever multiplies
// a key that it does not see. A few groups go through the pages side by side, so that a page comes
// from memory once for all of them.
#pragma once

#include "kernels/attention_sizes.h"
#include "kernels/generic/elementwise.h"

namespace orrery::kernels {
namespace {

static_assert(kQueryTile <= kQueryTileMax);

// What a format's keys and values are in registers. Keys come in groups of up to kKvGroup of d.
template <KvFormat kFormat>
struct Kv {
  static constexpr KvFormat kIs = kFormat;
  static constexpr u64 kStep = kKeyTile * kv_value_bits(kFormat) / 8;  // bytes of one d of a tile
  static constexpr u64 kGroupBytes = kKeyTile * kv_row_bytes(kFormat, kKvGroup);

  ORRERY_INLINE static F32x16 group_scale(const u8* group) {
    if constexpr (is_rounded(kFormat)) return load_f16(group);
    return splat(0);
  }
  // d: within the group.
  ORRERY_INLINE static F32x16 keys(const u8* group, u64 d, F32x16 scale) {
    if constexpr (kFormat == KvFormat::kQ8)
      return to_f32(widen_i8(group + 2 * kKeyTile + d * kStep)) * scale;
    if constexpr (kFormat == KvFormat::kQ4) {
      const I32x16 both = widen_u8(group + 2 * kKeyTile + d / 2 * kKeyTile);
      const I32x16 q = d % 2 ? shift_right<4>(both) : and_each(both, 15);
      return to_f32(q - splat_i32(8)) * scale;
    }
    return load16(group + d * kStep);
  }
  // Elements d .. d + 15 of a row of `dim` values.
  ORRERY_INLINE static F32x16 values(const u8* row, u32 dim, u32 d) {
    if constexpr (!is_rounded(kFormat)) return load16(row + u64(d) * kv_value_bits(kFormat) / 8);
    const F32x16 scale = splat_f16(row + dim * kv_value_bits(kFormat) / 8 + d / kKvGroup * 2);
    if constexpr (kFormat == KvFormat::kQ8) return to_f32(widen_i8(row + d)) * scale;
    return to_f32(widen_nibbles(row + d / 2) - splat_i32(8)) * scale;
  }
  // Elements d .. d + 7; the upper lanes are zero. Formats with groups have no such rest.
  ORRERY_INLINE static F32x16 half_values(const u8* row, u32 d) {
    if constexpr (kFormat == KvFormat::kF32) return load_8(reinterpret_cast<const f32*>(row) + d);
    if constexpr (kFormat == KvFormat::kF16) return load_8_f16(row + 2 * u64(d));
    if constexpr (kFormat == KvFormat::kBf16) return load_8_bf16(row + 2 * u64(d));
    return splat(0);
  }

 private:
  ORRERY_INLINE static F32x16 load16(const u8* from) {
    if constexpr (kFormat == KvFormat::kF32) return load(reinterpret_cast<const f32*>(from));
    if constexpr (kFormat == KvFormat::kF16) return load_f16(from);
    return load_bf16(from);
  }
};

// How far ahead of their use keys are asked for.
constexpr u32 kTilesAhead = 4;
constexpr u64 kValueBytes = 16 << 10;  // half of the first-level cache

ORRERY_INLINE u32 min_of(u32 a, u32 b) { return a < b ? a : b; }
ORRERY_INLINE u32 max_of(u32 a, u32 b) { return a > b ? a : b; }

// Queries answered together, all with a visible key, and what each needs between the phases.
struct QueryGroup {
  u32 count = 0;
  u32 query[kQueryTile];
  u32 begin[kQueryTile], end[kQueryTile];
  f32 keep[kQueryTile], take[kQueryTile];
  u32 first_key = kKeyChunk, last_key = 0;       // union
  u32 common_begin = 0, common_end = kKeyChunk;  // intersection
  f32* scores;                                   // [count][kScoreStride]
  f32* sums;                                     // [count][value_sum_stride] of values

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
  // Queries that have no key in common are added one by one.
  ORRERY_INLINE void finish() {
    if (common_begin >= common_end) common_begin = common_end = last_key;
  }
};

// Keys of a chunk are read once for each group of queries, from pages that lie apart: the hardware
// follows a stream only to the end of a page, so the lines of the tiles to come are asked for
// here. Behind the last keys come the first values.
struct KeyTiles {
  const AttentionChunk& chunk;
  u64 tile_bytes;
  u32 end;  // one past the last tile that the group reads

  ORRERY_INLINE const u8* at(u32 tile) const {
    return static_cast<const u8*>(chunk.k_pages[tile / chunk.page_tiles]) +
           tile % chunk.page_tiles * tile_bytes;
  }
  ORRERY_INLINE const u8* ahead(u32 tile) const {
    tile += kTilesAhead;
    return tile < end ? at(tile)
                      : static_cast<const u8*>(chunk.v_pages[0]) + (tile - end) * tile_bytes;
  }
};

template <class Format, u32 kQueries, u32 kTiles>
ORRERY_INLINE void score_tiles(const KeyTiles& keys, const f32* const (&q)[kQueries], u32 tile,
                               f32* scores) {
  const u8* k[kTiles];
  const u8* ahead[kTiles];
  ORRERY_UNROLL
  for (u32 t = 0; t < kTiles; ++t) {
    k[t] = keys.at(tile + t);
    ahead[t] = keys.ahead(tile + t);
  }
  F32x16 sums[kQueries][kTiles];
  ORRERY_UNROLL
  for (u32 n = 0; n < kQueries; ++n) {
    ORRERY_UNROLL
    for (u32 t = 0; t < kTiles; ++t) sums[n][t] = splat(0);
  }
  const auto add = [&](u64 first, u64 d, const F32x16(&scales)[kTiles]) ORRERY_INLINE_LAMBDA {
    ORRERY_UNROLL
    for (u32 t = 0; t < kTiles; ++t) {
      const F32x16 tile_keys = Format::keys(k[t], d, scales[t]);
      __builtin_prefetch(ahead[t] + (first + d) * Format::kStep);
      ORRERY_UNROLL
      for (u32 n = 0; n < kQueries; ++n)
        sums[n][t] = fma(splat(q[n][first + d]), tile_keys, sums[n][t]);
    }
  };
  const u64 dim = keys.chunk.head_dim, group = is_rounded(Format::kIs) ? kKvGroup : dim;
  for (u64 first = 0; first < dim; first += group) {
    F32x16 scales[kTiles];
    ORRERY_UNROLL
    for (u32 t = 0; t < kTiles; ++t) scales[t] = Format::group_scale(k[t]);
    const u64 count = dim - first < group ? dim - first : group;
    for (u64 d = 0; d < count; d += 2) {  // an even and an odd d share bytes of four bits
      add(first, d, scales);
      add(first, d + 1, scales);
    }
    ORRERY_UNROLL
    for (u32 t = 0; t < kTiles; ++t) k[t] += Format::kGroupBytes;
  }
  ORRERY_UNROLL
  for (u32 n = 0; n < kQueries; ++n) {
    ORRERY_UNROLL
    for (u32 t = 0; t < kTiles; ++t)
      store(scores + n * kScoreStride + (tile + t) * kKeyTile,
            sums[n][t] * splat(keys.chunk.scale));
  }
}

// Scores of the group's keys among [begin, end), which are tiles of one page.
template <class Format, u32 kQueries>
__attribute__((noinline)) void score_page(const AttentionChunk& chunk, const QueryGroup& group,
                                          u32 begin, u32 end) {
  constexpr u32 kTiles = kAttentionTile / kQueries > 0 ? kAttentionTile / kQueries : 1;
  const f32* q[kQueries];
  ORRERY_UNROLL
  for (u32 n = 0; n < kQueries; ++n) q[n] = chunk.q[group.query[n]];
  const KeyTiles keys{chunk, key_tile_bytes(Format::kIs, chunk.head_dim),
                      (group.last_key + kKeyTile - 1) / kKeyTile};
  u32 tile = max_of(begin, group.first_key / kKeyTile);
  end = min_of(end, keys.end);
  for (; tile + kTiles <= end; tile += kTiles)
    score_tiles<Format, kQueries, kTiles>(keys, q, tile, group.scores);
  for (; tile < end; ++tile) score_tiles<Format, kQueries, 1>(keys, q, tile, group.scores);
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
void softmax(const AttentionChunk& chunk, QueryGroup& group, u32 n) {
  f32* scores = group.scores + n * kScoreStride;
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

// The values of the keys [begin, end), which lie in one page.
struct ValueRows {
  const AttentionChunk& chunk;
  const u8* first;  // the row of key `begin`
  const u8* ahead;  // of a key to come, for prefetching
  u64 row_bytes;
  u32 begin, end;
};

// sums[n][value_dim] += weights x values for elements [d, d + 16 * kSpan), the keys of a page in
// ascending order; kHalf: 8 elements only; kFirst: the pass that asks for the lines to come.
template <class Format, u32 kQueries, u32 kSpan, bool kHalf, bool kFirst>
ORRERY_INLINE void add_values(const ValueRows& rows, const QueryGroup& group, u32 d) {
  const f32* weights = group.scores;
  const u32 sums_stride = value_sum_stride(rows.chunk.value_dim);
  const auto row = [&](u32 key) ORRERY_INLINE_LAMBDA {
    return rows.first + (key - rows.begin) * rows.row_bytes;
  };
  const auto load_value = [&](const u8* from, u32 s) ORRERY_INLINE_LAMBDA {
    return kHalf ? Format::half_values(from, d)
                 : Format::values(from, rows.chunk.value_dim, d + 16 * s);
  };
  F32x16 sums[kQueries][kSpan];
  const auto add_alone = [&](u32 n, u32 begin, u32 end) ORRERY_INLINE_LAMBDA {
    if (begin < rows.begin) begin = rows.begin;
    if (end > rows.end) end = rows.end;
    for (u32 key = begin; key < end; ++key) {
      const F32x16 weight = splat(weights[n * kScoreStride + key]);
      ORRERY_UNROLL
      for (u32 s = 0; s < kSpan; ++s) sums[n][s] = fma(weight, load_value(row(key), s), sums[n][s]);
    }
  };
  ORRERY_UNROLL
  for (u32 n = 0; n < kQueries; ++n) {
    ORRERY_UNROLL
    for (u32 s = 0; s < kSpan; ++s) sums[n][s] = load(group.sums + n * sums_stride + d + 16 * s);
    add_alone(n, group.begin[n], min_of(group.end[n], group.common_begin));
  }
  const u32 begin = max_of(group.common_begin, rows.begin),
            end = min_of(group.common_end, rows.end);
  const u8* value = row(begin);
  for (u32 key = begin; key < end; ++key, value += rows.row_bytes) {
    F32x16 values[kSpan];
    if constexpr (kFirst)
      for (u64 line = 0; line < rows.row_bytes; line += 64)
        __builtin_prefetch(rows.ahead + (key - rows.begin) * rows.row_bytes + line, 0, 2);
    ORRERY_UNROLL
    for (u32 s = 0; s < kSpan; ++s) values[s] = load_value(value, s);
    ORRERY_UNROLL
    for (u32 n = 0; n < kQueries; ++n) {
      const F32x16 weight = splat(weights[n * kScoreStride + key]);
      ORRERY_UNROLL
      for (u32 s = 0; s < kSpan; ++s) sums[n][s] = fma(weight, values[s], sums[n][s]);
    }
  }
  ORRERY_UNROLL
  for (u32 n = 0; n < kQueries; ++n) {
    add_alone(n, max_of(group.begin[n], group.common_end), group.end[n]);
    ORRERY_UNROLL
    for (u32 s = 0; s < kSpan; ++s) store(group.sums + n * sums_stride + d + 16 * s, sums[n][s]);
  }
}

template <class Format, u32 kQueries>
ORRERY_INLINE void add_rows(const ValueRows& rows, const QueryGroup& group) {
  constexpr u32 kSpan = kAttentionTile / kQueries >= 4 ? 4 : kAttentionTile / kQueries >= 2 ? 2 : 1;
  const u32 dim = rows.chunk.value_dim;
  u32 d = 0;
  if (16 * kSpan <= dim) {
    add_values<Format, kQueries, kSpan, false, true>(rows, group, 0);
    d = 16 * kSpan;
  }
  for (; d + 16 * kSpan <= dim; d += 16 * kSpan)
    add_values<Format, kQueries, kSpan, false, false>(rows, group, d);
  if constexpr (kSpan > 1)
    for (; d + 16 <= dim; d += 16) add_values<Format, kQueries, 1, false, false>(rows, group, d);
  if (d < dim) add_values<Format, kQueries, 1, true, false>(rows, group, d);
}

// The group's values among those of page `number`. Rows are passed over a few elements after
// others, as many rows at a time as stay in the first-level cache (those of latents are so long
// that all of a page would meet in four of its sets).
template <class Format, u32 kQueries>
__attribute__((noinline)) void value_page(const AttentionChunk& chunk, const QueryGroup& group,
                                          u32 number) {
  const u64 row_bytes = kv_row_bytes(Format::kIs, chunk.value_dim);
  const u32 page_keys = chunk.page_tiles * kKeyTile;
  const u32 end = min_of(group.last_key, (number + 1) * page_keys);
  const u32 step = max_of(8, u32(kValueBytes / row_bytes));
  const auto row = [&](u32 key) ORRERY_INLINE_LAMBDA {
    return static_cast<const u8*>(chunk.v_pages[key / page_keys]) + key % page_keys * row_bytes;
  };
  for (u32 key = max_of(group.first_key, number * page_keys); key < end; key += step) {
    const u32 next = key + step < end ? key + step : end;
    const u32 ahead = next < group.last_key ? next : key;
    add_rows<Format, kQueries>({chunk, row(key), row(ahead), row_bytes, key, next}, group);
  }
}

// Joins the chunk's sums with what stands in the running values.
void join(const AttentionChunk& chunk, const QueryGroup& group) {
  for (u32 n = 0; n < group.count; ++n) {
    const f32* sums = group.sums + n * value_sum_stride(chunk.value_dim);
    f32* to = chunk.value[group.query[n]];
    const F32x16 keep = splat(group.keep[n]), take = splat(group.take[n]);
    in_lanes(chunk.value_dim, [&](u32 d, u32 count) ORRERY_INLINE_LAMBDA {
      store_some(to + d, fma(load_some(to + d, count), keep, load(sums + d) * take), count);
    });
  }
}

template <class Format>
struct ScorePageCall {
  const AttentionChunk& chunk;
  const QueryGroup& group;
  u32 page;
  template <u32 kQueries>
  ORRERY_INLINE void run() const {
    score_page<Format, kQueries>(chunk, group, page * chunk.page_tiles,
                                 (page + 1) * chunk.page_tiles);
  }
};

template <class Format>
struct ValuePageCall {
  const AttentionChunk& chunk;
  const QueryGroup& group;
  u32 page;
  template <u32 kQueries>
  ORRERY_INLINE void run() const {
    value_page<Format, kQueries>(chunk, group, page);
  }
};

template <class Format>
void attend_groups(const AttentionChunk& chunk, QueryGroup* groups, u32 count) {
  u32 first_key = kKeyChunk, last_key = 0;
  for (u32 g = 0; g < count; ++g) {
    first_key = min_of(first_key, groups[g].first_key);
    last_key = max_of(last_key, groups[g].last_key);
    groups[g].finish();
  }
  const u32 page_keys = chunk.page_tiles * kKeyTile;
  const u32 first_page = first_key / page_keys, end = (last_key + page_keys - 1) / page_keys;
  for (u32 page = first_page; page < end; ++page)
    for (u32 g = 0; g < count; ++g)
      with_constant<kQueryTile>(groups[g].count, ScorePageCall<Format>{chunk, groups[g], page});
  for (u32 g = 0; g < count; ++g) {
    for (u32 n = 0; n < groups[g].count; ++n) softmax(chunk, groups[g], n);
    __builtin_memset(groups[g].sums, 0,
                     u64(groups[g].count) * value_sum_stride(chunk.value_dim) * sizeof(f32));
  }
  for (u32 page = first_page; page < end; ++page)
    for (u32 g = 0; g < count; ++g)
      with_constant<kQueryTile>(groups[g].count, ValuePageCall<Format>{chunk, groups[g], page});
  for (u32 g = 0; g < count; ++g) join(chunk, groups[g]);
}

// Queries in groups of about the same size, kQueryGroups of them at a time.
template <class Format>
void attend_in(const AttentionChunk& chunk) {
  u32 seeing = 0;
  for (u32 n = 0; n < chunk.queries; ++n) seeing += chunk.key_begin[n] < chunk.key_end[n];
  f32* const sums = chunk.scratch + kQueryGroups * kQueryTileMax * kScoreStride;
  u32 query = 0;
  while (seeing > 0) {
    QueryGroup groups[kQueryGroups];
    const u32 wanted = min_of(seeing, kQueryGroups * kQueryTile);
    const u32 count = (wanted + kQueryTile - 1) / kQueryTile;
    for (u32 g = 0, placed = 0; g < count; ++g) {
      groups[g].scores = chunk.scratch + placed * kScoreStride;
      groups[g].sums = sums + placed * value_sum_stride(chunk.value_dim);
      for (const u32 end = wanted * (g + 1) / count; placed < end; ++query) {
        if (chunk.key_begin[query] >= chunk.key_end[query]) continue;
        groups[g].add(query, chunk.key_begin[query], chunk.key_end[query]);
        ++placed;
      }
    }
    attend_groups<Format>(chunk, groups, count);
    seeing -= wanted;
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
    case KvFormat::kQ8:
      return attend_in<Kv<KvFormat::kQ8>>(chunk);
    case KvFormat::kQ4:
      return attend_in<Kv<KvFormat::kQ4>>(chunk);
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
  if (is_rounded(format))
    return store_rounded_kv(format, k, v, head_dim, value_dim, k_tile, v_row, lane);
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
