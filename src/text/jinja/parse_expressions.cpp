// Parser, expressions: jinja2's precedence, from `or` down to literals, filters and tests.
#include <algorithm>
#include <optional>

#include "text/jinja/heap.h"
#include "text/jinja/parser.h"

namespace orrery::text::jinja {
namespace {

u32 height(const Expression* e) { return e ? e->height : 0; }
const Expression* highest(const std::vector<ExpressionPtr>& items) {
  const auto it = std::max_element(items.begin(), items.end(), [](const auto& a, const auto& b) {
    return height(a.get()) < height(b.get());
  });
  return it == items.end() ? nullptr : it->get();
}
// The part of a call's arguments that is highest as a tree.
const Expression* highest(const CallArguments& arguments) {
  const Expression* result = highest(arguments.positional);
  const auto consider = [&](const ExpressionPtr& e) {
    if (height(e.get()) > height(result)) result = e.get();
  };
  for (const auto& [name, value] : arguments.keywords) consider(value);
  consider(arguments.star);
  consider(arguments.double_star);
  return result;
}

}  // namespace

template <typename Node>
ExpressionPtr Parser::make(Place place, Node node,
                           std::initializer_list<const Expression*> children) {
  constexpr u32 kHeightMax = 400;
  u32 tallest = 0;
  for (const Expression* child : children) tallest = std::max(tallest, height(child));
  if (tallest >= kHeightMax) fail_at(place, "an expression is nested too deep");
  return std::make_unique<Expression>(Expression{place, tallest + 1, std::move(node)});
}

ExpressionPtr Parser::constant(Place place, ConstantValue value) {
  program_.constants.push_back(std::move(value));
  return make(place, ConstantNode{u32(program_.constants.size() - 1)}, {});
}

ExpressionPtr Parser::expression(bool conditional) {
  const Nesting nesting(*this);
  Place place = current().place;
  ExpressionPtr yes = parse_or();
  while (conditional && skip_name("if")) {
    ExpressionPtr test = parse_or();
    ExpressionPtr no = skip_name("else") ? expression() : nullptr;
    const std::initializer_list<const Expression*> children = {test.get(), yes.get(), no.get()};
    yes = make(place, ConditionalNode{std::move(test), std::move(yes), std::move(no)}, children);
    place = current().place;
  }
  return yes;
}

ExpressionPtr Parser::parse_or() {
  ExpressionPtr left = parse_and();
  while (current().is_name("or")) {
    const Place place = next().place;
    ExpressionPtr right = parse_and();
    const std::initializer_list<const Expression*> children = {left.get(), right.get()};
    left = make(place, BinaryNode{BinaryOp::kOr, std::move(left), std::move(right)}, children);
  }
  return left;
}

ExpressionPtr Parser::parse_and() {
  ExpressionPtr left = parse_not();
  while (current().is_name("and")) {
    const Place place = next().place;
    ExpressionPtr right = parse_not();
    const std::initializer_list<const Expression*> children = {left.get(), right.get()};
    left = make(place, BinaryNode{BinaryOp::kAnd, std::move(left), std::move(right)}, children);
  }
  return left;
}

ExpressionPtr Parser::parse_not() {
  if (!current().is_name("not")) return comparison();
  const Nesting nesting(*this);
  const Place place = next().place;
  ExpressionPtr operand = parse_not();
  const Expression* child = operand.get();
  return make(place, UnaryNode{UnaryOp::kNot, std::move(operand)}, {child});
}

std::optional<CompareOp> Parser::comparison_operator() {
  constexpr std::pair<std::string_view, CompareOp> kOperators[] = {
      {"==", CompareOp::kEq}, {"!=", CompareOp::kNe}, {"<", CompareOp::kLt},
      {"<=", CompareOp::kLe}, {">", CompareOp::kGt},  {">=", CompareOp::kGe}};
  for (const auto& [text, op] : kOperators) {
    if (skip_op(text)) return op;
  }
  if (skip_name("in")) return CompareOp::kIn;
  if (!current().is_name("not") || !ahead().is_name("in")) return std::nullopt;
  next();
  next();
  return CompareOp::kNotIn;
}

ExpressionPtr Parser::comparison() {
  const Place place = current().place;
  CompareNode node{sum(), {}};
  u32 tallest = height(node.first.get());
  const Expression* child = node.first.get();
  while (const auto op = comparison_operator()) {
    node.rest.emplace_back(*op, sum());
    const Expression* right = node.rest.back().second.get();
    if (height(right) > tallest) tallest = height(right), child = right;
  }
  if (node.rest.empty()) return std::move(node.first);
  return make(place, std::move(node), {child});
}

ExpressionPtr Parser::sum() {
  ExpressionPtr left = concatenation();
  while (current().is_op("+") || current().is_op("-")) {
    const Token op = next();
    ExpressionPtr right = concatenation();
    const std::initializer_list<const Expression*> children = {left.get(), right.get()};
    left = make(op.place,
                BinaryNode{op.text == "+" ? BinaryOp::kAdd : BinaryOp::kSub, std::move(left),
                           std::move(right)},
                children);
  }
  return left;
}

ExpressionPtr Parser::concatenation() {
  const Place place = current().place;
  ConcatNode node;
  node.parts.push_back(product());
  while (skip_op("~")) node.parts.push_back(product());
  if (node.parts.size() == 1) return std::move(node.parts[0]);
  const Expression* child = highest(node.parts);
  return make(place, std::move(node), {child});
}

ExpressionPtr Parser::product() {
  constexpr std::pair<std::string_view, BinaryOp> kOperators[] = {{"*", BinaryOp::kMul},
                                                                  {"/", BinaryOp::kDiv},
                                                                  {"//", BinaryOp::kFloorDiv},
                                                                  {"%", BinaryOp::kMod}};
  ExpressionPtr left = power();
  while (true) {
    const auto op = std::find_if(std::begin(kOperators), std::end(kOperators),
                                 [&](const auto& o) { return current().is_op(o.first); });
    if (op == std::end(kOperators)) return left;
    const Place place = next().place;
    ExpressionPtr right = power();
    const std::initializer_list<const Expression*> children = {left.get(), right.get()};
    left = make(place, BinaryNode{op->second, std::move(left), std::move(right)}, children);
  }
}

ExpressionPtr Parser::power() {
  ExpressionPtr left = unary();
  while (current().is_op("**")) {
    const Place place = next().place;
    ExpressionPtr right = unary();
    const std::initializer_list<const Expression*> children = {left.get(), right.get()};
    left = make(place, BinaryNode{BinaryOp::kPow, std::move(left), std::move(right)}, children);
  }
  return left;
}

ExpressionPtr Parser::unary(bool filters) {
  ExpressionPtr node;
  if (current().is_op("-") || current().is_op("+")) {
    const Nesting nesting(*this);
    const Token op = next();
    ExpressionPtr operand = unary(false);
    const Expression* child = operand.get();
    const UnaryOp kind = op.text == "-" ? UnaryOp::kMinus : UnaryOp::kPlus;
    node = make(op.place, UnaryNode{kind, std::move(operand)}, {child});
  } else {
    node = primary();
  }
  node = postfix(std::move(node));
  return filters ? filters_and_tests(std::move(node)) : std::move(node);
}

ExpressionPtr Parser::string_literal() {
  const Place place = current().place;
  std::string joined;
  while (current().kind == TokenKind::kString) joined += next().text;
  return constant(place, std::move(joined));
}

ExpressionPtr Parser::primary() {
  const Place place = current().place;
  switch (current().kind) {
    case TokenKind::kName: {
      const std::string name = next().text;
      if (name == "true" || name == "True") return constant(place, true);
      if (name == "false" || name == "False") return constant(place, false);
      if (name == "none" || name == "None") return constant(place, std::monostate());
      return make(place, NameNode{symbol(name)}, {});
    }
    case TokenKind::kString:
      return string_literal();
    case TokenKind::kInteger:
      return constant(place, next().integer);
    case TokenKind::kFloat:
      return constant(place, next().real);
    default:
      break;
  }
  if (skip_op("(")) {
    ExpressionPtr node = tuple(true, true);
    expect_op(")");
    return node;
  }
  if (current().is_op("[")) return list();
  if (current().is_op("{")) return dict();
  fail(fmt::format("unexpected '{}'", current().text));
}

ExpressionPtr Parser::tuple(bool conditional, bool parenthesised) {
  const Place place = current().place;
  SequenceNode node{true, {}};
  bool is_tuple = false;
  while (true) {
    if (!node.items.empty()) expect_op(",");
    if (at_tuple_end()) break;
    node.items.push_back(expression(conditional));
    if (!current().is_op(",")) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!node.items.empty()) return std::move(node.items[0]);
    if (!parenthesised) fail(fmt::format("Expected an expression, got '{}'", current().text));
  }
  const Expression* child = highest(node.items);
  return make(place, std::move(node), {child});
}

