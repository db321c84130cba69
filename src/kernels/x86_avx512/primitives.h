// The primitives of the avx512 and avx512_vnni rungs: 16 lanes are one zmm register.
//
// Only 512-bit intrinsics (and loads of shorter pieces), so that emulated/avx512.h can stand in for
// all of them and the rungs are tested on machines without AVX-512.
#pragma once

#include <immintrin.h>

#include "base/types.h"
#include "kernels/generic/inline.h"

namespace orrery::kernels {
namespace {

struct F32x16 {
  __m512 v;
};
struct I32x16 {
  __m512i v;
};
struct Bytes {  // 64 bytes: four k of 16 rows
  __m512i v;
};
using Pairs = I32x16;  // 16 dwords of two int16

// ---- floats

ORRERY_INLINE F32x16 splat(f32 value) { return {_mm512_set1_ps(value)}; }
ORRERY_INLINE F32x16 load(const f32* from) { return {_mm512_loadu_ps(from)}; }
ORRERY_INLINE void store(f32* to, F32x16 a) { _mm512_storeu_ps(to, a.v); }
ORRERY_INLINE __mmask16 first_lanes(u32 count) { return __mmask16((1u << count) - 1); }
// The first `count` lanes (1 .. 15); the others are zero, or stay as they are in memory.
ORRERY_INLINE F32x16 load_first(const f32* from, u32 count) {
  return {_mm512_maskz_loadu_ps(first_lanes(count), from)};
}
ORRERY_INLINE void store_first(f32* to, F32x16 a, u32 count) {
  _mm512_mask_storeu_ps(to, first_lanes(count), a.v);
}
ORRERY_INLINE __m256i load_256(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}
ORRERY_INLINE F32x16 load_f16(const void* from) { return {_mm512_cvtph_ps(load_256(from))}; }
ORRERY_INLINE F32x16 widen_bf16(__m256i bits) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
}
ORRERY_INLINE F32x16 splat_f16(const void* from) {
  u16 bits;
  __builtin_memcpy(&bits, from, 2);
  return {_mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_set1_epi32(bits)))};
}
ORRERY_INLINE F32x16 load_bf16(const void* from) { return widen_bf16(load_256(from)); }
// Eight values, and zero in the upper lanes.
ORRERY_INLINE F32x16 load_8(const f32* from) { return load_first(from, 8); }
ORRERY_INLINE F32x16 load_8_f16(const void* from) {
  alignas(32) u8 halves[32] = {};
  __builtin_memcpy(halves, from, 16);
  return load_f16(halves);
}
ORRERY_INLINE F32x16 load_8_bf16(const void* from) {
  alignas(32) u8 halves[32] = {};
  __builtin_memcpy(halves, from, 16);
  return load_bf16(halves);
}
// The even and the odd bf16 of 16 pairs.
ORRERY_INLINE F32x16 even_of(__m512i pairs) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16))};
}
ORRERY_INLINE F32x16 odd_of(__m512i pairs) {
  return {_mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(i32(0xffff0000))))};
}
ORRERY_INLINE F32x16 even_bf16(const void* from) { return even_of(_mm512_loadu_si512(from)); }
ORRERY_INLINE F32x16 odd_bf16(const void* from) { return odd_of(_mm512_loadu_si512(from)); }
ORRERY_INLINE void store_f16(void* to, F32x16 a) {
  _mm256_storeu_si256(static_cast<__m256i*>(to), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
// bf16_from_f32() of base/half.h: nearest even, NaN stays a quiet NaN.
ORRERY_INLINE void store_bf16(void* to, F32x16 a) {
  const __m512i bits = _mm512_castps_si512(a.v);
  const __m512i high = _mm512_srli_epi32(bits, 16);
  const __m512i even = _mm512_and_si512(high, _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_srli_epi32(
      _mm512_add_epi32(bits, _mm512_add_epi32(even, _mm512_set1_epi32(0x7fff))), 16);
  const __m512i quiet = _mm512_or_si512(high, _mm512_set1_epi32(0x40));
  const __mmask16 nan = _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q);
  _mm256_storeu_si256(static_cast<__m256i*>(to),
                      _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(rounded, nan, quiet)));
}
ORRERY_INLINE F32x16 operator+(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
ORRERY_INLINE F32x16 operator-(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
ORRERY_INLINE F32x16 operator*(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
ORRERY_INLINE F32x16 operator/(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
ORRERY_INLINE F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
// c - a * b
ORRERY_INLINE F32x16 fnma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm512_fnmadd_ps(a.v, b.v, c.v)};
}
// a > b ? a : b, and a < b ? a : b: a NaN in either gives b.
ORRERY_INLINE F32x16 max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
ORRERY_INLINE F32x16 min(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }
ORRERY_INLINE F32x16 abs(F32x16 a) {
  const __m512i rest = _mm512_set1_epi32(0x7fffffff);
  return {_mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(a.v), rest))};
}
ORRERY_INLINE F32x16 negate(F32x16 a) {
  const __m512i sign = _mm512_set1_epi32(i32(0x80000000));
  return {_mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(a.v), sign))};
}
// x, but 0 where a < b.
ORRERY_INLINE F32x16 zero_where_less(F32x16 x, F32x16 a, F32x16 b) {
  const __mmask16 less = _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ);
  return {_mm512_mask_mov_ps(x.v, less, _mm512_set1_ps(0))};
}
// Lanes begin <= i < end of `x`, `other` elsewhere.
ORRERY_INLINE F32x16 select_lanes(u32 begin, u32 end, F32x16 x, F32x16 other) {
  const __mmask16 inside = __mmask16(((1u << end) - 1) & ~((1u << begin) - 1));
  return {_mm512_mask_mov_ps(other.v, inside, x.v)};
}
// 2^n from the bits of n + kRoundingShift (scalar/arithmetic.h, exp).
ORRERY_INLINE F32x16 power_of_two(F32x16 shifted) {
  const __m512i n = _mm512_add_epi32(_mm512_castps_si512(shifted.v), _mm512_set1_epi32(127));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(n, 23))};
}
// The tree of reduce16(): halves onto halves.
ORRERY_INLINE f32 reduce_add(F32x16 a) {
  __m512 x = _mm512_add_ps(a.v, _mm512_shuffle_f32x4(a.v, a.v, 0x4e));
  x = _mm512_add_ps(x, _mm512_shuffle_f32x4(x, x, 0xb1));
  x = _mm512_add_ps(x, _mm512_permute_ps(x, 0x4e));
  return _mm512_cvtss_f32(_mm512_add_ps(x, _mm512_permute_ps(x, 0xb1)));
}
ORRERY_INLINE f32 reduce_max(F32x16 a) {
  __m512 x = _mm512_max_ps(a.v, _mm512_shuffle_f32x4(a.v, a.v, 0x4e));
  x = _mm512_max_ps(x, _mm512_shuffle_f32x4(x, x, 0xb1));
  x = _mm512_max_ps(x, _mm512_permute_ps(x, 0x4e));
  return _mm512_cvtss_f32(_mm512_max_ps(x, _mm512_permute_ps(x, 0xb1)));
}

