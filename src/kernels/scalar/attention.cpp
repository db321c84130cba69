// Attention over one chunk of 512 keys, query by query, key by key: the meaning of `attend`.
//
// A chunk is softmaxed on its own and then joined to what stands in (max, sum, value), as
// FlashAttention does with its blocks (Dao et al. 2022, algorithm 1). Chunks lie at fixed absolute
// positions, so the result is the same however the queries or the work are split. Of one query:
//   s[key] = (fma chain over d, ascending, from +0, of q[d] * k[d][key]) * scale
//   m = max of s;  p[key] = exp(s[key] - m);  l = sum of p in 16 lanes (key mod 16), then
//   reduce16() v[d] = fma chain over the keys, ascending, from +0, of p[key] * v[key][d] new =
//   max(old, m), keep = exp(old - new), take = exp(m - new) sum = fma(sum, keep, l * take);
//   value[d] = fma(value[d], keep, v[d] * take)
// A key that is not visible is not read as a value, and a query with no visible key is left as it
// is.
#include <cstring>

#include "base/half.h"
#include "kernels/scalar/arithmetic.h"
#include "kernels/scalar/scalar.h"

namespace orrery::kernels::scalar {
namespace {

u32 nibble(u8 byte, bool high) { return high ? byte >> 4 : byte & 15; }

f32 group_scale(const u8* scales, u32 index) {
  u16 bits;
  std::memcpy(&bits, scales + 2 * index, 2);
  return f32_from_f16(bits);
}

// Element d of key `lane` of a tile in a format of 8 or 4 bits.
f32 rounded_key(KvFormat format, const u8* tile, u32 d, u32 lane) {
  tile += d / kKvGroup * key_tile_bytes(format, kKvGroup);
  const f32 scale = group_scale(tile, lane);
  const u8* data = tile + 2 * kKeyTile;
  const u32 within = d % kKvGroup;
  if (format == KvFormat::kQ8) return f32(i8(data[within * kKeyTile + lane])) * scale;
  return f32(i32(nibble(data[within / 2 * kKeyTile + lane], within % 2)) - 8) * scale;
}

// Element d of a row of `dim` values.
f32 rounded_value(KvFormat format, const u8* row, u32 dim, u32 d) {
  const f32 scale = group_scale(row + dim * kv_value_bits(format) / 8, d / kKvGroup);
  if (format == KvFormat::kQ8) return f32(i8(row[d])) * scale;
  return f32(i32(nibble(row[d / 16 * 8 + d % 8], d % 16 >= 8)) - 8) * scale;
}

f32 load(KvFormat format, const void* from, u64 index) {
  if (format == KvFormat::kF32) {
    f32 value;
    std::memcpy(&value, static_cast<const u8*>(from) + 4 * index, 4);
    return value;
  }
  u16 bits;
  std::memcpy(&bits, static_cast<const u8*>(from) + 2 * index, 2);
  return format == KvFormat::kF16 ? f32_from_f16(bits) : f32_from_bf16(bits);
}

void store(KvFormat format, f32 value, void* to, u64 index) {
  if (format == KvFormat::kF32) {
    std::memcpy(static_cast<u8*>(to) + 4 * index, &value, 4);
    return;
  }
  const u16 bits = format == KvFormat::kF16 ? f16_from_f32(value) : bf16_from_f32(value);
  std::memcpy(static_cast<u8*>(to) + 2 * index, &bits, 2);
}

f32 score(const AttentionChunk& chunk, u32 query, u32 key) {
  const u32 tile = key / kKeyTile;
  const u8* keys = static_cast<const u8*>(chunk.k_pages[tile / chunk.page_tiles]) +
                   tile % chunk.page_tiles * key_tile_bytes(chunk.format, chunk.head_dim);
  f32 dot = 0;
  for (u32 d = 0; d < chunk.head_dim; ++d) {
    const f32 k = is_rounded(chunk.format)
                      ? rounded_key(chunk.format, keys, d, key % kKeyTile)
                      : load(chunk.format, keys, u64(d) * kKeyTile + key % kKeyTile);
    dot = fma(chunk.q[query][d], k, dot);
  }
  return dot * chunk.scale;
}

void attend_query(const AttentionChunk& chunk, u32 query) {
  const u32 begin = chunk.key_begin[query], end = chunk.key_end[query];
  if (begin >= end) return;
  f32 weights[kKeyChunk];
  for (u32 key = begin; key < end; ++key) weights[key] = score(chunk, query, key);
  const f32 max = max_in_lanes(weights, begin, end);
  f32 lanes[16] = {};
  for (u32 key = begin; key < end; ++key) {
    weights[key] = exp(weights[key] - max);
    lanes[key % 16] = lanes[key % 16] + weights[key];
  }
  const f32 old_max = chunk.max[query], new_max = max > old_max ? max : old_max;
  const f32 keep = exp(old_max - new_max), take = exp(max - new_max);
  chunk.max[query] = new_max;
  chunk.sum[query] = fma(chunk.sum[query], keep, reduce16(lanes) * take);
  const u32 page_keys = chunk.page_tiles * kKeyTile;
  for (u32 d = 0; d < chunk.value_dim; ++d) {
    f32 value = 0;
    for (u32 key = begin; key < end; ++key) {
      const u8* row = static_cast<const u8*>(chunk.v_pages[key / page_keys]) +
                      key % page_keys * kv_row_bytes(chunk.format, chunk.value_dim);
      const f32 v = is_rounded(chunk.format) ? rounded_value(chunk.format, row, chunk.value_dim, d)
                                             : load(chunk.format, row, d);
      value = fma(weights[key], v, value);
    }
    chunk.value[query][d] = fma(chunk.value[query][d], keep, value * take);
  }
}

void attend(const AttentionChunk& chunk) {
  for (u32 query = 0; query < chunk.queries; ++query) attend_query(chunk, query);
}

void store_kv(KvFormat format, const f32* k, const f32* v, u32 head_dim, u32 value_dim,
              void* k_tile, void* v_row, u32 lane) {
  if (is_rounded(format))
    return store_rounded_kv(format, k, v, head_dim, value_dim, k_tile, v_row, lane);
  for (u32 d = 0; d < head_dim; ++d) store(format, k[d], k_tile, u64(d) * kKeyTile + lane);
  for (u32 d = 0; d < value_dim; ++d) store(format, v[d], v_row, d);
}

void tile_rows(const void* const* rows, u32 n, u32 element_bytes, void* tile) {
  for (u32 d = 0; d < n; ++d)
    for (u32 row = 0; row < kKeyTile; ++row)
      std::memcpy(static_cast<u8*>(tile) + (u64(d) * kKeyTile + row) * element_bytes,
                  static_cast<const u8*>(rows[row]) + u64(d) * element_bytes, element_bytes);
}

}  // namespace

void install_attention(Kernels& kernels) {
  kernels.attend = attend;
  kernels.store_kv = store_kv;
  kernels.tile_rows = tile_rows;
}

}  // namespace orrery::kernels::scalar
