// The small steps that define the float results of every rung: fma, the tree that adds 16 lanes,
// exp.
#pragma once

#include <bit>
#include <cmath>

#include "base/types.h"
#include "kernels/exp_constants.h"

namespace orrery::kernels::scalar {

inline f32 fma(f32 a, f32 b, f32 c) { return std::fma(a, b, c); }

// Adds 16 lanes as vector registers do: halves onto halves.
inline f32 reduce16(const f32* lanes) {
  f32 sums[8];
  for (u32 i = 0; i < 8; ++i) sums[i] = lanes[i] + lanes[i + 8];
  for (u32 width = 4; width > 0; width /= 2)
    for (u32 i = 0; i < width; ++i) sums[i] = sums[i] + sums[i + width];
  return sums[0];
}

// The largest of x[begin .. end), -inf if there is none; NaN loses every comparison. In 16 lanes,
// because which of +0 and -0 wins depends on the order.
inline f32 max_in_lanes(const f32* x, u32 begin, u32 end) {
  f32 lanes[16];
  for (f32& lane : lanes) lane = -INFINITY;
  for (u32 i = begin; i < end; ++i) lanes[i % 16] = x[i] > lanes[i % 16] ? x[i] : lanes[i % 16];
  for (u32 width = 8; width > 0; width /= 2)
    for (u32 i = 0; i < width; ++i)
      lanes[i] = lanes[i] > lanes[i + width] ? lanes[i] : lanes[i + width];
  return lanes[0];
}

// exp by Cody and Waite's reduction (Software Manual for the Elementary Functions, 1980, chapter
// 6): x = n ln 2 + r, exp(x) = 2^n * p(r). Above kExpMax it stays at exp(kExpMax), so it is never
// infinite; below kExpMin it is 0; NaN stays NaN.
inline f32 exp(f32 x) {
  const f32 clamped = kExpMax < x ? kExpMax : x;
  const f32 shifted = fma(clamped, kLog2E, kRoundingShift);
  const f32 n = shifted - kRoundingShift;
  f32 r = fma(n, -kLn2High, clamped);
  r = fma(n, -kLn2Low, r);
  f32 p = kExpPolynomial[0];
  for (u32 i = 1; i < kExpTerms; ++i) p = fma(p, r, kExpPolynomial[i]);
  const f32 power = std::bit_cast<f32>((std::bit_cast<u32>(shifted) + 127) << 23);
  return x < kExpMin ? 0.0f : p * power;
}

}  // namespace orrery::kernels::scalar
