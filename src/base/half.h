// IEEE half (f16) and bfloat16 (bf16) as bit patterns: conversions to and from float, rounding to
// nearest even. Plain integer arithmetic, the same on every machine; fast rungs have instructions
// for it and must agree with these functions in every bit.
#pragma once

#include <bit>

#include "base/types.h"

namespace orrery {

[[nodiscard]] inline f32 f32_from_bf16(u16 bits) { return std::bit_cast<f32>(u32(bits) << 16); }

[[nodiscard]] inline u16 bf16_from_f32(f32 value) {
  const u32 bits = std::bit_cast<u32>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return u16(bits >> 16 | 0x40);  // NaN stays a (quiet) NaN
  return u16((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

[[nodiscard]] constexpr f32 f32_from_f16(u16 bits) {
  const u32 sign = u32(bits & 0x8000) << 16;
  const u32 exponent = bits >> 10 & 0x1f, mantissa = bits & 0x3ff;
  if (exponent == 31)
    return std::bit_cast<f32>(sign | 0x7f800000 | mantissa << 13 | (mantissa ? 0x400000 : 0));
  if (exponent) return std::bit_cast<f32>(sign | (exponent + 112) << 23 | mantissa << 13);
  const f32 tiny = f32(mantissa) * 0x1p-24f;  // zero and subnormals, exact
  return std::bit_cast<f32>(std::bit_cast<u32>(tiny) | sign);
}

[[nodiscard]] inline u16 f16_from_f32(f32 value) {
  const u32 bits = std::bit_cast<u32>(value);
  const u16 sign = u16(bits >> 16 & 0x8000);
  const u32 magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return u16(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));  // NaN
  if (magnitude >= 0x477ff000) return u16(sign | 0x7c00);        // rounds to 65536 or is infinite
  if (magnitude < 0x38800000) {                                  // below 2^-14: subnormal half
    const f32 scaled = std::bit_cast<f32>(magnitude) * 0x1p24f;  // exact; the rounding is the add's
    const f32 rounded = (scaled + 0x1p23f) - 0x1p23f;
    return u16(sign | u32(rounded));
  }
  const u32 rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return u16(sign | (rounded - 0x38000000) >> 13);
}

}  // namespace orrery