ExpressionPtr Parser::list() {
  const Place place = next().place;
  SequenceNode node{false, {}};
  while (!current().is_op("]")) {
    if (!node.items.empty()) expect_op(",");
    if (current().is_op("]")) break;
    node.items.push_back(expression());
  }
  expect_op("]");
  const Expression* child = highest(node.items);
  return make(place, std::move(node), {child});
}

ExpressionPtr Parser::dict() {
  const Place place = next().place;
  DictNode node;
  const Expression* child = nullptr;
  while (!current().is_op("}")) {
    if (!node.items.empty()) expect_op(",");
    if (current().is_op("}")) break;
    ExpressionPtr key = expression();
    expect_op(":");
    ExpressionPtr value = expression();
    if (height(key.get()) > height(child)) child = key.get();
    if (height(value.get()) > height(child)) child = value.get();
    node.items.emplace_back(std::move(key), std::move(value));
  }
  expect_op("}");
  return make(place, std::move(node), {child});
}

ExpressionPtr Parser::postfix(ExpressionPtr node) {
  while (true) {
    if (current().is_op(".") || current().is_op("["))
      node = subscript(std::move(node));
    else if (current().is_op("("))
      node = call(std::move(node));
    else
      return node;
  }
}

ExpressionPtr Parser::filters_and_tests(ExpressionPtr node) {
  while (true) {
    if (current().is_op("|"))
      node = filter(std::move(node));
    else if (current().is_name("is"))
      node = test(std::move(node));
    else if (current().is_op("("))
      node = call(std::move(node));
    else
      return node;
  }
}

