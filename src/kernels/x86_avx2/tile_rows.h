// Sixteen rows of 16-bit elements to a tile [n][16]: a transposition of 16 x 16 at a time, by
// interleaving rows of 1, 2 and 4 elements and exchanging halves. Higher rungs keep it: it is a
// tenth of the time that the attention over the tile takes.
#pragma once

#include <immintrin.h>

#include "kernels/generic/inline.h"

namespace orrery::kernels {
namespace {

// Two rows to the lower and the upper halves of their interleaving, within lanes of 128 bits.
ORRERY_INLINE void interleave_16(__m256i& a, __m256i& b) {
  const __m256i low = _mm256_unpacklo_epi16(a, b);
  b = _mm256_unpackhi_epi16(a, b);
  a = low;
}
ORRERY_INLINE void interleave_32(__m256i& a, __m256i& b) {
  const __m256i low = _mm256_unpacklo_epi32(a, b);
  b = _mm256_unpackhi_epi32(a, b);
  a = low;
}
ORRERY_INLINE void interleave_64(__m256i& a, __m256i& b) {
  const __m256i low = _mm256_unpacklo_epi64(a, b);
  b = _mm256_unpackhi_epi64(a, b);
  a = low;
}

// Eight rows x 16 elements; afterwards r[j] holds element j of the eight rows in its lower half and
// element j + 8 in its upper half, for j in the order of kOrder.
ORRERY_INLINE void transpose_8(__m256i (&r)[8]) {
  ORRERY_UNROLL
  for (u32 i = 0; i < 8; i += 2) interleave_16(r[i], r[i + 1]);
  // r[2i]: elements 0 .. 3 of rows 2i, 2i + 1; r[2i + 1]: elements 4 .. 7
  ORRERY_UNROLL
  for (u32 i = 0; i < 8; i += 4) {
    interleave_32(r[i], r[i + 2]);
    interleave_32(r[i + 1], r[i + 3]);
  }
  // r[i]: elements 0, 1 of four rows; r[i + 2]: 2, 3; r[i + 1]: 4, 5; r[i + 3]: 6, 7
  ORRERY_UNROLL
  for (u32 i = 0; i < 4; ++i) interleave_64(r[i], r[i + 4]);
}
constexpr u32 kOrder[8] = {0, 4, 2, 6, 1, 5, 3, 7};  // element of r[i]

void tile_rows(const void* const* rows, u32 n, u32 element_bytes, void* tile) {
  const auto* const* from = reinterpret_cast<const u8* const*>(rows);
  u8* to = static_cast<u8*>(tile);
  u32 d = 0;
  if (element_bytes == 2)
    for (; d + 16 <= n; d += 16) {
      __m256i first[8], second[8];
      ORRERY_UNROLL
      for (u32 i = 0; i < 8; ++i) {
        first[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from[i] + 2 * d));
        second[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from[i + 8] + 2 * d));
      }
      transpose_8(first);
      transpose_8(second);
      ORRERY_UNROLL
      for (u32 i = 0; i < 8; ++i) {
        __m256i* at = reinterpret_cast<__m256i*>(to + (d + kOrder[i]) * 32);
        _mm256_storeu_si256(at, _mm256_permute2x128_si256(first[i], second[i], 0x20));
        _mm256_storeu_si256(at + 8, _mm256_permute2x128_si256(first[i], second[i], 0x31));
      }
    }
  for (; d < n; ++d)
    for (u32 row = 0; row < 16; ++row)
      if (element_bytes == 2)
        __builtin_memcpy(to + (d * 16 + row) * 2, from[row] + 2 * d, 2);
      else
        __builtin_memcpy(to + (d * 16 + row) * 4, from[row] + 4 * d, 4);
}

}  // namespace
}  // namespace orrery::kernels
