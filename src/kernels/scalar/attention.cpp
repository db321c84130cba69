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
  const void* page = chunk.k_pages[tile / chunk.page_tiles];
  const u64 first = u64(tile % chunk.page_tiles) * chunk.head_dim * kKeyTile + key % kKeyTile;
  f32 dot = 0;
  for (u32 d = 0; d < chunk.head_dim; ++d)
    dot = fma(chunk.q[query][d], load(chunk.format, page, first + u64(d) * kKeyTile), dot);
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
      const void* page = chunk.v_pages[key / page_keys];
      value = fma(weights[key],
                  load(chunk.format, page, u64(key % page_keys) * chunk.value_dim + d), value);
    }
    chunk.value[query][d] = fma(chunk.value[query][d], keep, value * take);
  }
}

void attend(const AttentionChunk& chunk) {
  for (u32 query = 0; query < chunk.queries; ++query) attend_query(chunk, query);
}

void store_kv(KvFormat format, const f32* k, const f32* v, u32 head_dim, u32 value_dim,
              void* k_tile, void* v_row, u32 lane) {
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
