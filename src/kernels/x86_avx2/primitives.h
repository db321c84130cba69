// The primitives of the avx2 and avx_vnni rungs: 16 lanes are two ymm registers.
#pragma once

#include <immintrin.h>

#include "base/types.h"
#include "kernels/generic/inline.h"

namespace orrery::kernels {
namespace {

struct F32x16 {
  __m256 lo, hi;
};
struct I32x16 {
  __m256i lo, hi;
};
struct Bytes {  // 64 bytes: four k of 16 rows
  __m256i lo, hi;
};
using Pairs = I32x16;  // 16 dwords of two int16

// ---- floats

ORRERY_INLINE F32x16 splat(f32 value) {
  const __m256 all = _mm256_set1_ps(value);
  return {all, all};
}
ORRERY_INLINE F32x16 load(const f32* from) {
  return {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)};
}
ORRERY_INLINE void store(f32* to, F32x16 v) {
  _mm256_storeu_ps(to, v.lo);
  _mm256_storeu_ps(to + 8, v.hi);
}
ORRERY_INLINE F32x16 load_f16(const void* from) {
  const __m128i* halves = static_cast<const __m128i*>(from);
  return {_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
}
ORRERY_INLINE __m256 widen_bf16(__m128i bits) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
ORRERY_INLINE F32x16 load_bf16(const void* from) {
  const __m128i* halves = static_cast<const __m128i*>(from);
  return {widen_bf16(_mm_loadu_si128(halves)), widen_bf16(_mm_loadu_si128(halves + 1))};
}
// The even and the odd bf16 of 16 pairs.
ORRERY_INLINE F32x16 even_bf16(const void* from) {
  const __m256i* v = static_cast<const __m256i*>(from);
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_loadu_si256(v), 16)),
          _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_loadu_si256(v + 1), 16))};
}
ORRERY_INLINE F32x16 odd_bf16(const void* from) {
  const __m256i* v = static_cast<const __m256i*>(from);
  const __m256i high = _mm256_set1_epi32(i32(0xffff0000));
  return {_mm256_castsi256_ps(_mm256_and_si256(_mm256_loadu_si256(v), high)),
          _mm256_castsi256_ps(_mm256_and_si256(_mm256_loadu_si256(v + 1), high))};
}
ORRERY_INLINE F32x16 splat_f16(const void* from) {
  u16 bits;
  __builtin_memcpy(&bits, from, 2);
  const __m256 all = _mm256_cvtph_ps(_mm_set1_epi16(i16(bits)));
  return {all, all};
}
// Eight values, and zero in the upper lanes.
ORRERY_INLINE F32x16 load_8(const f32* from) {
  return {_mm256_loadu_ps(from), _mm256_setzero_ps()};
}
ORRERY_INLINE F32x16 load_8_f16(const void* from) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(from))), _mm256_setzero_ps()};
}
ORRERY_INLINE F32x16 load_8_bf16(const void* from) {
  return {widen_bf16(_mm_loadu_si128(static_cast<const __m128i*>(from))), _mm256_setzero_ps()};
}
// The first `count` lanes (1 .. 15); the others are zero, or stay as they are in memory.
ORRERY_INLINE __m256i lane_mask(u32 count, u32 first_lane) {
  const __m256i lanes = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
                                         _mm256_set1_epi32(i32(first_lane)));
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(i32(count)), lanes);
}
ORRERY_INLINE F32x16 load_first(const f32* from, u32 count) {
  return {_mm256_maskload_ps(from, lane_mask(count, 0)),
          _mm256_maskload_ps(from + 8, lane_mask(count, 8))};
}
ORRERY_INLINE void store_first(f32* to, F32x16 v, u32 count) {
  _mm256_maskstore_ps(to, lane_mask(count, 0), v.lo);
  _mm256_maskstore_ps(to + 8, lane_mask(count, 8), v.hi);
}
ORRERY_INLINE void store_f16(void* to, F32x16 v) {
  __m128i* halves = static_cast<__m128i*>(to);
  _mm_storeu_si128(halves, _mm256_cvtps_ph(v.lo, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(halves + 1, _mm256_cvtps_ph(v.hi, _MM_FROUND_TO_NEAREST_INT));
}
// bf16_from_f32() of base/half.h: nearest even, NaN stays a quiet NaN.
ORRERY_INLINE __m256i bf16_bits(__m256 v) {
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i high = _mm256_srli_epi32(bits, 16);
  const __m256i even = _mm256_and_si256(high, _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_srli_epi32(
      _mm256_add_epi32(bits, _mm256_add_epi32(even, _mm256_set1_epi32(0x7fff))), 16);
  const __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
  const __m256 nan = _mm256_cmp_ps(v, v, _CMP_UNORD_Q);
  return _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(nan));
}
ORRERY_INLINE void store_bf16(void* to, F32x16 v) {
  const __m256i words = _mm256_packus_epi32(bf16_bits(v.lo), bf16_bits(v.hi));
  _mm256_storeu_si256(static_cast<__m256i*>(to), _mm256_permute4x64_epi64(words, 0xd8));
}
ORRERY_INLINE F32x16 negate(F32x16 a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_xor_ps(a.lo, sign), _mm256_xor_ps(a.hi, sign)};
}
ORRERY_INLINE F32x16 operator+(F32x16 a, F32x16 b) {
  return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
ORRERY_INLINE F32x16 operator-(F32x16 a, F32x16 b) {
  return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
ORRERY_INLINE F32x16 operator*(F32x16 a, F32x16 b) {
  return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
ORRERY_INLINE F32x16 operator/(F32x16 a, F32x16 b) {
  return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
ORRERY_INLINE F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
// c - a * b
ORRERY_INLINE F32x16 fnma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi)};
}
// a > b ? a : b, and a < b ? a : b: a NaN in either gives b.
ORRERY_INLINE F32x16 max(F32x16 a, F32x16 b) {
  return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}
ORRERY_INLINE F32x16 min(F32x16 a, F32x16 b) {
  return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)};
}
ORRERY_INLINE F32x16 abs(F32x16 a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
}
// x, but 0 where a < b.
ORRERY_INLINE F32x16 zero_where_less(F32x16 x, F32x16 a, F32x16 b) {
  return {_mm256_andnot_ps(_mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ), x.lo),
          _mm256_andnot_ps(_mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ), x.hi)};
}
// Lanes begin <= i < end of `x`, `other` elsewhere.
ORRERY_INLINE F32x16 select_lanes(u32 begin, u32 end, F32x16 x, F32x16 other) {
  const __m256i first = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i lanes[2] = {first, _mm256_add_epi32(first, _mm256_set1_epi32(8))};
  const __m256i b = _mm256_set1_epi32(i32(begin) - 1), e = _mm256_set1_epi32(i32(end));
  const auto inside = [&](__m256i lane) {
    return _mm256_castsi256_ps(
        _mm256_and_si256(_mm256_cmpgt_epi32(lane, b), _mm256_cmpgt_epi32(e, lane)));
  };
  return {_mm256_blendv_ps(other.lo, x.lo, inside(lanes[0])),
          _mm256_blendv_ps(other.hi, x.hi, inside(lanes[1]))};
}
// 2^n from the bits of n + kRoundingShift (scalar/arithmetic.h, exp).
ORRERY_INLINE F32x16 power_of_two(F32x16 shifted) {
  const __m256i bias = _mm256_set1_epi32(127);
  const auto power = [&](__m256 x) {
    const __m256i n = _mm256_add_epi32(_mm256_castps_si256(x), bias);
    return _mm256_castsi256_ps(_mm256_slli_epi32(n, 23));
  };
  return {power(shifted.lo), power(shifted.hi)};
}
// The tree of reduce16(): halves onto halves.
ORRERY_INLINE f32 reduce_add(F32x16 v) {
  const __m256 eight = _mm256_add_ps(v.lo, v.hi);
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
ORRERY_INLINE f32 reduce_max(F32x16 v) {
  const __m256 eight = _mm256_max_ps(v.lo, v.hi);
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}

// ---- integers

ORRERY_INLINE I32x16 splat_i32(i32 value) {
  const __m256i all = _mm256_set1_epi32(value);
  return {all, all};
}
ORRERY_INLINE I32x16 load_i32(const void* from) {
  const __m256i* v = static_cast<const __m256i*>(from);
  return {_mm256_loadu_si256(v), _mm256_loadu_si256(v + 1)};
}
ORRERY_INLINE void store_i32(void* to, I32x16 v) {
  __m256i* out = static_cast<__m256i*>(to);
  _mm256_storeu_si256(out, v.lo);
  _mm256_storeu_si256(out + 1, v.hi);
}
ORRERY_INLINE I32x16 operator+(I32x16 a, I32x16 b) {
  return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)};
}
ORRERY_INLINE I32x16 operator-(I32x16 a, I32x16 b) {
  return {_mm256_sub_epi32(a.lo, b.lo), _mm256_sub_epi32(a.hi, b.hi)};
}
template <int kBy>
ORRERY_INLINE I32x16 shift_left(I32x16 a) {
  return {_mm256_slli_epi32(a.lo, kBy), _mm256_slli_epi32(a.hi, kBy)};
}
template <int kBy>
ORRERY_INLINE I32x16 shift_right(I32x16 a) {
  return {_mm256_srai_epi32(a.lo, kBy), _mm256_srai_epi32(a.hi, kBy)};
}
ORRERY_INLINE I32x16 and_each(I32x16 a, i32 mask) {
  const __m256i all = _mm256_set1_epi32(mask);
  return {_mm256_and_si256(a.lo, all), _mm256_and_si256(a.hi, all)};
}
// 16 bytes as lanes; and 8 bytes: the low nibbles, then the high ones.
ORRERY_INLINE I32x16 widen_u8(const void* from) {
  const __m128i bytes = _mm_loadu_si128(static_cast<const __m128i*>(from));
  return {_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8))};
}
ORRERY_INLINE I32x16 widen_nibbles(const void* from) {
  const __m256i both = _mm256_cvtepu8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(from)));
  return {_mm256_and_si256(both, _mm256_set1_epi32(15)), _mm256_srli_epi32(both, 4)};
}
ORRERY_INLINE F32x16 to_f32(I32x16 a) {
  return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)};
}
ORRERY_INLINE I32x16 to_nearest(F32x16 a) {
  return {_mm256_cvtps_epi32(a.lo), _mm256_cvtps_epi32(a.hi)};
}
// 16 values of -128 .. 127 as bytes.
ORRERY_INLINE void store_i8(i8* to, I32x16 v) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(v.lo, v.hi), 0xd8);
  const __m128i bytes =
      _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
}
// The sums of the lanes with i mod 4 below 2, and of the others.
struct Halves {
  i32 lower, upper;
};
ORRERY_INLINE Halves reduce_halves(I32x16 v) {
  const __m256i eight = _mm256_add_epi32(v.lo, v.hi);
  __m128i x = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0xb1));
  return {_mm_cvtsi128_si32(x), _mm_extract_epi32(x, 2)};
}
ORRERY_INLINE I32x16 operator*(I32x16 a, I32x16 b) {
  return {_mm256_mullo_epi32(a.lo, b.lo), _mm256_mullo_epi32(a.hi, b.hi)};
}

