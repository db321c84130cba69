// Numbers as Python writes and reads them, and arithmetic that never wraps.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"

namespace orrery::text::jinja {

// repr(float): the shortest digits that read back as the same number.
[[nodiscard]] std::string print_real(f64 value);
// int(text, base) and float(text); nothing where Python raises ValueError.
[[nodiscard]] std::optional<i64> read_integer(std::string_view text, i64 base = 10);
[[nodiscard]] std::optional<f64> read_real(std::string_view text);
// int(value): towards zero; nothing for what 64 bits do not hold, infinities and NaN.
[[nodiscard]] std::optional<i64> truncate_real(f64 value);
// round(value, digits) of a float: to the nearest, ties to even, correct in decimal.
[[nodiscard]] f64 round_real(f64 value, i64 digits);
// printf of one floating-point conversion ('e', 'f', 'g', upper case too), any precision.
[[nodiscard]] std::string format_real(f64 value, char conversion, i64 precision, bool alternate);

}  // namespace orrery::text::jinja
