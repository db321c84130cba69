// Activations: the right-hand side of a matrix product, converted once per phase into the form that
// a layout's arithmetic takes.
//
// kF32       the values.
// kInt8Per32 each 32 values: scale = amax / 127, q = nearest-even(x * (127 / amax)) (all 0 when
// amax is
//            below kSmallestAmax), their sum, and scale * sum, the float that a layout with mins
//            multiplies.
// kInt8Per256 the same with one scale for 256 values, and two kinds of integer sums: of 32
// neighbours,
//            which meet the weights' mins; and of the k of 16 neighbours that lie in the lower and
//            in the upper half of a dword (k mod 4 below 2, or not), times -32: where a dot product
//            starts from them, the offset 32 of 6-bit weights is undone.
// int8 values lie in slabs [block of 256][column][256 bytes]: 64-byte aligned, unused bytes zero. A
// NaN becomes q = -127; the bits of a product with NaN or infinite activations are not part of the
// contract.
#pragma once

#include "base/types.h"
#include "kernels/packed.h"

namespace orrery::kernels {

// A block whose largest magnitude is below this is all zero: 127 / amax would overflow, and no
// model's activations are that small.
inline constexpr f32 kSmallestAmax = 0x1p-100f;

struct Activations {
  ActivationKind kind;
  u32 depth;           // K
  u32 columns;         // tokens
  f32* f32_values;     // kF32: [column][round_up(depth, 32)], zero padded
  i8* values;          // int8: [block][column][256]
  f32* scales;         // kInt8Per32: [block][column][8]; kInt8Per256: [block][column]
  f32* scaled_sums;    // kInt8Per32: [block][column][8], scale * sum of 32
  i32* sums;           // kInt8Per32: [block][column][8], sum of 32
  i16* offset_halves;  // kInt8Per256: [block][column][16][2], -32 * sums of half of each 16
  i16* sums_of_32;     // kInt8Per256: [block][column][8]
  [[nodiscard]] u32 blocks() const { return divide_up(depth, kBlockDepth); }
};

// Bytes that activations of this kind and size need, and the Activations laid over such memory
// (64-byte aligned; not owned).
[[nodiscard]] u64 activation_bytes(ActivationKind kind, u32 depth, u32 columns_max);
[[nodiscard]] Activations place_activations(ActivationKind kind, u32 depth, u32 columns,
                                            u8* memory);

}  // namespace orrery::kernels