// ---- integers

ORRERY_INLINE I32x16 splat_i32(i32 value) { return {_mm512_set1_epi32(value)}; }
ORRERY_INLINE I32x16 operator+(I32x16 a, I32x16 b) { return {_mm512_add_epi32(a.v, b.v)}; }
ORRERY_INLINE I32x16 operator-(I32x16 a, I32x16 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
ORRERY_INLINE I32x16 operator*(I32x16 a, I32x16 b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
template <int kBy>
ORRERY_INLINE I32x16 shift_left(I32x16 a) {
  return {_mm512_slli_epi32(a.v, kBy)};
}
template <int kBy>
ORRERY_INLINE I32x16 shift_right(I32x16 a) {
  return {_mm512_srai_epi32(a.v, kBy)};
}
ORRERY_INLINE I32x16 and_each(I32x16 a, i32 mask) {
  return {_mm512_and_si512(a.v, _mm512_set1_epi32(mask))};
}
// 16 bytes as lanes; and 8 bytes: the low nibbles, then the high ones.
ORRERY_INLINE I32x16 widen_u8(const void* from) {
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(from)))};
}
ORRERY_INLINE I32x16 widen_nibbles(const void* from) {
  u64 both;
  __builtin_memcpy(&both, from, 8);
  constexpr u64 kLow = 0x0f0f0f0f0f0f0f0f;
  return {_mm512_cvtepu8_epi32(_mm_set_epi64x(i64(both >> 4 & kLow), i64(both & kLow)))};
}
ORRERY_INLINE F32x16 to_f32(I32x16 a) { return {_mm512_cvtepi32_ps(a.v)}; }
ORRERY_INLINE I32x16 to_nearest(F32x16 a) { return {_mm512_cvtps_epi32(a.v)}; }
// 16 values of -128 .. 127 as bytes.
ORRERY_INLINE void store_i8(i8* to, I32x16 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(a.v));
}
// The sums of the lanes with i mod 4 below 2, and of the others.
struct Halves {
  i32 lower, upper;
};
ORRERY_INLINE Halves reduce_halves(I32x16 a) {
  __m512i x = _mm512_add_epi32(a.v, _mm512_shuffle_i32x4(a.v, a.v, 0x4e));
  x = _mm512_add_epi32(x, _mm512_shuffle_i32x4(x, x, 0xb1));
  alignas(64) i32 lanes[16];
  _mm512_storeu_si512(lanes, x);
  return {lanes[0] + lanes[1], lanes[2] + lanes[3]};
}

