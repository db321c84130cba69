// How keys and values lie in the cache, format by format, and the parts of the 8- and 4-bit formats
// that all rungs share.
//
// Keys, a tile of 16 positions: floats [head_dim][16]. kQ8: for each 32 of head_dim first the
// scales f16 [16], then int8 [32][16]. kQ4: scales f16 [16], then bytes [32 / 2][16], the even d in
// the low nibble, the odd one in the high nibble.
// Values, a row a position: floats [value_dim]. kQ8: int8 [value_dim], then scales f16 for each 32.
// kQ4: for each 16 elements 8 bytes, elements 0 .. 7 in the low nibbles, 8 .. 15 in the high ones;
// then scales f16 for each 32.
// A scale belongs to 32 neighbours of one position (the last group may be 16); value = scale * q,
// with nibbles standing for q + 8. Keys and queries, and values, are rotated by a Hadamard matrix
// before they are rounded: that spreads an outlier over its head (Ashkboos et al. 2024, "QuaRot";
// q . k is the same for rotated q and k).
#pragma once

#include <string_view>

#include "base/types.h"

namespace orrery::kernels {

enum class KvFormat : u8 { kF16, kBf16, kF32, kQ8, kQ4 };
inline constexpr KvFormat kKvFormats[] = {KvFormat::kF16, KvFormat::kBf16, KvFormat::kF32,
                                          KvFormat::kQ8, KvFormat::kQ4};
[[nodiscard]] std::string_view name(KvFormat format);  // "f16", "bf16", "f32", "q8", "q4"

// Positions of a tile, and values of a position that share a scale.
inline constexpr u32 kKeyTile = 16;
inline constexpr u32 kKvGroup = 32;

[[nodiscard]] constexpr bool is_rounded(KvFormat format) {
  return format == KvFormat::kQ8 || format == KvFormat::kQ4;
}
// What head_dim must be a multiple of.
[[nodiscard]] constexpr u32 kv_dim_grain(KvFormat format) { return is_rounded(format) ? 16 : 8; }
// Bits of one value; without the scales.
[[nodiscard]] constexpr u32 kv_value_bits(KvFormat format) {
  switch (format) {
    case KvFormat::kF32:
      return 32;
    case KvFormat::kQ8:
      return 8;
    case KvFormat::kQ4:
      return 4;
    default:
      return 16;
  }
}
// Bytes of one position's `dim` values, with their scales.
[[nodiscard]] constexpr u64 kv_row_bytes(KvFormat format, u32 dim) {
  const u64 scales = is_rounded(format) ? 2 * u64(divide_up(dim, kKvGroup)) : 0;
  return u64(dim) * kv_value_bits(format) / 8 + scales;
}
[[nodiscard]] constexpr u64 key_tile_bytes(KvFormat format, u32 head_dim) {
  return kKeyTile * kv_row_bytes(format, head_dim);
}

// Writes a key into lane `lane` of a tile and a value as a row; kQ8 and kQ4 only. The scale is f16
// of the largest magnitude / 127 (/ 7), a value the nearest multiple of it.
void store_rounded_kv(KvFormat format, const f32* k, const f32* v, u32 head_dim, u32 value_dim,
                      void* k_tile, void* v_row, u32 lane);

// x [n] times the orthonormal Hadamard matrix of the largest power of two that divides n, at most
// 256, block by block. Its own inverse.
void hadamard(f32* x, u32 n);

}  // namespace orrery::kernels
