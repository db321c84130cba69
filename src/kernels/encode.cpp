#include "kernels/encode.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/half.h"

namespace orrery::kernels {
namespace {

constexpr u32 kBlock = 32;

void store_f16(f32 value, u8* to) {
  const u16 bits = f16_from_f32(value);
  std::memcpy(to, &bits, sizeof bits);
}

// A division by a subnormal scale may leave infinities, and 0 times them NaN.
i32 integer(f32 value, i32 min, i32 max) {
  if (!(value > f32(min))) return value <= f32(min) ? min : 0;
  return value < f32(max) ? i32(value) : max;
}

f32 inverse(f32 d) { return d == 0 ? 0 : 1 / d; }

// Low nibbles are the first half of the values, high nibbles the second.
template <typename Quant>
void store_nibbles(const f32* from, u8* to, Quant quant) {
  for (u32 k = 0; k < 16; ++k) to[k] = u8(quant(from[k]) | quant(from[k + 16]) << 4);
}

// Rounds halves away from zero.
void encode_q8_0(const f32* from, u8* to) {
  f32 largest = 0;
  for (u32 k = 0; k < kBlock; ++k) largest = std::max(largest, std::fabs(from[k]));
  const f32 d = largest / 127, id = inverse(d);
  store_f16(d, to);
  for (u32 k = 0; k < kBlock; ++k) to[2 + k] = u8(i8(integer(std::round(from[k] * id), -128, 127)));
}

// The value of the largest magnitude becomes -8, with its sign in d.
void encode_q4_0(const f32* from, u8* to) {
  f32 largest = from[0];
  for (u32 k = 1; k < kBlock; ++k)
    if (std::fabs(from[k]) > std::fabs(largest)) largest = from[k];
  const f32 d = largest / -8, id = inverse(d);
  store_f16(d, to);
  store_nibbles(from, to + 2, [&](f32 value) { return integer(value * id + 8.5f, 0, 15); });
}

void encode_q4_1(const f32* from, u8* to) {
  const auto [min, max] = std::minmax_element(from, from + kBlock);
  const f32 m = *min, d = (*max - m) / 15, id = inverse(d);
  store_f16(d, to);
  store_f16(m, to + 2);
  store_nibbles(from, to + 4, [&](f32 value) { return integer((value - m) * id + 0.5f, 0, 15); });
}

template <typename Convert>
void encode_halves(const f32* from, u64 n, u8* to, Convert convert) {
  for (u64 i = 0; i < n; ++i) {
    const u16 bits = convert(from[i]);
    std::memcpy(to + i * sizeof bits, &bits, sizeof bits);
  }
}

}  // namespace

bool can_encode(Format format) {
  switch (format) {
    case Format::kF32:
    case Format::kF16:
    case Format::kBF16:
    case Format::kQ8_0:
    case Format::kQ4_0:
    case Format::kQ4_1:
      return true;
    default:
      return false;
  }
}

bool encode(Format format, const f32* from, u64 n, u8* to) {
  const u64 bytes = info(format).block_bytes;
  switch (format) {
    case Format::kF32:
      std::memcpy(to, from, n * sizeof(f32));
      return true;
    case Format::kF16:
      encode_halves(from, n, to, f16_from_f32);
      return true;
    case Format::kBF16:
      encode_halves(from, n, to, bf16_from_f32);
      return true;
    case Format::kQ8_0:
      for (u64 i = 0; i < n; i += kBlock, to += bytes) encode_q8_0(from + i, to);
      return true;
    case Format::kQ4_0:
      for (u64 i = 0; i < n; i += kBlock, to += bytes) encode_q4_0(from + i, to);
      return true;
    case Format::kQ4_1:
      for (u64 i = 0; i < n; i += kBlock, to += bytes) encode_q4_1(from + i, to);
      return true;
    default:
      return false;
  }
}

}  // namespace orrery::kernels
