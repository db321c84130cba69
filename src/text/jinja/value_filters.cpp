// Filters on single values: numbers, defaults, attributes, pretty printing.
#include <cmath>

#include "text/jinja/builtins.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/number.h"
#include "text/jinja/operators.h"
#include "text/jinja/pretty.h"
#include "text/jinja/print.h"

namespace orrery::text::jinja {
namespace {

Value abs_filter(Interpreter&, const Value& input, const Arguments& a) {
  const Bound bound("abs", a, {});
  input.require_defined();
  if (!input.is_number()) raise("bad operand type for abs(): '{}'", type_name(input));
  if (input.is(Kind::kFloat)) return Value::real(std::fabs(input.as_real()));
  return input.as_integer() < 0 ? negative(input) : Value::integer(input.as_integer());
}

Value attr(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("attr", a, {"name"}, 1);
  return get_attribute_only(i.heap(), input, bound.string(0)->bytes());
}

Value default_filter(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("default", a, {"default_value", "boolean"});
  if (!input.is_undefined() && !(bound.boolean(1, false) && !truth(input))) return input;
  return bound.get(0, text(i.heap(), ""));
}

// float(value), where Python does not raise TypeError or ValueError.
std::optional<f64> as_real(const Value& value) {
  value.require_defined();
  if (value.is_number()) return value.as_real();
  return value.is_string() ? read_real(value.bytes()) : std::nullopt;
}

Value float_filter(Interpreter&, const Value& input, const Arguments& a) {
  const Bound bound("float", a, {"default"});
  const auto value = as_real(input);
  return value ? Value::real(*value) : bound.get(0, Value::real(0));
}

Value int_filter(Interpreter&, const Value& input, const Arguments& a) {
  const Bound bound("int", a, {"default", "base"});
  input.require_defined();
  if (input.is_integer()) return Value::integer(input.as_integer());
  if (input.is_string()) {
    const Value base_given = bound.get(1, Value::integer(10));
    const i64 base = base_given.is_integer() ? base_given.as_integer() : -1;
    const bool valid_base = base == 0 || (base >= 2 && base <= 36);
    const auto whole = valid_base ? read_integer(input.bytes(), base) : std::nullopt;
    if (whole) return Value::integer(*whole);
  }
  const Value otherwise = bound.get(0, Value::integer(0));
  const auto real = as_real(input);
  if (!real || std::isnan(*real)) return otherwise;
  if (std::isinf(*real)) {
    if (input.is(Kind::kFloat)) raise("cannot convert float infinity to integer");
    return otherwise;
  }
  const auto whole = truncate_real(*real);
  if (!whole) raise("an integer that does not fit 64 bits");
  return Value::integer(*whole);
}

Value round_integer(i64 value, i64 precision) {
  if (precision >= 0) return Value::integer(value);
  if (precision < -18) return Value::integer(0);
  i64 unit = 1;
  for (i64 i = precision; i < 0; ++i) unit *= 10;
  const i64 rest = ((value % unit) + unit) % unit;
  i64 rounded = value - rest;
  const bool up = rest > unit - rest || (rest == unit - rest && (rounded / unit) % 2 != 0);
  if (up && __builtin_add_overflow(rounded, unit, &rounded))
    raise("an integer that does not fit 64 bits");
  return Value::integer(rounded);
}

Value round_filter(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("round", a, {"precision", "method"});
  const std::string method(bound.has(1) ? bound.string(1)->bytes() : "common");
  if (method != "common" && method != "ceil" && method != "floor") {
    raise("method must be common, ceil or floor");
  }
  const i64 precision = bound.integer(0, 0);
  input.require_defined();
  if (!input.is_number()) raise("type {} doesn't define __round__ method", type_name(input));
  if (method == "common") {
    if (input.is_integer()) return round_integer(input.as_integer(), precision);
    return Value::real(round_real(input.as_real(), precision));
  }
  const Value unit = binary(i, BinaryOp::kPow, Value::integer(10), Value::integer(precision));
  const Value scaled = binary(i, BinaryOp::kMul, input, unit);
  Value whole = scaled;
  if (scaled.is(Kind::kFloat)) {
    const auto integer = truncate_real(method == "ceil" ? std::ceil(scaled.as_real())
                                                        : std::floor(scaled.as_real()));
    if (!integer) raise("an integer that does not fit 64 bits");
    whole = Value::integer(*integer);
  }
  return binary(i, BinaryOp::kDiv, whole, unit);
}

Value filesizeformat(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("filesizeformat", a, {"binary"});
  const bool is_binary = bound.boolean(0, false);
  const auto bytes = as_real(input);
  if (!bytes) raise("could not convert to float: {}", repr(i.heap(), input));
  const f64 base = is_binary ? 1024 : 1000;
  if (*bytes == 1) return text(i.heap(), "1 Byte");
  if (*bytes < base) {
    const auto whole = truncate_real(*bytes);
    if (!whole) raise("cannot convert to integer");
    return text(i.heap(), fmt::format("{} Bytes", *whole));
  }
  constexpr std::string_view kPrefixes = "kMGTPEZY";
  f64 unit = base;
  for (const char prefix : kPrefixes) {
    unit *= base;
    if (*bytes >= unit && prefix != 'Y') continue;
    return text(i.heap(),
                fmt::format("{} {}{}", format_real(base * *bytes / unit, 'f', 1, false),
                            is_binary && prefix == 'k' ? 'K' : prefix, is_binary ? "iB" : "B"));
  }
  raise("could not convert to a file size");
}

Value pprint(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("pprint", a, {});
  Builder out(i.heap());
  print_pretty(out, input);
  return out.take();
}

Value random_filter(Interpreter&, const Value&, const Arguments&) {
  raise("random is not supported: a chat template must give the same text every time");
}

constexpr Named kFilters[] = {
    {"abs", abs_filter},         {"attr", attr},
    {"default", default_filter}, {"d", default_filter},
    {"float", float_filter},     {"int", int_filter},
    {"round", round_filter},     {"filesizeformat", filesizeformat},
    {"pprint", pprint},          {"random", random_filter},
};

}  // namespace

std::span<const Named> value_filters() { return kFilters; }

}  // namespace orrery::text::jinja
