// The arithmetic operators of Python on values.
#pragma once

#include "text/jinja/ast.h"
#include "text/jinja/value.h"

namespace orrery::text::jinja {

class Interpreter;

// All but `and` and `or`, which do not evaluate both sides.
[[nodiscard]] Value binary(Interpreter& interpreter, BinaryOp op, const Value& left,
                           const Value& right);
[[nodiscard]] Value negative(const Value& operand);
[[nodiscard]] Value positive(const Value& operand);
[[nodiscard]] Value add(Heap& heap, const Value& left, const Value& right);

}  // namespace orrery::text::jinja
