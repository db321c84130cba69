// Activations into int8 or bf16, 16 at a time (scalar/quantize.cpp).
#pragma once

#include "kernels/exp_constants.h"
#include "kernels/generic/elementwise.h"

namespace orrery::kernels {
namespace {

struct Scaling {
  f32 scale, inverse;
};

ORRERY_INLINE Scaling scaling_of(const f32* x, u32 count) {
  F32x16 amax = splat(0);
  for (u32 k = 0; k < count; k += kLanes) amax = max(abs(load(x + k)), amax);
  const f32 largest = reduce_max(amax);
  if (largest < kSmallestAmax) return {0, 0};
  return {largest / 127, 127 / largest};
}

// 16 values as int8; returns their sums over the halves of dwords.
ORRERY_INLINE Halves put_16(const f32* x, f32 inverse, i8* to) {
  const F32x16 scaled = min(max(load(x) * splat(inverse), splat(-127)), splat(127));
  const I32x16 q = to_nearest(scaled);
  store_i8(to, q);
  return reduce_halves(q);
}

void quantize_slab_per_32(const f32* x, u32 count, const Activations& to, u64 slab) {
  i8* values = to.values + slab * kBlockDepth;
  for (u32 j = 0; j < 8; ++j) {
    Scaling scaling{0, 0};
    i32 sum = 0;
    if (32 * j < count) {
      scaling = scaling_of(x + 32 * j, 32);
      const Halves first = put_16(x + 32 * j, scaling.inverse, values + 32 * j);
      const Halves second = put_16(x + 32 * j + 16, scaling.inverse, values + 32 * j + 16);
      sum = first.lower + first.upper + second.lower + second.upper;
    } else {
      __builtin_memset(values + 32 * j, 0, 32);
    }
    to.scales[slab * 8 + j] = scaling.scale;
    to.sums[slab * 8 + j] = sum;
    to.scaled_sums[slab * 8 + j] = scaling.scale * f32(sum);
  }
}

void quantize_slab_per_256(const f32* x, u32 count, const Activations& to, u64 slab) {
  i8* values = to.values + slab * kBlockDepth;
  const Scaling scaling = scaling_of(x, count);
  to.scales[slab] = scaling.scale;
  i32 sum = 0;
  for (u32 j = 0; j < 16; ++j) {
    Halves halves{0, 0};
    if (16 * j < count)
      halves = put_16(x + 16 * j, scaling.inverse, values + 16 * j);
    else
      __builtin_memset(values + 16 * j, 0, 16);
    to.offset_halves[slab * 32 + 2 * j] = i16(-32 * halves.lower);
    to.offset_halves[slab * 32 + 2 * j + 1] = i16(-32 * halves.upper);
    sum = (j % 2 ? sum : 0) + halves.lower + halves.upper;
    if (j % 2) to.sums_of_32[slab * 8 + j / 2] = i16(sum);
  }
}

void quantize_floats(const f32* x, const Activations& to, u32 column) {
  const u64 padded = (u64(to.depth) + kDepthGrain - 1) / kDepthGrain * kDepthGrain;
  for (u32 k = 0; k < padded; k += kLanes) {
    const u32 left = k < to.depth ? to.depth - k : 0;
    const F32x16 v = left == 0 ? splat(0) : load_some(x + k, left < kLanes ? left : kLanes);
    store(to.f32_values + column * padded + k, v);
  }
}

void quantize(const f32* x, u64 x_stride, const Activations& to, u32 begin, u32 end) {
  const u32 blocks = (to.depth + kBlockDepth - 1) / kBlockDepth;
  for (u32 column = begin; column < end; ++column) {
    const f32* values = x + column * x_stride;
    if (to.kind == ActivationKind::kF32) {
      quantize_floats(values, to, column);
      continue;
    }
    for (u32 block = 0; block < blocks; ++block) {
      const u32 k = block * kBlockDepth;
      const u32 count = to.depth - k < kBlockDepth ? to.depth - k : kBlockDepth;
      const u64 slab = u64(block) * to.columns + column;
      if (to.kind == ActivationKind::kInt8Per32)
        quantize_slab_per_32(values + k, count, to, slab);
      else
        quantize_slab_per_256(values + k, count, to, slab);
    }
  }
}

}  // namespace
}  // namespace orrery::kernels