// ---- pairs of int16

// The products of the two int16 of each dword, added.
ORRERY_INLINE I32x16 products(Pairs a, Pairs b) {
  return {_mm256_madd_epi16(a.lo, b.lo), _mm256_madd_epi16(a.hi, b.hi)};
}
ORRERY_INLINE Pairs splat_i16(i16 value) {
  const __m256i all = _mm256_set1_epi16(value);
  return {all, all};
}
ORRERY_INLINE Pairs add_pairs(Pairs a, Pairs b) {
  return {_mm256_add_epi16(a.lo, b.lo), _mm256_add_epi16(a.hi, b.hi)};
}

// ---- bytes

ORRERY_INLINE Bytes load_bytes(const void* from) {
  const __m256i* v = static_cast<const __m256i*>(from);
  return {_mm256_loadu_si256(v), _mm256_loadu_si256(v + 1)};
}
ORRERY_INLINE void store_bytes(void* to, Bytes v) {
  __m256i* out = static_cast<__m256i*>(to);
  _mm256_storeu_si256(out, v.lo);
  _mm256_storeu_si256(out + 1, v.hi);
}
ORRERY_INLINE Bytes operator|(Bytes a, Bytes b) {
  return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)};
}
ORRERY_INLINE Bytes and_each(Bytes a, u8 mask) {
  const __m256i all = _mm256_set1_epi8(i8(mask));
  return {_mm256_and_si256(a.lo, all), _mm256_and_si256(a.hi, all)};
}
// Shifts words; the caller masks what came over from the neighbouring byte.
template <int kBy>
ORRERY_INLINE Bytes shift_words_right(Bytes a) {
  return {_mm256_srli_epi16(a.lo, kBy), _mm256_srli_epi16(a.hi, kBy)};
}
template <int kBy>
ORRERY_INLINE Bytes shift_words_left(Bytes a) {
  return {_mm256_slli_epi16(a.lo, kBy), _mm256_slli_epi16(a.hi, kBy)};
}
// Of each byte below 16 that many'th of the table's.
ORRERY_INLINE Bytes look_up(const u8* table, Bytes at) {
  const __m256i twice =
      _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
  return {_mm256_shuffle_epi8(twice, at.lo), _mm256_shuffle_epi8(twice, at.hi)};
}
// Unsigned times signed bytes, neighbours added, saturated to int16.
ORRERY_INLINE Pairs byte_products(Bytes a, Bytes b) {
  return {_mm256_maddubs_epi16(a.lo, b.lo), _mm256_maddubs_epi16(a.hi, b.hi)};
}
ORRERY_INLINE Bytes splat4(const void* four_bytes) {
  i32 bits;
  __builtin_memcpy(&bits, four_bytes, 4);
  const __m256i all = _mm256_set1_epi32(bits);
  return {all, all};
}
ORRERY_INLINE Pairs splat_pair(const i16* two) {
  i32 bits;
  __builtin_memcpy(&bits, two, 4);
  return splat_i32(bits);
}
template <int kBy>
ORRERY_INLINE Pairs shift_pairs_left(Pairs a) {
  return {_mm256_slli_epi16(a.lo, kBy), _mm256_slli_epi16(a.hi, kBy)};
}
// 32 bytes (two of each row) as pairs.
ORRERY_INLINE Pairs widen_pairs(const u8* from) {
  const __m128i* v = reinterpret_cast<const __m128i*>(from);
  return {_mm256_cvtepu8_epi16(_mm_loadu_si128(v)), _mm256_cvtepu8_epi16(_mm_loadu_si128(v + 1))};
}
// 16 signed bytes (one of each row).
ORRERY_INLINE I32x16 widen_i8(const void* from) {
  const __m128i rows = _mm_loadu_si128(static_cast<const __m128i*>(from));
  return {_mm256_cvtepi8_epi32(rows), _mm256_cvtepi8_epi32(_mm_srli_si128(rows, 8))};
}
// 16 signed bytes (one of each row), each as both halves of a pair.
ORRERY_INLINE Pairs twin_pairs(const void* from) {
  const __m256i rows =
      _mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(from)));
  const __m256i low = _mm256_setr_epi8(-1, 0, -1, 0, -1, 1, -1, 1, -1, 2, -1, 2, -1, 3, -1, 3,  //
                                       -1, 4, -1, 4, -1, 5, -1, 5, -1, 6, -1, 6, -1, 7, -1, 7);
  const __m256i high =
      _mm256_setr_epi8(-1, 8, -1, 8, -1, 9, -1, 9, -1, 10, -1, 10, -1, 11, -1, 11,  //
                       -1, 12, -1, 12, -1, 13, -1, 13, -1, 14, -1, 14, -1, 15, -1, 15);
  return {_mm256_srai_epi16(_mm256_shuffle_epi8(rows, low), 8),
          _mm256_srai_epi16(_mm256_shuffle_epi8(rows, high), 8)};
}

}  // namespace
}  // namespace orrery::kernels
