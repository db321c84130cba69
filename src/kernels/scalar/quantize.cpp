// Activations into the form that a layout takes: the definitions of kernels/activations.h.
#include <algorithm>
#include <cstring>

#include "base/half.h"
#include "kernels/scalar/arithmetic.h"
#include "kernels/scalar/scalar.h"

namespace orrery::kernels::scalar {
namespace {

struct Scaling {
  f32 scale, inverse;
};

// NaN loses every comparison, so it never becomes the amax.
Scaling scaling_of(const f32* x, u32 count) {
  f32 amax = 0;
  for (u32 i = 0; i < count; ++i) {
    const f32 magnitude = std::fabs(x[i]);
    amax = magnitude > amax ? magnitude : amax;
  }
  if (amax < kSmallestAmax) return {0, 0};
  return {amax / 127, 127 / amax};
}

i8 to_int8(f32 x, f32 inverse) {
  f32 scaled = x * inverse;
  scaled = scaled > -127 ? scaled : -127;
  scaled = scaled < 127 ? scaled : 127;
  return i8((scaled + kRoundingShift) - kRoundingShift);  // to nearest, ties to even
}

void quantize_slab_per_32(const f32* x, u32 count, const Activations& to, u64 slab) {
  i8* values = to.values + slab * kBlockDepth;
  std::memset(values, 0, kBlockDepth);
  for (u32 j = 0; j < 8; ++j) {
    const bool present = 32 * j < count;
    const Scaling scaling = present ? scaling_of(x + 32 * j, 32) : Scaling{0, 0};
    i32 sum = 0;
    for (u32 k = 32 * j; present && k < 32 * j + 32; ++k)
      sum += values[k] = to_int8(x[k], scaling.inverse);
    to.scales[slab * 8 + j] = scaling.scale;
    to.sums[slab * 8 + j] = sum;
    to.scaled_sums[slab * 8 + j] = scaling.scale * f32(sum);
  }
}

void quantize_slab_per_256(const f32* x, u32 count, const Activations& to, u64 slab) {
  i8* values = to.values + slab * kBlockDepth;
  i16* offset_halves = to.offset_halves + slab * 32;
  i16* sums_of_32 = to.sums_of_32 + slab * 8;
  std::memset(values, 0, kBlockDepth);
  std::memset(offset_halves, 0, 32 * sizeof(i16));
  std::memset(sums_of_32, 0, 8 * sizeof(i16));
  const Scaling scaling = scaling_of(x, count);
  to.scales[slab] = scaling.scale;
  for (u32 k = 0; k < count; ++k) {
    values[k] = to_int8(x[k], scaling.inverse);
    i16& half = offset_halves[k / 16 * 2 + k % 4 / 2];
    half = i16(half - 32 * values[k]);
    sums_of_32[k / 32] = i16(sums_of_32[k / 32] + values[k]);
  }
}

void quantize_floats(const f32* x, const Activations& to, u32 column) {
  const u64 padded = round_up(to.depth, kDepthGrain);
  for (u64 k = 0; k < padded; ++k) {
    to.f32_values[column * padded + k] = k < to.depth ? x[k] : 0;
  }
}

}  // namespace

void quantize(const f32* x, u64 x_stride, const Activations& to, u32 begin, u32 end) {
  for (u32 column = begin; column < end; ++column) {
    const f32* values = x + column * x_stride;
    if (to.kind == ActivationKind::kF32) {
      quantize_floats(values, to, column);
      continue;
    }
    for (u32 block = 0; block < to.blocks(); ++block) {
      const u32 k = block * kBlockDepth, count = std::min(kBlockDepth, to.depth - k);
      const u64 slab = u64(block) * to.columns + column;
      if (to.kind == ActivationKind::kInt8Per32)
        quantize_slab_per_32(values + k, count, to, slab);
      else
        quantize_slab_per_256(values + k, count, to, slab);
    }
  }
}

}  // namespace orrery::kernels::scalar
