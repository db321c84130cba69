// Interpreter, expressions.
#include "text/jinja/builtins.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/operators.h"
#include "text/jinja/print.h"

namespace orrery::text::jinja {

Interpreter::Nesting::Nesting(Interpreter& interpreter) : interpreter_(interpreter) {
  interpreter_.heap().step();
  if (interpreter_.nesting_ >= interpreter_.heap().limits().nesting_max) {
    raise("maximum recursion depth exceeded");
  }
  ++interpreter_.nesting_;
}

Value Interpreter::evaluate(const Expression& expression, const Ref<Scope>& scope) {
  const Nesting nesting(*this);
  try {
    return std::visit([&](const auto& node) { return evaluate(node, scope); }, expression.node);
  } catch (TemplateError& error) {
    if (error.line == 0) {
      error.line = expression.place.line;
      error.column = expression.place.column;
    }
    throw;
  }
}

Value Interpreter::evaluate(const NameNode& node, const Ref<Scope>& scope) {
  if (const Value* found = scope->find(node.symbol)) return *found;
  return Value::undefined(heap_, fmt::format("'{}' is undefined", program_.names[node.symbol]));
}

Value Interpreter::evaluate(const ConstantNode& node, const Ref<Scope>&) {
  auto& cached = constants_[node.index];
  if (cached) return *cached;
  struct Make {
    Heap& heap;
    Value operator()(std::monostate) const { return Value::none(); }
    Value operator()(bool value) const { return Value::boolean(value); }
    Value operator()(i64 value) const { return Value::integer(value); }
    Value operator()(f64 value) const { return Value::real(value); }
    Value operator()(const std::string& value) const { return text(heap, value); }
  };
  cached = std::visit(Make{heap_}, program_.constants[node.index]);
  return *cached;
}

Value Interpreter::evaluate(const SequenceNode& node, const Ref<Scope>& scope) {
  auto result = make<Sequence>(heap_, node.is_tuple ? Kind::kTuple : Kind::kList);
  for (const auto& item : node.items) result->push(evaluate(*item, scope));
  return result;
}

Value Interpreter::evaluate(const DictNode& node, const Ref<Scope>& scope) {
  auto result = make<Dict>(heap_);
  for (const auto& [key, value] : node.items) {
    const Value name = evaluate(*key, scope);
    result->set(name, evaluate(*value, scope));
  }
  return result;
}

Value Interpreter::evaluate(const UnaryNode& node, const Ref<Scope>& scope) {
  const Value operand = evaluate(*node.operand, scope);
  if (node.op == UnaryOp::kNot) return Value::boolean(!truth(operand));
  return node.op == UnaryOp::kMinus ? negative(operand) : positive(operand);
}

Value Interpreter::evaluate(const BinaryNode& node, const Ref<Scope>& scope) {
  Value left = evaluate(*node.left, scope);
  if (node.op == BinaryOp::kAnd) return truth(left) ? evaluate(*node.right, scope) : left;
  if (node.op == BinaryOp::kOr) return truth(left) ? left : evaluate(*node.right, scope);
  return binary(*this, node.op, left, evaluate(*node.right, scope));
}

bool Interpreter::compare(CompareOp op, const Value& left, const Value& right) {
  switch (op) {
    case CompareOp::kEq:
      return equal(left, right);
    case CompareOp::kNe:
      return !equal(left, right);
    case CompareOp::kLt:
      return less(left, right, "<");
    case CompareOp::kGt:
      return less(right, left, ">");
    case CompareOp::kLe:
      return less_or_equal(left, right, "<=");
    case CompareOp::kGe:
      return less_or_equal(right, left, ">=");
    case CompareOp::kIn:
      return contains(heap_, right, left);
    case CompareOp::kNotIn:
      return !contains(heap_, right, left);
  }
  return false;
}

Value Interpreter::evaluate(const CompareNode& node, const Ref<Scope>& scope) {
  Value left = evaluate(*node.first, scope);
  for (const auto& [op, expression] : node.rest) {
    Value right = evaluate(*expression, scope);
    if (!compare(op, left, right)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Interpreter::evaluate(const ConcatNode& node, const Ref<Scope>& scope) {
  std::vector<Value> parts;
  bool markup = false;
  for (const auto& part : node.parts) {
    parts.push_back(evaluate(*part, scope));
    markup = markup || (parts.back().is_string() && parts.back().string().markup);
  }
  markup = markup && autoescape_;
  Builder builder(heap_);
  for (const Value& part : parts) {
    if (markup)
      print_escaped(builder, part);
    else
      print(builder, part);
  }
  auto result = builder.take();
  result->markup = markup;
  return result;
}

Value Interpreter::evaluate(const AttributeNode& node, const Ref<Scope>& scope) {
  return get_attribute(heap_, evaluate(*node.object, scope), node.name);
}

Value Interpreter::evaluate(const SubscriptNode& node, const Ref<Scope>& scope) {
  const Value object = evaluate(*node.object, scope);
  return get_item(heap_, object, evaluate(*node.index, scope));
}

Value Interpreter::evaluate(const SliceNode& node, const Ref<Scope>& scope) {
  const Value object = evaluate(*node.object, scope);
  const auto bound = [&](const ExpressionPtr& e) {
    return e ? evaluate(*e, scope) : Value::none();
  };
  const Value start = bound(node.start), stop = bound(node.stop);
  return get_slice(heap_, object, start, stop, bound(node.step));
}

Arguments Interpreter::evaluate_arguments(const CallArguments& node, const Ref<Scope>& scope) {
  Arguments result;
  for (const auto& argument : node.positional)
    result.positional.push_back(evaluate(*argument, scope));
  for (const auto& [name, value] : node.keywords) {
    result.keywords.push_back({make<String>(heap_, name), evaluate(*value, scope)});
  }
  if (node.star) {
    const auto more = to_list(heap_, evaluate(*node.star, scope));
    for (const Value& value : more->items) result.positional.push_back(value);
  }
  if (node.double_star) {
    const Value more = evaluate(*node.double_star, scope);
    if (!more.is(Kind::kDict))
      raise("argument after ** must be a mapping, not {}", type_name(more));
    for (const auto& [key, value] : more.dict().entries()) {
      if (!key.is_string()) raise("keywords must be strings");
      for (const auto& keyword : result.keywords) {
        if (keyword.name->bytes() == key.bytes()) {
          raise("got multiple values for keyword argument '{}'", key.bytes());
        }
      }
      result.keywords.push_back({Ref<String>(&key.string()), value});
    }
  }
  return result;
}

Value Interpreter::evaluate(const CallNode& node, const Ref<Scope>& scope) {
  const Value callee = evaluate(*node.callee, scope);
  Arguments arguments = evaluate_arguments(node.arguments, scope);
  return call(callee, arguments);
}

Value Interpreter::evaluate_filter(const FilterNode& node, const Value* block,
                                   const Ref<Scope>& scope) {
  // A chain without an input is a filter block's: the innermost filter gets the block's text.
  Value input;
  if (!node.input)
    input = *block;
  else if (const auto* inner = std::get_if<FilterNode>(&node.input->node); inner && block) {
    input = evaluate_filter(*inner, block, scope);
  } else {
    input = evaluate(*node.input, scope);
  }
  return apply_filter(node.name, input, evaluate_arguments(node.arguments, scope));
}

Value Interpreter::evaluate(const FilterNode& node, const Ref<Scope>& scope) {
  return evaluate_filter(node, nullptr, scope);
}

Value Interpreter::evaluate(const TestNode& node, const Ref<Scope>& scope) {
  const Value input = evaluate(*node.input, scope);
  return Value::boolean(apply_test(node.name, input, evaluate_arguments(node.arguments, scope)));
}

Value Interpreter::evaluate(const ConditionalNode& node, const Ref<Scope>& scope) {
  if (truth(evaluate(*node.test, scope))) return evaluate(*node.yes, scope);
  if (node.no) return evaluate(*node.no, scope);
  return Value::undefined(heap_,
                          "the inline if-expression evaluated to false and no else section "
                          "was defined.");
}

Value Interpreter::apply_filter(std::string_view name, const Value& input,
                                const Arguments& arguments) {
  const Filter filter = find_filter(name);
  if (!filter) raise("No filter named '{}' found.", name);
  const Nesting nesting(*this);
  return filter(*this, input, arguments);
}

bool Interpreter::apply_test(std::string_view name, const Value& input,
                             const Arguments& arguments) {
  const Test test = find_test(name);
  if (!test) raise("No test named '{}' found.", name);
  const Nesting nesting(*this);
  return test(*this, input, arguments);
}

Value Interpreter::call(const Value& callee, Arguments& arguments) {
  const Nesting nesting(*this);
  switch (callee.kind()) {
    case Kind::kUndefined:
      callee.raise_undefined();
    case Kind::kFunction:
      return callee.function().call(*this, arguments);
    case Kind::kMacro:
      return call_macro(callee.macro(), arguments);
    case Kind::kJoiner: {
      const Bound bound("joiner", arguments, {});
      if (std::exchange(callee.joiner().used, true)) return callee.joiner().separator;
      return text(heap_, "");
    }
    case Kind::kLoop: {
      const Bound bound("loop", arguments, {"iterable"}, 1);
      Loop& loop = callee.loop();
      if (!loop.recurse) {
        raise("The loop must have the 'recursive' marker to be called recursively.");
      }
      return loop.recurse(bound.at(0), loop.depth0 + 1);
    }
    default:
      raise("'{}' object is not callable", type_name(callee));
  }
}

}  // namespace orrery::text::jinja