// ---- pairs of int16

// The products of the two int16 of each dword, added.
ORRERY_INLINE I32x16 products(Pairs a, Pairs b) { return {_mm512_madd_epi16(a.v, b.v)}; }
ORRERY_INLINE Pairs splat_i16(i16 value) { return {_mm512_set1_epi16(value)}; }
ORRERY_INLINE Pairs add_pairs(Pairs a, Pairs b) { return {_mm512_add_epi16(a.v, b.v)}; }
template <int kBy>
ORRERY_INLINE Pairs shift_pairs_left(Pairs a) {
  return {_mm512_slli_epi16(a.v, kBy)};
}
ORRERY_INLINE Pairs splat_pair(const i16* two) {
  i32 bits;
  __builtin_memcpy(&bits, two, 4);
  return splat_i32(bits);
}
// 32 bytes (two of each row) as pairs.
ORRERY_INLINE Pairs widen_pairs(const u8* from) { return {_mm512_cvtepu8_epi16(load_256(from))}; }
// 16 signed bytes (one of each row).
ORRERY_INLINE I32x16 widen_i8(const void* from) {
  return {_mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(from)))};
}
// 16 signed bytes (one of each row), each as both halves of a pair.
ORRERY_INLINE Pairs twin_pairs(const void* from) {
  const __m512i rows = widen_i8(from).v;
  const __m512i low = _mm512_and_si512(rows, _mm512_set1_epi32(0xffff));
  return {_mm512_or_si512(low, _mm512_slli_epi32(rows, 16))};
}

// ---- bytes

ORRERY_INLINE Bytes load_bytes(const void* from) { return {_mm512_loadu_si512(from)}; }
ORRERY_INLINE void store_bytes(void* to, Bytes a) { _mm512_storeu_si512(to, a.v); }
ORRERY_INLINE Bytes operator|(Bytes a, Bytes b) { return {_mm512_or_si512(a.v, b.v)}; }
ORRERY_INLINE Bytes and_each(Bytes a, u8 mask) {
  return {_mm512_and_si512(a.v, _mm512_set1_epi8(i8(mask)))};
}
// Shifts words; the caller masks what came over from the neighbouring byte.
template <int kBy>
ORRERY_INLINE Bytes shift_words_right(Bytes a) {
  return {_mm512_srli_epi16(a.v, kBy)};
}
template <int kBy>
ORRERY_INLINE Bytes shift_words_left(Bytes a) {
  return {_mm512_slli_epi16(a.v, kBy)};
}
// Of each byte below 16 that many'th of the table's.
ORRERY_INLINE Bytes look_up(const u8* table, Bytes at) {
  return {_mm512_shuffle_epi8(
      _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(table))), at.v)};
}
// Unsigned times signed bytes, neighbours added, saturated to int16.
ORRERY_INLINE Pairs byte_products(Bytes a, Bytes b) { return {_mm512_maddubs_epi16(a.v, b.v)}; }
ORRERY_INLINE Bytes splat4(const void* four_bytes) {
  i32 bits;
  __builtin_memcpy(&bits, four_bytes, 4);
  return {_mm512_set1_epi32(bits)};
}

}  // namespace
}  // namespace orrery::kernels
