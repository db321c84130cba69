// The short names of the fixed-width types, and arithmetic on sizes that come from a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace orrery {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using f32 = float;
using f64 = double;

using Bytes = std::span<const u8>;

// A number read from a file may be anything: these return nothing instead of wrapping.
[[nodiscard]] inline std::optional<u64> checked_add(u64 a, u64 b) {
  u64 sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}
[[nodiscard]] inline std::optional<u64> checked_mul(u64 a, u64 b) {
  u64 product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

template <typename T>
[[nodiscard]] constexpr T divide_up(T a, T b) {
  return (a + b - 1) / b;
}
template <typename T>
[[nodiscard]] constexpr T round_up(T a, T multiple) {
  return divide_up(a, multiple) * multiple;
}

}  // namespace orrery
