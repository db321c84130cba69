// Dot products of bytes for rungs without VNNI: vpmaddubsw multiplies u8 by s8 and adds neighbours
// in int16.
//
// Its sums may stay in int16 for a while before vpmaddwd widens them: 8 of nibbles (8 * 2 * 15 *
// 127 = 30,480), 4 of 6-bit weights that start from -32 * sum (the true sum is at most 8 * 32 * 127
// = 32,512, so wrapping on the way is harmless; without an offset they are 5 bits: 4 * 2 * 31 * 127
// = 31,496). Whole bytes would saturate, so they are split into two planes of nibbles.
#pragma once

#include "kernels/generic/layouts.h"

namespace orrery::kernels {
namespace {

using Dot = Pairs;  // int16: each row's sum in two halves
struct Planes {     // a whole byte as two nibbles
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
template <Operand kOperand>
ORRERY_INLINE Planes look_up_operand(const CodeTable& table, Bytes codes) {
  static_assert(kOperand == Operand::kByte);
  return {look_up(table.low, codes), look_up(table.high, codes)};
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

ORRERY_INLINE void set_zero(Dot& sum) { sum = splat_i16(0); }
ORRERY_INLINE void set_zero(PlanesDot& sum) {
  set_zero(sum.low);
  set_zero(sum.high);
}
// Starts at -32 times the sum of 16 activations, which undoes an offset of 32 in the weights.
ORRERY_INLINE void set_offset_32(Dot& sum, const i16* offset_halves) {
  sum = splat_pair(offset_halves);
}

ORRERY_INLINE Dot dot(Dot sum, Bytes weights, Bytes activations) {
  return add_pairs(sum, byte_products(weights, activations));
}
ORRERY_INLINE PlanesDot dot(PlanesDot sum, const Planes& weights, Bytes activations) {
  return {dot(sum.low, weights.low, activations), dot(sum.high, weights.high, activations)};
}

ORRERY_INLINE I32x16 total(Dot sum) { return products(sum, splat_i16(1)); }
ORRERY_INLINE I32x16 total(const PlanesDot& sum) {
  return total(sum.low) + products(sum.high, splat_i16(16));
}

// Integer scales of 16 rows as the multiplication below takes them: twin pairs.
using Scales = Pairs;
ORRERY_INLINE Scales load_scales(const void* sixteen_bytes) { return twin_pairs(sixteen_bytes); }

ORRERY_INLINE I32x16 add_scaled(I32x16 sum, Dot dot_sum, Scales scales) {
  return sum + products(dot_sum, scales);
}
ORRERY_INLINE I32x16 add_scaled(I32x16 sum, const PlanesDot& dot_sum, Scales scales) {
  return add_scaled(add_scaled(sum, dot_sum.low, scales), dot_sum.high,
                    shift_pairs_left<4>(scales));
}

}  // namespace
}  // namespace orrery::kernels
