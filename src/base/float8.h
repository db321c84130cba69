// The floats of eight bits (OCP): e4m3 (bias 7, no infinity, NaN is 7f and ff), e5m2 (the upper
// half of an f16) and e8m0 (a power of two, as a scale; NaN is ff). All values are exact in f32.
#pragma once

#include <array>
#include <limits>

#include "base/half.h"

namespace orrery {

[[nodiscard]] constexpr f32 f32_from_f8_e4m3(u8 bits) {
  const u32 exponent = bits >> 3 & 15, mantissa = bits & 7, sign = u32(bits >> 7) << 31;
  if (exponent == 15 && mantissa == 7)
    return std::bit_cast<f32>(sign | std::bit_cast<u32>(std::numeric_limits<f32>::quiet_NaN()));
  if (exponent) return std::bit_cast<f32>(sign | (exponent + 120) << 23 | mantissa << 20);
  return std::bit_cast<f32>(sign | std::bit_cast<u32>(f32(mantissa) * 0x1p-9f));
}

[[nodiscard]] constexpr f32 f32_from_f8_e5m2(u8 bits) { return f32_from_f16(u16(bits << 8)); }

[[nodiscard]] constexpr f32 f32_from_f8_e8m0(u8 bits) {
  if (bits == 255) return std::numeric_limits<f32>::quiet_NaN();
  return std::bit_cast<f32>(bits ? u32(bits) << 23 : 0x00400000u);  // 2^-127 is a subnormal
}

// Eight bits to float by looking up.
using Float8Table = std::array<f32, 256>;
template <typename Convert>
[[nodiscard]] constexpr Float8Table float8_table(Convert convert) {
  Float8Table table{};
  for (u32 bits = 0; bits < 256; ++bits) table[bits] = convert(u8(bits));
  return table;
}

}  // namespace orrery
