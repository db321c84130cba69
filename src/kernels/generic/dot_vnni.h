// Dot products of bytes for rungs with VNNI: vpdpbusd multiplies u8 by s8 and adds four to an
// int32, so nothing can overflow and no weight needs splitting.
#pragma once

#include "kernels/generic/layouts.h"

namespace orrery::kernels {
namespace {

using Dot = I32x16;

template <Operand>
struct OperandOf {
  using Type = Bytes;
  using Sum = Dot;
  static constexpr u32 kBytes = 64;
};
template <Operand>
ORRERY_INLINE Bytes as_operand(Bytes bytes) {
  return bytes;
}
template <Operand>
ORRERY_INLINE Bytes look_up_operand(const CodeTable& table, Bytes codes) {
  return look_up(table.value, codes);
}
ORRERY_INLINE void load_operand(const u8* from, Bytes& to) { to = load_bytes(from); }
ORRERY_INLINE void store_operand(u8* to, Bytes v) { store_bytes(to, v); }

ORRERY_INLINE void set_zero(Dot& sum) { sum = splat_i32(0); }
// Starts at -32 times the sum of 16 activations, which undoes an offset of 32 in the weights.
ORRERY_INLINE void set_offset_32(Dot& sum, const i16* offset_halves) {
  sum = products(splat_pair(offset_halves), splat_i16(1));
}
ORRERY_INLINE Dot dot(Dot sum, Bytes weights, Bytes activations) {
  return add_dots(sum, weights, activations);
}
ORRERY_INLINE I32x16 total(Dot sum) { return sum; }

using Scales = I32x16;
ORRERY_INLINE Scales load_scales(const void* sixteen_bytes) { return widen_i8(sixteen_bytes); }
ORRERY_INLINE I32x16 add_scaled(I32x16 sum, Dot dot_sum, Scales scales) {
  return sum + dot_sum * scales;
}

}  // namespace
}  // namespace orrery::kernels
