#include "text/jinja/format_spec.h"

#include <algorithm>
#include <cmath>

#include "text/jinja/builtins.h"
#include "text/jinja/number.h"
#include "text/jinja/print.h"
#include "text/jinja/unicode.h"

namespace orrery::text::jinja {
namespace {

std::string group(const std::string& digits, char separator) {
  const u64 whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
  std::string out;
  for (u64 i = 0; i < whole; ++i) {
    if (i && (whole - i) % 3 == 0) out += separator;
    out += digits[i];
  }
  return out + digits.substr(whole);
}

// Not more than this many digits of width; more would only be memory.
i64 read_count(std::string_view& spec) {
  i64 value = 0;
  u64 digits = 0;
  for (; digits < spec.size() && spec[digits] >= '0' && spec[digits] <= '9'; ++digits) {
    if (value > 100'000'000) raise("Too many decimal digits in format string");
    value = value * 10 + (spec[digits] - '0');
  }
  spec.remove_prefix(digits);
  return value;
}

bool skip(std::string_view& spec, char c) {
  if (!spec.starts_with(c)) return false;
  spec.remove_prefix(1);
  return true;
}

FormatSpec parse_spec(const MarkedText& text) {
  constexpr std::string_view kAligns = "<>^=";
  FormatSpec out;
  out.fill_origin = text.content_origin();
  std::string_view spec = text.bytes;
  const u64 first = spec.empty() ? 0 : decode(spec, 0).bytes;
  if (first < spec.size() && first > 0 && kAligns.find(spec[first]) != std::string_view::npos) {
    out.fill = spec.substr(0, first);
    out.align = spec[first];
    spec.remove_prefix(first + 1);
  } else if (!spec.empty() && kAligns.find(spec[0]) != std::string_view::npos) {
    out.align = spec[0];
    spec.remove_prefix(1);
  }
  if (!spec.empty() && std::string_view("+- ").find(spec[0]) != std::string_view::npos) {
    out.sign = spec[0];
    spec.remove_prefix(1);
  }
  out.alternate = skip(spec, '#');
  if (skip(spec, '0') && !out.align) {
    out.fill = "0";
    out.align = '=';
  }
  out.width = read_count(spec);
  if (spec.starts_with(',') || spec.starts_with('_')) {
    out.grouping = spec[0];
    spec.remove_prefix(1);
  }
  if (skip(spec, '.')) {
    if (spec.empty() || spec[0] < '0' || spec[0] > '9') raise("Format specifier missing precision");
    out.precision = read_count(spec);
  }
  if (!spec.empty()) {
    out.type = spec[0];
    spec.remove_prefix(1);
  }
  if (!spec.empty()) raise("Invalid format specifier");
  return out;
}

void format_string(Builder& out, const String& value, FormatSpec spec) {
  if ((spec.type && spec.type != 's') || spec.align == '=' || spec.sign != '-' || spec.grouping ||
      spec.alternate) {
    raise("a format code that strings do not have");
  }
  MarkedText body;
  const u64 length =
      spec.precision < 0 ? value.length() : std::min(u64(spec.precision), value.length());
  Builder cut(out.heap());
  body = cut.add(value, 0, value.byte_of(length)).take_text();
  pad(out, body, "", spec, '<');
}

void pad_number(Builder& out, std::string digits, std::string sign, FormatSpec spec) {
  if (spec.grouping) digits = group(digits, spec.grouping);
  if (spec.grouping && spec.align == '=' && spec.fill == "0") {
    // Zeros that fill the field are grouped like digits.
    while (i64(digits.size() + sign.size()) < spec.width) {
      std::string plain = "0";
      for (const char c : digits) {
        if (c != spec.grouping) plain += c;
      }
      std::string wider = group(plain, spec.grouping);
      digits = std::move(wider);
    }
  }
  MarkedText body;
  body.bytes = std::move(digits);
  pad(out, body, sign, spec, '>');
}

void format_float(Builder& out, f64 value, const FormatSpec& spec) {
  const f64 magnitude = std::fabs(value);
  std::string digits;
  if (spec.type == '%') {
    digits = format_real(magnitude * 100, 'f', spec.precision, spec.alternate) + "%";
  } else if (spec.type == '\0' && spec.precision < 0) {
    digits = print_real(magnitude);
  } else if (spec.type == '\0') {
    digits = format_real(magnitude, 'g', std::max<i64>(1, spec.precision), spec.alternate);
    const bool plain = digits.find_first_of(".en") == std::string::npos;
    if (plain) digits += i64(digits.size()) < spec.precision ? ".0" : "";
    if (plain && i64(digits.size()) == spec.precision) {
      // Python keeps a digit after the point and goes over to exponents one digit earlier.
      digits = format_real(magnitude, 'e', std::max<i64>(0, spec.precision - 1), spec.alternate);
      const u64 e = digits.find('e');
      u64 last = digits.find_last_not_of('0', e - 1);
      if (digits[last] == '.') --last;
      if (digits.find('.') < e) digits.erase(last + 1, e - last - 1);
    }
  } else if (std::string_view("eEfFgGn").find(spec.type) != std::string_view::npos) {
    digits =
        format_real(magnitude, spec.type == 'n' ? 'g' : spec.type, spec.precision, spec.alternate);
  } else {
    raise("Unknown format code '{}' for object of type 'float'", spec.type);
  }
  pad_number(out, std::move(digits), std::string(sign_of(std::signbit(value), spec.sign)), spec);
}

void format_integer(Builder& out, i64 value, const FormatSpec& spec) {
  if (spec.type && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos) {
    return format_float(out, f64(value), spec);
  }
  if (spec.precision >= 0) raise("Precision not allowed in integer format specifier");
  if (spec.type == 'c') {
    if (value < 0 || value > 0x10ffff) raise("%c arg not in range(0x110000)");
    Builder rune(out.heap());
    return pad(out, rune.add_rune(u32(value)).take_text(), "", spec, '<');
  }
  if (spec.type && std::string_view("bodxXn").find(spec.type) == std::string_view::npos) {
    raise("Unknown format code '{}' for object of type 'int'", spec.type);
  }
  std::string sign(sign_of(value < 0, spec.sign));
  if (spec.alternate && spec.type != 'd' && spec.type != 'n' && spec.type) sign += {'0', spec.type};
  pad_number(out, digits_of(value, spec.type), std::move(sign), spec);
}

}  // namespace

std::string digits_of(i64 value, char type) {
  const u64 magnitude = value < 0 ? u64(0) - u64(value) : u64(value);
  switch (type) {
    case 'b':
      return fmt::format("{:b}", magnitude);
    case 'o':
      return fmt::format("{:o}", magnitude);
    case 'x':
      return fmt::format("{:x}", magnitude);
    case 'X':
      return fmt::format("{:X}", magnitude);
    default:
      return fmt::format("{}", magnitude);
  }
}

std::string_view sign_of(bool negative, char sign) {
  if (negative) return "-";
  return sign == '+' ? "+" : sign == ' ' ? " " : "";
}

void pad(Builder& out, const MarkedText& body, std::string_view sign, const FormatSpec& spec,
         char otherwise) {
  const i64 used = i64(count_runes(sign) + count_runes(body.bytes));
  const i64 room = std::max<i64>(0, spec.width - used);
  const char align = spec.align ? spec.align : otherwise;
  const i64 before = align == '>' ? room : align == '^' ? room / 2 : 0;
  if (align == '=') {
    out.add(sign).fill(spec.fill, room, spec.fill_origin).add(body, 0, body.bytes.size());
    return;
  }
  out.fill(spec.fill, before, spec.fill_origin).add(sign).add(body, 0, body.bytes.size());
  out.fill(spec.fill, room - before, spec.fill_origin);
}

void format_value(Builder& out, const Value& value, const MarkedText& spec) {
  if (spec.bytes.empty()) return print(out, value);
  if (value.is_string()) return format_string(out, value.string(), parse_spec(spec));
  if (value.is_integer()) return format_integer(out, value.as_integer(), parse_spec(spec));
  if (value.is(Kind::kFloat)) return format_float(out, value.as_real(), parse_spec(spec));
  raise("unsupported format string passed to {}.__format__", type_name(value));
}

}  // namespace orrery::text::jinja
