// Numbers as Python writes and reads them.
#include "text/jinja/number.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "text/jinja/heap.h"
#include "text/jinja/unicode.h"

namespace orrery::text::jinja {
namespace {

// Without white space around it, decimals of every script as ASCII digits, and single underscores
// between digits taken out; nothing when there is another character that is not ASCII.
std::optional<std::string> plain_number(std::string_view text) {
  std::string out;
  for (u64 at = 0; at < text.size();) {
    const Decoded d = decode(text, at);
    at += d.bytes;
    if (is_space(d.rune))
      out += ' ';
    else if (const i32 digit = decimal_value(d.rune); digit >= 0)
      out += char('0' + digit);
    else if (d.rune < 0x80)
      out += char(d.rune);
    else
      return std::nullopt;
  }
  const u64 first = out.find_first_not_of(' ');
  if (first == std::string::npos) return std::nullopt;
  out = out.substr(first, out.find_last_not_of(' ') - first + 1);
  std::string digits;
  const auto is_digit_at = [&](u64 i) { return i < out.size() && std::isxdigit(u8(out[i])); };
  for (u64 i = 0; i < out.size(); ++i) {
    if (out[i] != '_') {
      digits += out[i];
    } else if (i == 0 || !is_digit_at(i - 1) || !is_digit_at(i + 1)) {
      return std::nullopt;
    }
  }
  return digits;
}

}  // namespace

std::string print_real(f64 value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  std::string digits(buffer, end);
  const u64 e = digits.find('e');
  const int exponent = std::atoi(digits.c_str() + e + 1);
  if (exponent < -4 || exponent >= 16) return digits;
  const auto fixed =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr;
  std::string out(buffer, fixed);
  return out.find('.') == std::string::npos ? out + ".0" : out;
}

std::optional<i64> read_integer(std::string_view text, i64 base) {
  if ((base != 0 && base < 2) || base > 36) raise("int() base must be >= 2 and <= 36, or 0");
  auto plain = plain_number(text);
  if (!plain) return std::nullopt;
  std::string_view digits = *plain;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  const char kind = digits.size() > 2 && digits[0] == '0' ? char(digits[1] | 0x20) : '\0';
  const int prefixed = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 0;
  if (prefixed != 0 && (base == 0 || base == prefixed)) {
    digits.remove_prefix(2);
    base = prefixed;
  } else if (base == 0) {
    if (digits.size() > 1 && digits[0] == '0' &&
        digits.find_first_not_of('0') != std::string::npos) {
      return std::nullopt;
    }
    base = 10;
  }
  u64 magnitude = 0;
  if (digits.empty() || !std::isalnum(u8(digits[0]))) return std::nullopt;
  const auto parsed =
      std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, int(base));
  if (parsed.ptr != digits.data() + digits.size()) return std::nullopt;
  if (parsed.ec != std::errc() || magnitude > u64(INT64_MAX) + negative) {
    raise("an integer that does not fit 64 bits");
  }
  return negative ? i64(u64(0) - magnitude) : i64(magnitude);
}

std::optional<f64> read_real(std::string_view text) {
  auto plain = plain_number(text);
  if (!plain) return std::nullopt;
  std::string_view digits = *plain;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  std::string lower(digits);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return char(std::tolower(c)); });
  const f64 sign = negative ? -1 : 1;
  if (lower == "inf" || lower == "infinity") return sign * HUGE_VAL;
  if (lower == "nan") return std::nan("");
  if (lower.empty() || lower.find_first_not_of("0123456789.e+-") != std::string::npos)
    return std::nullopt;
  if (!std::isdigit(u8(lower[0])) && lower[0] != '.') return std::nullopt;
  f64 value = 0;
  const auto parsed = std::from_chars(lower.data(), lower.data() + lower.size(), value);
  if (parsed.ptr != lower.data() + lower.size()) return std::nullopt;
  if (parsed.ec == std::errc::result_out_of_range)
    value = std::strtod(lower.c_str(), nullptr);
  else if (parsed.ec != std::errc())
    return std::nullopt;
  return sign * value;
}

std::optional<i64> truncate_real(f64 value) {
  if (!(value > -9223372036854775809.0 && value < 9223372036854775808.0)) return std::nullopt;
  return i64(value);
}

std::string format_real(f64 value, char conversion, i64 precision, bool alternate) {
  if (precision < 0) precision = 6;
  constexpr i64 kPrecisionMax = 4096;  // a double has at most 1,074 digits after the point
  if (precision > kPrecisionMax) raise("a precision of {} is too large", precision);
  const std::string format = fmt::format("%{}.*{}", alternate ? "#" : "", conversion);
  char buffer[8];
  const int size = std::snprintf(buffer, sizeof buffer, format.c_str(), int(precision), value);
  std::string out(u64(size) + 1, '\0');
  std::snprintf(out.data(), out.size(), format.c_str(), int(precision), value);
  out.pop_back();
  return out;
}

f64 round_real(f64 value, i64 digits) {
  if (!std::isfinite(value) || digits > 323) return value;
  if (digits < -308) return 0.0 * value;
  if (digits >= 0) {
    const std::string text = format_real(value, 'f', digits, false);
    return std::strtod(text.c_str(), nullptr);
  }
  // To tens, hundreds, ...: through the exact decimal digits, of which the last are rounded away.
  const f64 unit = std::pow(10.0, f64(-digits));
  const long double quotient = static_cast<long double>(value) / unit;
  return f64(std::nearbyintl(quotient) * unit);
}

}  // namespace orrery::text::jinja
