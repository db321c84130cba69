// Parser, statements: the tags of jinja2, loopcontrols and transformers' generation tag.
#include <algorithm>

#include "text/jinja/heap.h"
#include "text/jinja/parser.h"

namespace orrery::text::jinja {

Parser::Nesting::Nesting(Parser& parser) : parser_(parser) {
  constexpr u32 kNestingMax = 150;
  if (++parser_.nesting_ > kNestingMax) parser_.fail("the template nests too deep");
}

Parser::Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {
  program_.caller = symbol("caller");
  program_.varargs = symbol("varargs");
  program_.kwargs = symbol("kwargs");
  program_.loop = symbol("loop");
}

void Parser::fail_at(Place place, std::string message) {
  throw TemplateError{std::move(message), place.line, place.column};
}

Token Parser::next() {
  Token token = tokens_[at_];
  if (token.kind != TokenKind::kEnd) ++at_;
  return token;
}
bool Parser::skip_name(std::string_view name) {
  if (!current().is_name(name)) return false;
  ++at_;
  return true;
}
bool Parser::skip_op(std::string_view op) {
  if (!current().is_op(op)) return false;
  ++at_;
  return true;
}

Token Parser::expect(TokenKind kind) {
  constexpr std::string_view kNames[] = {"template data / text",
                                         "begin of print statement",
                                         "end of print statement",
                                         "begin of statement block",
                                         "end of statement block",
                                         "name",
                                         "string",
                                         "integer",
                                         "float",
                                         "operator",
                                         "end of template"};
  if (current().kind != kind) {
    if (current().kind == TokenKind::kEnd) {
      fail(fmt::format("unexpected end of template, expected '{}'.", kNames[u64(kind)]));
    }
    fail(fmt::format("expected token '{}', got '{}'", kNames[u64(kind)],
                     current().text.empty() ? kNames[u64(current().kind)] : current().text));
  }
  return next();
}
void Parser::expect_op(std::string_view op) {
  if (!skip_op(op)) fail(fmt::format("expected token '{}', got '{}'", op, current().text));
}
void Parser::expect_name(std::string_view name) {
  if (!skip_name(name)) fail(fmt::format("expected token '{}', got '{}'", name, current().text));
}

bool Parser::at_tuple_end() const {
  const Token& token = current();
  return token.kind == TokenKind::kVariableEnd || token.kind == TokenKind::kBlockEnd ||
         token.is_op(")");
}

Symbol Parser::symbol(const std::string& name) {
  const auto [it, is_new] = symbols_.emplace(name, Symbol(program_.names.size()));
  if (is_new) program_.names.push_back(name);
  return it->second;
}

void Parser::fail_end(std::string_view tag) const {
  std::string message = tag.empty() ? "Unexpected end of template."
                                    : fmt::format("Encountered unknown tag '{}'.", tag);
  if (!open_ends_.empty()) {
    message += " Jinja was looking for the following tags: ";
    for (u64 i = 0; i < open_ends_.back().size(); ++i) {
      message += fmt::format("{}'{}'", i ? " or " : "", open_ends_.back()[i]);
    }
    message += ".";
  }
  if (!open_tags_.empty()) {
    message +=
        fmt::format(" The innermost block that needs to be closed is '{}'.", open_tags_.back());
  }
  fail(std::move(message));
}

Program Parser::run() {
  program_.body = body({});
  return std::move(program_);
}

Body Parser::body(Ends ends) {
  Body result;
  while (true) {
    switch (current().kind) {
      case TokenKind::kEnd:
        return result;
      case TokenKind::kData: {
        Token data = next();
        result.push_back({data.place, DataNode{std::move(data.text)}});
        break;
      }
      case TokenKind::kVariableBegin:
        output(result);
        break;
      default:  // a block begins
        next();
        for (const std::string_view end : ends) {
          if (current().is_name(end)) return result;
        }
        statement(result);
        expect(TokenKind::kBlockEnd);
    }
  }
}

Body Parser::block(Ends ends) {
  skip_op(":");
  expect(TokenKind::kBlockEnd);
  open_ends_.emplace_back(ends.begin(), ends.end());
  Body result = body(ends);
  if (current().kind == TokenKind::kEnd) fail_end("");
  open_ends_.pop_back();
  return result;
}

Body Parser::block_to(std::string_view end) {
  Body result = block({end});
  next();
  return result;
}

void Parser::output(Body& into) {
  const Place place = next().place;
  OutputNode node;
  node.expressions.push_back(tuple());
  expect(TokenKind::kVariableEnd);
  into.push_back({place, std::move(node)});
}

void Parser::statement(Body& into) {
  using Rule = void (Parser::*)(Body&);
  static const std::unordered_map<std::string_view, Rule> kRules = {
      {"if", &Parser::parse_if},
      {"for", &Parser::parse_for},
      {"set", &Parser::parse_set},
      {"macro", &Parser::parse_macro},
      {"call", &Parser::parse_call},
      {"filter", &Parser::parse_filter},
      {"with", &Parser::parse_with},
      {"block", &Parser::parse_block},
      {"print", &Parser::parse_print},
      {"autoescape", &Parser::parse_autoescape},
      {"include", &Parser::parse_unsupported},
      {"import", &Parser::parse_unsupported},
      {"from", &Parser::parse_unsupported},
      {"extends", &Parser::parse_unsupported}};
  const Nesting nesting(*this);
  if (current().kind != TokenKind::kName) fail("tag name expected");
  const Place place = current().place;
  const std::string tag = current().text;
  const auto rule = kRules.find(tag);
  if (rule != kRules.end()) {
    open_tags_.push_back(tag);
    (this->*rule->second)(into);
    open_tags_.pop_back();
  } else if (tag == "break" || tag == "continue") {
    next();
    if (tag == "break")
      into.push_back({place, BreakNode{}});
    else
      into.push_back({place, ContinueNode{}});
  } else if (tag == "generation") {
    next();
    open_tags_.push_back(tag);
    into.push_back({place, GenerationNode{block_to("endgeneration")}});
    open_tags_.pop_back();
  } else {
    fail_end(tag);
  }
}

void Parser::parse_if(Body& into) {
  const Place place = next().place;
  IfNode node;
  while (true) {
    ExpressionPtr test = tuple(false);
    Body then = block({"elif", "else", "endif"});
    node.branches.emplace_back(std::move(test), std::move(then));
    if (skip_name("elif")) continue;
    if (skip_name("else"))
      node.otherwise = block_to("endif");
    else
      next();
    break;
  }
  into.push_back({place, std::move(node)});
}

void Parser::parse_for(Body& into) {
  const Place place = next().place;
  ForNode node;
  node.target = target(false);
  expect_name("in");
  node.items = tuple(false);
  if (skip_name("if")) node.test = expression();
  node.recursive = skip_name("recursive");
  node.body = block({"endfor", "else"});
  if (skip_name("else"))
    node.otherwise = block_to("endfor");
  else
    next();
  into.push_back({place, std::move(node)});
}

void Parser::parse_set(Body& into) {
  const Place place = next().place;
  Target to = target(true);
  if (skip_op("=")) {
    into.push_back({place, SetNode{std::move(to), tuple()}});
    return;
  }
  ExpressionPtr filters = filter(nullptr);
  into.push_back({place, SetBlockNode{std::move(to), std::move(filters), block_to("endset")}});
}

Target Parser::name_target() {
  const Token name = expect(TokenKind::kName);
  constexpr std::string_view kReserved[] = {"true", "false", "none", "True", "False", "None"};
  if (std::find(std::begin(kReserved), std::end(kReserved), name.text) != std::end(kReserved)) {
    fail_at(name.place, fmt::format("can't assign to '{}'", name.text));
  }
  Target result;
  result.place = name.place;
  result.symbol = symbol(name.text);
  return result;
}

// One name, one attribute of a namespace, or several in parentheses.
Target Parser::target_item(bool namespaces) {
  const Nesting nesting(*this);
  if (current().is_op("(")) {
    next();
    Target inner = target(false);
    if (!current().is_op(")")) fail(fmt::format("expected token ')', got '{}'", current().text));
    next();
    return inner;
  }
  if (current().kind != TokenKind::kName) fail("can't assign to this");
  Target result = name_target();
  if (namespaces && skip_op(".")) result.attribute = expect(TokenKind::kName).text;
  return result;
}

Target Parser::target(bool namespaces) {
  Target result;
  result.place = current().place;
  while (true) {
    if (!result.items.empty()) expect_op(",");
    if (at_tuple_end()) break;
    result.items.push_back(target_item(namespaces));
    if (!current().is_op(",")) break;
    result.is_tuple = true;
  }
  if (result.is_tuple) return result;
  if (result.items.empty()) fail("a name to assign to is missing");
  return std::move(result.items[0]);
}

void Parser::signature(MacroNode& macro) {
  expect_op("(");
  while (!current().is_op(")")) {
    if (!macro.parameters.empty()) expect_op(",");
    const Target name = name_target();
    if (skip_op("="))
      macro.defaults.push_back(expression());
    else if (!macro.defaults.empty())
      fail("non-default argument follows default argument");
    macro.parameters.push_back(name.symbol);
    macro.parameter_names.push_back(program_.names[name.symbol]);
  }
  expect_op(")");
}

void Parser::parse_macro(Body& into) {
  const Place place = next().place;
  auto macro = std::make_shared<MacroNode>();
  macro->symbol = name_target().symbol;
  macro->name = program_.names[macro->symbol];
  signature(*macro);
  macro->body = block_to("endmacro");
  into.push_back({place, std::move(macro)});
}

void Parser::parse_call(Body& into) {
  const Place place = next().place;
  auto macro = std::make_shared<MacroNode>();
  if (current().is_op("(")) signature(*macro);
  ExpressionPtr called = expression();
  if (!std::holds_alternative<CallNode>(called->node)) fail_at(place, "expected call");
  macro->body = block_to("endcall");
  into.push_back({place, CallBlockNode{std::move(called), std::move(macro)}});
}

void Parser::parse_filter(Body& into) {
  const Place place = next().place;
  ExpressionPtr filters = filter(nullptr, true);
  into.push_back({place, FilterBlockNode{std::move(filters), block_to("endfilter")}});
}

void Parser::parse_with(Body& into) {
  const Place place = next().place;
  WithNode node;
  while (current().kind != TokenKind::kBlockEnd) {
    if (!node.bindings.empty()) expect_op(",");
    Target to = target(false);
    expect_op("=");
    node.bindings.emplace_back(std::move(to), expression());
  }
  node.body = block_to("endwith");
  into.push_back({place, std::move(node)});
}

void Parser::parse_block(Body& into) {
  const Place place = next().place;
  BlockNode node;
  node.name = expect(TokenKind::kName).text;
  node.scoped = skip_name("scoped");
  node.required = skip_name("required");
  if (current().is_op("-")) fail("Block names in Jinja may not contain hyphens");
  node.body = block_to("endblock");
  skip_name(node.name);
  into.push_back({place, std::move(node)});
}

void Parser::parse_autoescape(Body& into) {
  const Place place = next().place;
  ExpressionPtr value = expression();
  into.push_back({place, AutoescapeNode{std::move(value), block_to("endautoescape")}});
}

void Parser::parse_print(Body& into) {
  const Place place = next().place;
  OutputNode node;
  while (current().kind != TokenKind::kBlockEnd) {
    if (!node.expressions.empty()) expect_op(",");
    node.expressions.push_back(expression());
  }
  into.push_back({place, std::move(node)});
}

// There is no loader, so these fail when they are run; here only their syntax matters.
void Parser::parse_unsupported(Body& into) {
  const Token tag = next();
  expression();
  if (tag.text == "from") parse_from();
  if (tag.text == "import") {
    expect_name("as");
    name_target();
  }
  if (tag.text == "include" && current().is_name("ignore") && ahead().is_name("missing")) {
    next();
    next();
  }
  if ((current().is_name("with") || current().is_name("without")) && ahead().is_name("context")) {
    next();
    next();
  }
  into.push_back({tag.place, UnsupportedNode{tag.text}});
}

void Parser::parse_from() {
  expect_name("import");
  bool first = true;
  while (true) {
    if (!std::exchange(first, false)) expect_op(",");
    if (ahead().is_name("context")) return;
    name_target();
    if (skip_name("as")) name_target();
    if (!current().is_op(",")) return;
  }
}

Program parse(std::string_view source) {
  Program program = Parser(tokenize(source)).run();
  check(program);
  return program;
}

}  // namespace orrery::text::jinja
