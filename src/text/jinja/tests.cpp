// The tests of `is`: every built-in of jinja2.
#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/operators.h"
#include "text/jinja/print.h"
#include "text/jinja/text_ops.h"

namespace orrery::text::jinja {
namespace {

template <typename Check>
bool simple(const Arguments& arguments, Check check) {
  const Bound bound("test", arguments, {});
  return check();
}

template <Kind kind>
bool is_kind(Interpreter&, const Value& v, const Arguments& a) {
  return simple(a, [&] { return v.is(kind); });
}
template <bool expected>
bool is_boolean(Interpreter&, const Value& v, const Arguments& a) {
  return simple(a, [&] { return v.is(Kind::kBool) && v.as_boolean() == expected; });
}

bool remainder_is(Interpreter& i, const Value& v, const Value& divisor, i64 expected) {
  return equal(binary(i, BinaryOp::kMod, v, divisor), Value::integer(expected));
}
bool odd(Interpreter& i, const Value& v, const Arguments& a) {
  return simple(a, [&] { return remainder_is(i, v, Value::integer(2), 1); });
}
bool even(Interpreter& i, const Value& v, const Arguments& a) {
  return simple(a, [&] { return remainder_is(i, v, Value::integer(2), 0); });
}
bool divisible_by(Interpreter& i, const Value& v, const Arguments& a) {
  return remainder_is(i, v, Bound("divisibleby", a, {"num"}, 1).at(0), 0);
}

bool defined(Interpreter&, const Value& v, const Arguments& a) {
  return simple(a, [&] { return !v.is_undefined(); });
}
bool number(Interpreter&, const Value& v, const Arguments& a) {
  return simple(a, [&] { return v.is_number(); });
}
bool sequence(Interpreter&, const Value& v, const Arguments& a) {
  return simple(a, [&] {
    return v.is_undefined() || v.is_string() || v.is_sequence() || v.is(Kind::kDict) ||
           v.is(Kind::kRange);
  });
}
bool iterable(Interpreter&, const Value& v, const Arguments& a) {
  return simple(a, [&] { return is_iterable(v); });
}
bool callable(Interpreter&, const Value& v, const Arguments& a) {
  return simple(a, [&] { return v.is_callable(); });
}
bool lower(Interpreter& i, const Value& v, const Arguments& a) {
  return simple(a, [&] { return is_all_lower(to_string(i.heap(), v)->bytes()); });
}
bool upper(Interpreter& i, const Value& v, const Arguments& a) {
  return simple(a, [&] { return is_all_upper(to_string(i.heap(), v)->bytes()); });
}
bool escaped(Interpreter&, const Value& v, const Arguments& a) {
  return simple(a, [&] { return v.is_string() && v.string().markup; });
}

bool is_filter(Interpreter&, const Value& v, const Arguments& a) {
  return simple(a,
                [&] { return hash(v) != 0 && v.is_string() && find_filter(v.bytes()) != nullptr; });
}
bool is_test(Interpreter&, const Value& v, const Arguments& a) {
  return simple(a,
                [&] { return hash(v) != 0 && v.is_string() && find_test(v.bytes()) != nullptr; });
}

bool same_as(Interpreter&, const Value& v, const Arguments& a) {
  return same(v, Bound("sameas", a, {"other"}, 1).at(0));
}
bool in(Interpreter& i, const Value& v, const Arguments& a) {
  return contains(i.heap(), Bound("in", a, {"seq"}, 1).at(0), v);
}

// The comparison operators take their operand by position only.
Bound operand(const Arguments& a) { return Bound("operator", a, {""}, 1); }
bool eq(Interpreter&, const Value& v, const Arguments& a) { return equal(v, operand(a).at(0)); }
bool ne(Interpreter&, const Value& v, const Arguments& a) { return !equal(v, operand(a).at(0)); }
bool lt(Interpreter&, const Value& v, const Arguments& a) { return less(v, operand(a).at(0)); }
bool gt(Interpreter&, const Value& v, const Arguments& a) { return less(operand(a).at(0), v, ">"); }
bool le(Interpreter&, const Value& v, const Arguments& a) {
  return less_or_equal(v, operand(a).at(0));
}
bool ge(Interpreter&, const Value& v, const Arguments& a) {
  return less_or_equal(operand(a).at(0), v, ">=");
}

struct NamedTest {
  std::string_view name;
  Test function;
};
constexpr NamedTest kTests[] = {
    {"odd", odd},
    {"even", even},
    {"divisibleby", divisible_by},
    {"defined", defined},
    {"undefined", is_kind<Kind::kUndefined>},
    {"filter", is_filter},
    {"test", is_test},
    {"none", is_kind<Kind::kNone>},
    {"boolean", is_kind<Kind::kBool>},
    {"false", is_boolean<false>},
    {"true", is_boolean<true>},
    {"integer", is_kind<Kind::kInt>},
    {"float", is_kind<Kind::kFloat>},
    {"lower", lower},
    {"upper", upper},
    {"string", is_kind<Kind::kString>},
    {"mapping", is_kind<Kind::kDict>},
    {"number", number},
    {"sequence", sequence},
    {"iterable", iterable},
    {"callable", callable},
    {"sameas", same_as},
    {"escaped", escaped},
    {"in", in},
    {"==", eq},
    {"eq", eq},
    {"equalto", eq},
    {"!=", ne},
    {"ne", ne},
    {">", gt},
    {"gt", gt},
    {"greaterthan", gt},
    {">=", ge},
    {"ge", ge},
    {"<", lt},
    {"lt", lt},
    {"lessthan", lt},
    {"<=", le},
    {"le", le},
};

}  // namespace

Test find_test(std::string_view name) {
  const auto row = std::find_if(std::begin(kTests), std::end(kTests),
                                [&](const NamedTest& test) { return test.name == name; });
  return row == std::end(kTests) ? nullptr : row->function;
}

}  // namespace orrery::text::jinja