ExpressionPtr Parser::subscript(ExpressionPtr node) {
  const Token open = next();
  const Expression* object = node.get();
  if (open.text == ".") {
    const Token name = next();
    if (name.kind == TokenKind::kName) {
      return make(open.place, AttributeNode{std::move(node), name.text}, {object});
    }
    if (name.kind != TokenKind::kInteger) fail_at(name.place, "expected name or number");
    ExpressionPtr index = constant(name.place, name.integer);
    return make(open.place, SubscriptNode{std::move(node), std::move(index)}, {object});
  }
  SequenceNode indexes{true, {}};
  while (!current().is_op("]")) {
    if (!indexes.items.empty()) expect_op(",");
    ExpressionPtr first;
    if (!current().is_op(":")) first = expression();
    if (!skip_op(":")) {
      indexes.items.push_back(std::move(first));
      continue;
    }
    ExpressionPtr stop, step;
    const auto ends = [&] { return current().is_op("]") || current().is_op(","); };
    if (!current().is_op(":") && !ends()) stop = expression();
    if (skip_op(":") && !ends()) step = expression();
    if (!current().is_op("]") || !indexes.items.empty()) fail("a slice among several indexes");
    next();
    const std::initializer_list<const Expression*> children = {object, first.get(), stop.get(),
                                                               step.get()};
    return make(open.place,
                SliceNode{std::move(node), std::move(first), std::move(stop), std::move(step)},
                children);
  }
  expect_op("]");
  ExpressionPtr index;
  if (indexes.items.size() == 1) {
    index = std::move(indexes.items[0]);
  } else {
    const Expression* child = highest(indexes.items);
    index = make(open.place, std::move(indexes), {child});
  }
  const Expression* child = index.get();
  return make(open.place, SubscriptNode{std::move(node), std::move(index)}, {object, child});
}

