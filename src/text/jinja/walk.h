// Walking the tree: the direct parts of an expression, for passes that treat most kinds alike.
#pragma once

#include "text/jinja/ast.h"

namespace orrery::text::jinja {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

// visit(part) for every part that is there, in the order in which jinja2 looks at them.
template <typename Visit>
void for_each_argument(const CallArguments& arguments, Visit visit) {
  const auto optional = [&](const ExpressionPtr& part) {
    if (part) visit(*part);
  };
  for (const auto& argument : arguments.positional) visit(*argument);
  for (const auto& [name, value] : arguments.keywords) visit(*value);
  optional(arguments.star);
  optional(arguments.double_star);
}

template <typename Visit>
void for_each_part(const Expression& expression, Visit visit) {
  const auto optional = [&](const ExpressionPtr& part) {
    if (part) visit(*part);
  };
  const auto all = [&](const std::vector<ExpressionPtr>& parts) {
    for (const auto& part : parts) visit(*part);
  };
  std::visit(
      Overloaded{
          [](const NameNode&) {},
          [](const ConstantNode&) {},
          [&](const SequenceNode& n) { all(n.items); },
          [&](const DictNode& n) {
            for (const auto& [key, value] : n.items) visit(*key), visit(*value);
          },
          [&](const UnaryNode& n) { visit(*n.operand); },
          [&](const BinaryNode& n) { visit(*n.left), visit(*n.right); },
          [&](const CompareNode& n) {
            visit(*n.first);
            for (const auto& [op, right] : n.rest) visit(*right);
          },
          [&](const ConcatNode& n) { all(n.parts); },
          [&](const AttributeNode& n) { visit(*n.object); },
          [&](const SubscriptNode& n) { visit(*n.object), visit(*n.index); },
          [&](const SliceNode& n) {
            for (const auto* part : {&n.object, &n.start, &n.stop, &n.step}) optional(*part);
          },
          [&](const CallNode& n) { visit(*n.callee), for_each_argument(n.arguments, visit); },
          [&](const FilterNode& n) { optional(n.input), for_each_argument(n.arguments, visit); },
          [&](const TestNode& n) { visit(*n.input), for_each_argument(n.arguments, visit); },
          [&](const ConditionalNode& n) { visit(*n.test), visit(*n.yes), optional(n.no); },
      },
      expression.node);
}

}  // namespace orrery::text::jinja
