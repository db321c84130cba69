// Where one value of a packed matrix lies: the definition that every fast rung must agree with.
#pragma once

#include <cstring>

#include "base/half.h"
#include "kernels/code_tables.h"
#include "kernels/layout.h"

namespace orrery::kernels::scalar {

inline constexpr u32 stored_bits(Layout layout) {
  switch (layout) {
    case Layout::kE4:
    case Layout::kE4M:
    case Layout::kE4N:
    case Layout::kE4X:
    case Layout::kS4M:
    case Layout::kS4N:
    case Layout::kS2M:
      return 4;
    case Layout::kS6:
      return 6;
    default:
      return 8;
  }
}

inline constexpr i32 stored_offset(Layout layout) {
  switch (layout) {
    case Layout::kE4:
      return 8;
    case Layout::kS6:
      return 32;
    case Layout::kE4N:
    case Layout::kE4X:
    case Layout::kE8:
    case Layout::kS4N:
    case Layout::kS8:
      return 128;
    default:
      return 0;
  }
}

inline constexpr bool has_min(Layout layout) {
  return layout == Layout::kE4M || layout == Layout::kE8M || layout == Layout::kS4M ||
         layout == Layout::kS8M || layout == Layout::kS2M;
}

// The unsigned value of `row` at k (0 .. 31) in 32 values' worth of data. Four neighbouring k are a
// dword of the row; group g of four lies in vector g, or in nibble and bit fields of fewer vectors.
template <u32 kBits>
u32 quant(const u8* grain, u32 row, u32 k) {
  const u32 group = k / 4, at = 4 * row + k % 4;
  if constexpr (kBits == 8) return grain[64 * group + at];
  const u32 low = grain[64 * (group % 4) + at] >> (group / 4 * 4) & 15;
  if constexpr (kBits == 4) return low;
  return low | (grain[256 + 64 * (group / 4) + at] >> (group % 4 * 2) & 3) << 4;
}

// The same of a layout; where its bits count a table's values, that value.
template <Layout kLayout>
u32 stored(const u8* grain, u32 row, u32 k) {
  const u32 q = quant<stored_bits(kLayout)>(grain, row, k);
  if constexpr (kLayout == Layout::kE4N || kLayout == Layout::kS4N) return kIq4Codes.value[q];
  if constexpr (kLayout == Layout::kE4X) return kE2m1Codes.value[q];
  return q;
}

inline f32 load_f16(const u8* from, u32 index) {
  u16 bits;
  std::memcpy(&bits, from + 2 * index, 2);
  return f32_from_f16(bits);
}

// The scale of 32 values (E layouts).
template <Layout kLayout>
f32 grain_scale(const u8* scales, u32 row) {
  if constexpr (kLayout != Layout::kE4X) return load_f16(scales, row);
  u16 bits;
  std::memcpy(&bits, scales + 2 * row, 2);
  return f32_from_bf16(bits);
}

// The integer scale and min of sub-block j of 16 values (S layouts).
struct SubScale {
  i32 scale, min;
};
template <Layout kLayout>
SubScale sub_scale(const u8* header, u32 row, u32 j) {
  if constexpr (kLayout == Layout::kS6 || kLayout == Layout::kS8 || kLayout == Layout::kS4N)
    return {i8(header[16 * j + row]), 0};
  if constexpr (kLayout == Layout::kS2M)
    return {header[16 * j + row] & 15, header[16 * j + row] >> 4};
  const u32 scale_at = 16 * (j / 2) + row, min_at = min_position(j / 2, row);
  const u32 scale_high = header[kHighOffset + scale_at % 64] >> (scale_at / 64 * 4) & 3;
  const u32 min_high = header[kHighOffset + min_at % 64] >> (min_at / 64 * 4 + 2) & 3;
  return {i32((header[scale_at] & 15) | scale_high << 4), i32(header[min_at] >> 4 | min_high << 4)};
}

template <Layout kLayout>
f32 block_scale(const u8* header, u32 row) {
  constexpr bool of_32 = kLayout == Layout::kS4M || kLayout == Layout::kS8M;
  return load_f16(header + (of_32 ? kScaleOffset32 : kScaleOffset16), row);
}
template <Layout kLayout>
f32 block_min(const u8* header, u32 row) {
  constexpr bool of_32 = kLayout == Layout::kS4M || kLayout == Layout::kS8M;
  return load_f16(header + (of_32 ? kMinOffset32 : kMinOffset16), row);
}

}  // namespace orrery::kernels::scalar
