// Dot products of bytes with vpmaddubsw (see primitives.h for why the sums fit).
#pragma once

#include "kernels/generic/layouts.h"

namespace orrery::kernels {
namespace {

struct Dot {  // int16: each row's sum in two halves
  __m256i lo, hi;
};
struct Planes {  // a whole byte as two nibbles
  Bytes low, high;
};
struct PlanesDot {
  Dot low, high;
};

// What a group of four k is in registers, and where it lies once unpacked.
template <Operand>
struct OperandOf {
  using Type = Bytes;
  using Sum = Dot;
  static constexpr u32 kBytes = 64;
};
template <>
struct OperandOf<Operand::kByte> {
  using Type = Planes;
  using Sum = PlanesDot;
  static constexpr u32 kBytes = 128;
};

template <Operand kOperand>
ORRERY_INLINE typename OperandOf<kOperand>::Type as_operand(Bytes bytes) {
  if constexpr (kOperand == Operand::kByte)
    return {and_each(bytes, 15), and_each(shift_words_right<4>(bytes), 15)};
  else
    return bytes;
}
ORRERY_INLINE void load_operand(const u8* from, Bytes& to) { to = load_bytes(from); }
ORRERY_INLINE void load_operand(const u8* from, Planes& to) {
  to = {load_bytes(from), load_bytes(from + 64)};
}
ORRERY_INLINE void store_operand(u8* to, Bytes v) { store_bytes(to, v); }
ORRERY_INLINE void store_operand(u8* to, const Planes& v) {
  store_bytes(to, v.low);
  store_bytes(to + 64, v.high);
}

ORRERY_INLINE void set_zero(Dot& sum) { sum = {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
ORRERY_INLINE void set_zero(PlanesDot& sum) {
  set_zero(sum.low);
  set_zero(sum.high);
}
// Starts at -32 times the sum of 16 activations, which undoes an offset of 32 in the weights.
ORRERY_INLINE void set_offset_32(Dot& sum, const i16* offset_halves) {
  const Pairs both = splat_pair(offset_halves);
  sum = {both.lo, both.hi};
}

ORRERY_INLINE Dot dot(Dot sum, Bytes weights, Bytes activations) {
  return {_mm256_add_epi16(sum.lo, _mm256_maddubs_epi16(weights.lo, activations.lo)),
          _mm256_add_epi16(sum.hi, _mm256_maddubs_epi16(weights.hi, activations.hi))};
}
ORRERY_INLINE PlanesDot dot(PlanesDot sum, const Planes& weights, Bytes activations) {
  return {dot(sum.low, weights.low, activations), dot(sum.high, weights.high, activations)};
}

ORRERY_INLINE I32x16 total(Dot sum) {
  const __m256i ones = _mm256_set1_epi16(1);
  return {_mm256_madd_epi16(sum.lo, ones), _mm256_madd_epi16(sum.hi, ones)};
}
ORRERY_INLINE I32x16 total(const PlanesDot& sum) {
  const __m256i sixteen = _mm256_set1_epi16(16);
  const I32x16 high = {_mm256_madd_epi16(sum.high.lo, sixteen), _mm256_madd_epi16(sum.high.hi, sixteen)};
  return total(sum.low) + high;
}

// Integer scales of 16 rows as the multiplication below takes them: twin pairs.
using Scales = Pairs;
ORRERY_INLINE Scales load_scales(const void* sixteen_bytes) { return twin_pairs(sixteen_bytes); }

ORRERY_INLINE I32x16 add_scaled(I32x16 sum, Dot dot_sum, Scales scales) {
  return add_products(sum, {dot_sum.lo, dot_sum.hi}, scales);
}
ORRERY_INLINE I32x16 add_scaled(I32x16 sum, const PlanesDot& dot_sum, Scales scales) {
  const Scales high = {_mm256_slli_epi16(scales.lo, 4), _mm256_slli_epi16(scales.hi, 4)};
  return add_scaled(add_scaled(sum, dot_sum.low, scales), dot_sum.high, high);
}

}  // namespace
}  // namespace orrery::kernels
