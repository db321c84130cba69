// Parser: tokens to a Program, by recursive descent, rule for rule as jinja2's parser.
//
// The recursion and the height of every expression are limited, so that a hostile template can
// neither overflow the stack here nor where the tree is walked. What jinja2 finds only when it
// compiles (unknown filters, a break outside a loop) check.cpp finds.
#pragma once

#include <initializer_list>
#include <unordered_map>

#include "text/jinja/lexer.h"

namespace orrery::text::jinja {

// Raises a TemplateError with line and column.
[[nodiscard]] Program parse(std::string_view source);

// Raises for what parses but can never run; called by parse().
// Notes in every macro which special names (caller, varargs, kwargs) its body uses.
void check(Program& program);

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens);
  Program run();

 private:
  using Ends = std::initializer_list<std::string_view>;

  // parse_expressions.cpp
  ExpressionPtr expression(bool conditional = true);
  ExpressionPtr tuple(bool conditional = true, bool parenthesised = false);
  ExpressionPtr parse_or();
  ExpressionPtr parse_and();
  ExpressionPtr parse_not();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concatenation();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr unary(bool filters = true);
  ExpressionPtr primary();
  ExpressionPtr string_literal();
  ExpressionPtr list();
  ExpressionPtr dict();
  ExpressionPtr postfix(ExpressionPtr node);
  ExpressionPtr filters_and_tests(ExpressionPtr node);
  ExpressionPtr subscript(ExpressionPtr node);
  ExpressionPtr filter(ExpressionPtr input, bool started = false);
  ExpressionPtr test(ExpressionPtr input);
  ExpressionPtr call(ExpressionPtr callee);
  CallArguments arguments();
  std::string dotted_name();
  std::optional<CompareOp> comparison_operator();
  ExpressionPtr constant(Place place, ConstantValue value);
  template <typename Node>
  ExpressionPtr make(Place place, Node node, std::initializer_list<const Expression*> children);

  // parse_statements.cpp
  Body body(Ends ends);
  Body block(Ends ends);  // after a tag: up to one of the tags `ends`, which is current then
  Body block_to(std::string_view end);  // the same, and skips the end tag's name
  void statement(Body& into);
  void output(Body& into);
  void parse_if(Body& into);
  void parse_for(Body& into);
  void parse_set(Body& into);
  void parse_macro(Body& into);
  void parse_call(Body& into);
  void parse_filter(Body& into);
  void parse_with(Body& into);
  void parse_block(Body& into);
  void parse_autoescape(Body& into);
  void parse_print(Body& into);
  void parse_unsupported(Body& into);
  void parse_from();
  void signature(MacroNode& macro);
  Target target(bool namespaces);
  Target target_item(bool namespaces);
  Target name_target();

  [[nodiscard]] const Token& current() const { return tokens_[at_]; }
  [[nodiscard]] const Token& ahead() const {
    return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_];
  }
  Token next();
  bool skip_name(std::string_view name);
  bool skip_op(std::string_view op);
  Token expect(TokenKind kind);
  void expect_op(std::string_view op);
  void expect_name(std::string_view name);
  [[nodiscard]] bool at_tuple_end() const;
  Symbol symbol(const std::string& name);
  [[noreturn]] void fail(std::string message) const {
    fail_at(current().place, std::move(message));
  }
  [[noreturn]] static void fail_at(Place place, std::string message);
  [[noreturn]] void fail_end(std::string_view tag) const;

  // Counts how deep the rules are inside each other.
  class Nesting {
   public:
    explicit Nesting(Parser& parser);
    ~Nesting() { --parser_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    Parser& parser_;
  };

  std::vector<Token> tokens_;
  u64 at_ = 0;
  u32 nesting_ = 0;
  std::vector<std::string> open_tags_;
  std::vector<std::vector<std::string>> open_ends_;
  Program program_;
  std::unordered_map<std::string, Symbol> symbols_;
};

}  // namespace orrery::text::jinja
