// The arithmetic operators of Python on values. Integers that do not fit 64 bits are errors.
#include "text/jinja/operators.h"

#include <cmath>

#include "text/jinja/format.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/print.h"

namespace orrery::text::jinja {
namespace {

constexpr std::string_view kSymbols[] = {"+", "-", "*", "/", "//", "%", "** or pow()", "and", "or"};

[[noreturn]] void unsupported(BinaryOp op, const Value& a, const Value& b) {
  raise("unsupported operand type(s) for {}: '{}' and '{}'", kSymbols[u64(op)], type_name(a),
        type_name(b));
}
[[noreturn]] void overflow() { raise("an integer that does not fit 64 bits"); }

f64 floor_mod(f64 a, f64 b) {
  f64 mod = std::fmod(a, b);
  if (mod == 0) return std::copysign(0.0, b);
  if ((b < 0) != (mod < 0)) mod += b;
  return mod;
}

f64 floor_div(f64 a, f64 b) {
  const f64 quotient = (a - floor_mod(a, b)) / b;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const f64 whole = std::floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}

i64 integer_power(i64 base, i64 exponent) {
  i64 result = 1;
  while (true) {
    if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) overflow();
    exponent >>= 1;
    if (exponent == 0) return result;
    if (__builtin_mul_overflow(base, base, &base)) overflow();
  }
}

Value integers(BinaryOp op, i64 a, i64 b) {
  i64 result = 0;
  if (b == 0 && (op == BinaryOp::kFloorDiv || op == BinaryOp::kMod)) {
    raise("integer division or modulo by zero");
  }
  switch (op) {
    case BinaryOp::kAdd:
      if (__builtin_add_overflow(a, b, &result)) overflow();
      break;
    case BinaryOp::kSub:
      if (__builtin_sub_overflow(a, b, &result)) overflow();
      break;
    case BinaryOp::kMul:
      if (__builtin_mul_overflow(a, b, &result)) overflow();
      break;
    case BinaryOp::kFloorDiv:
      if (a == INT64_MIN && b == -1) overflow();
      result = a / b - (a % b != 0 && (a < 0) != (b < 0));
      break;
    case BinaryOp::kMod:
      if (b == -1) break;
      result = a % b;
      if (result != 0 && (result < 0) != (b < 0)) result += b;
      break;
    default:
      // a ** b with b >= 0; few bases fit with a large exponent
      result = a == 0 || a == 1 || a == -1 ? (b == 0                  ? 1
                                              : a == -1 && b % 2 == 0 ? 1
                                                                      : a)
                                           : integer_power(a, b);
  }
  return Value::integer(result);
}

Value reals(BinaryOp op, f64 a, f64 b) {
  if (b == 0 && (op == BinaryOp::kDiv || op == BinaryOp::kFloorDiv || op == BinaryOp::kMod)) {
    raise("float division by zero");
  }
  switch (op) {
    case BinaryOp::kAdd:
      return Value::real(a + b);
    case BinaryOp::kSub:
      return Value::real(a - b);
    case BinaryOp::kMul:
      return Value::real(a * b);
    case BinaryOp::kDiv:
      return Value::real(a / b);
    case BinaryOp::kFloorDiv:
      return Value::real(floor_div(a, b));
    case BinaryOp::kMod:
      return Value::real(floor_mod(a, b));
    default:
      break;
  }
  if (a == 0 && b < 0) raise("0.0 cannot be raised to a negative power");
  if (a < 0 && std::isfinite(b) && std::floor(b) != b) raise("a complex number is not supported");
  const f64 power = std::pow(a, b);
  if (std::isinf(power) && std::isfinite(a) && std::isfinite(b))
    raise("Numerical result out of range");
  return Value::real(power);
}

Value numbers(BinaryOp op, const Value& a, const Value& b) {
  const bool exact = a.is_integer() && b.is_integer() && op != BinaryOp::kDiv &&
                     !(op == BinaryOp::kPow && b.as_integer() < 0);
  if (exact) return integers(op, a.as_integer(), b.as_integer());
  if (op == BinaryOp::kDiv && a.is_integer() && b.is_integer() && b.as_integer() != 0) {
    return Value::real(f64(static_cast<long double>(a.as_integer()) / b.as_integer()));
  }
  return reals(op, a.as_real(), b.as_real());
}

Value repeat(Heap& heap, const Value& value, i64 count) {
  if (value.is_string()) {
    Builder builder(heap);
    auto result = builder.repeat(value.string(), count).take();
    result->markup = value.string().markup;
    return result;
  }
  auto result = make<Sequence>(heap, value.kind());
  for (i64 i = 0; i < count && !value.sequence().items.empty(); ++i) {
    heap.step(value.sequence().items.size());
    for (const Value& item : value.sequence().items) result->push(item);
  }
  return result;
}

}  // namespace

Value add(Heap& heap, const Value& left, const Value& right) {
  left.require_defined();
  right.require_defined();
  if (left.is_number() && right.is_number()) return numbers(BinaryOp::kAdd, left, right);
  if (left.is_string() && right.is_string()) {
    const bool markup = left.string().markup || right.string().markup;
    Builder builder(heap);
    for (const Value* side : {&left, &right}) {
      if (markup)
        print_escaped(builder, *side);
      else
        builder.add(side->string());
    }
    auto result = builder.take();
    result->markup = markup;
    return result;
  }
  if (!left.is_sequence() || left.kind() != right.kind()) unsupported(BinaryOp::kAdd, left, right);
  auto result = make<Sequence>(heap, left.kind());
  for (const Value* side : {&left, &right}) {
    heap.step(side->sequence().items.size());
    for (const Value& item : side->sequence().items) result->push(item);
  }
  return result;
}

Value binary(Interpreter& interpreter, BinaryOp op, const Value& left, const Value& right) {
  if (op == BinaryOp::kAdd) return add(interpreter.heap(), left, right);
  if (op == BinaryOp::kMod && left.is_string()) return format_percent(left.string(), right);
  left.require_defined();
  right.require_defined();
  if (left.is_number() && right.is_number()) return numbers(op, left, right);
  if (op == BinaryOp::kMul) {
    const auto repeats = [](const Value& v) { return v.is_string() || v.is_sequence(); };
    if (repeats(left) && right.is_integer())
      return repeat(interpreter.heap(), left, right.as_integer());
    if (repeats(right) && left.is_integer())
      return repeat(interpreter.heap(), right, left.as_integer());
  }
  unsupported(op, left, right);
}

Value negative(const Value& operand) {
  operand.require_defined();
  if (operand.is(Kind::kFloat)) return Value::real(-operand.as_real());
  if (!operand.is_integer()) raise("bad operand type for unary -: '{}'", type_name(operand));
  if (operand.as_integer() == INT64_MIN) overflow();
  return Value::integer(-operand.as_integer());
}

Value positive(const Value& operand) {
  operand.require_defined();
  if (operand.is(Kind::kFloat)) return operand;
  if (!operand.is_integer()) raise("bad operand type for unary +: '{}'", type_name(operand));
  return Value::integer(operand.as_integer());
}

}  // namespace orrery::text::jinja