CallArguments Parser::arguments() {
  const Place place = current().place;
  expect_op("(");
  CallArguments result;
  const auto require = [&](bool valid) {
    if (!valid) fail_at(place, "invalid syntax for function call expression");
  };
  bool first = true;
  while (!current().is_op(")")) {
    if (!std::exchange(first, false)) {
      expect_op(",");
      if (current().is_op(")")) break;
    }
    if (skip_op("*")) {
      require(!result.star && !result.double_star);
      result.star = expression();
    } else if (skip_op("**")) {
      require(!result.double_star);
      result.double_star = expression();
    } else if (current().kind == TokenKind::kName && ahead().is_op("=")) {
      require(!result.double_star);
      std::string name = next().text;
      next();
      result.keywords.emplace_back(std::move(name), expression());
    } else {
      require(!result.star && !result.double_star && result.keywords.empty());
      result.positional.push_back(expression());
    }
  }
  expect_op(")");
  return result;
}

ExpressionPtr Parser::call(ExpressionPtr callee) {
  const Place place = current().place;
  CallArguments args = arguments();
  const std::initializer_list<const Expression*> children = {callee.get(), highest(args)};
  return make(place, CallNode{std::move(callee), std::move(args)}, children);
}

std::string Parser::dotted_name() {
  std::string name = expect(TokenKind::kName).text;
  while (skip_op(".")) name += "." + expect(TokenKind::kName).text;
  return name;
}

ExpressionPtr Parser::filter(ExpressionPtr input, bool started) {
  while (started || current().is_op("|")) {
    if (!started) next();
    started = false;
    const Place place = current().place;
    std::string name = dotted_name();
    CallArguments args;
    if (current().is_op("(")) args = arguments();
    const std::initializer_list<const Expression*> children = {input.get(), highest(args)};
    input = make(place, FilterNode{std::move(input), std::move(name), std::move(args)}, children);
  }
  return input;
}

ExpressionPtr Parser::test(ExpressionPtr input) {
  const Place place = next().place;
  const bool negated = skip_name("not");
  std::string name = dotted_name();
  CallArguments args;
  const Token& token = current();
  const bool starts_primary = token.kind == TokenKind::kName || token.kind == TokenKind::kString ||
                              token.kind == TokenKind::kInteger ||
                              token.kind == TokenKind::kFloat || token.is_op("[") ||
                              token.is_op("{");
  if (token.is_op("(")) {
    args = arguments();
  } else if (starts_primary && !token.is_name("else") && !token.is_name("or") &&
             !token.is_name("and")) {
    if (token.is_name("is")) fail("You cannot chain multiple tests with is");
    args.positional.push_back(postfix(primary()));
  }
  const std::initializer_list<const Expression*> children = {input.get(), highest(args)};
  ExpressionPtr node =
      make(place, TestNode{std::move(input), std::move(name), std::move(args)}, children);
  if (!negated) return node;
  const Expression* child = node.get();
  return make(place, UnaryNode{UnaryOp::kNot, std::move(node)}, {child});
}

}  // namespace orrery::text::jinja
