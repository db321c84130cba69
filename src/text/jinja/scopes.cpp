// Which variables a body hides. jinja2 gives every body (of a loop, macro, block, ...) its own
// variables at compile time: a name that the body first assigns and no outer body mentions belongs
// to this body from its beginning, so until the assignment it is undefined there, in inner bodies
// too, even if the caller passed a variable of that name. (Assignments inside an if do not count.)
// As jinja2's idtracking.
#include <algorithm>
#include <set>

#include "text/jinja/parser.h"
#include "text/jinja/walk.h"

namespace orrery::text::jinja {
namespace {

// The names that a body mentions itself, not in the bodies inside it.
struct Names {
  const Names* outer;
  std::set<Symbol> known;

  [[nodiscard]] bool finds(Symbol symbol) const {
    for (const Names* names = this; names; names = names->outer) {
      if (names->known.contains(symbol)) return true;
    }
    return false;
  }
};

class ScopeResolver {
 public:
  explicit ScopeResolver(Program& program) : program_(program) {}
  void run() { resolve(program_.body, nullptr, {}); }

 private:
  // A body's parameters and the expressions that are evaluated in it beside its statements.
  struct Inner {
    std::vector<Symbol> parameters;
    std::vector<const Expression*> before, after;
  };

  void resolve(Body& body, const Names* outer, const Inner& inner) {
    Names names{outer, {inner.parameters.begin(), inner.parameters.end()}};
    for (const Expression* expression : inner.before) mention(*expression, names);
    mention(body, names, body.hidden, false);
    for (const Expression* expression : inner.after) mention(*expression, names);
    descend(body, names);
  }

  static void mention(const Expression& expression, Names& names) {
    if (const auto* name = std::get_if<NameNode>(&expression.node)) {
      if (!names.finds(name->symbol)) names.known.insert(name->symbol);
    }
    for_each_part(expression, [&](const Expression& part) { mention(part, names); });
  }

  static void assign(const Target& target, Names& names, std::vector<Symbol>& hidden, bool in_if) {
    for (const Target& item : target.items) assign(item, names, hidden, in_if);
    if (target.is_tuple) return;
    const bool found = names.finds(target.symbol);
    if (target.attribute.empty() && !found && !in_if) hidden.push_back(target.symbol);
    names.known.insert(target.symbol);
  }

  // What the statements mention in this body itself.
  static void mention(const Body& body, Names& names, std::vector<Symbol>& hidden, bool in_if) {
    const auto optional = [&](const ExpressionPtr& e) {
      if (e) mention(*e, names);
    };
    const auto store = [&](Symbol symbol) {
      Target target;
      target.symbol = symbol;
      assign(target, names, hidden, in_if);
    };
    for (const Statement& statement : body.statements) {
      std::visit(Overloaded{
                     [&](const OutputNode& n) {
                       for (const auto& e : n.expressions) mention(*e, names);
                     },
                     [&](const IfNode& n) {
                       for (const auto& [test, then] : n.branches) {
                         mention(*test, names);
                         mention(then, names, hidden, true);
                       }
                       mention(n.otherwise, names, hidden, true);
                     },
                     [&](const ForNode& n) { mention(*n.items, names); },
                     [&](const SetNode& n) {
                       mention(*n.value, names);
                       assign(n.target, names, hidden, in_if);
                     },
                     [&](const SetBlockNode& n) { assign(n.target, names, hidden, in_if); },
                     [&](const std::shared_ptr<MacroNode>& n) { store(n->symbol); },
                     [&](const CallBlockNode& n) { mention(*n.call, names); },
                     [&](const FilterBlockNode& n) { optional(n.filter); },
                     [&](const WithNode& n) {
                       for (const auto& [target, value] : n.bindings) mention(*value, names);
                     },
                     [](const auto&) {},
                 },
                 statement.node);
    }
  }

  static void parameters_of(const Target& target, std::vector<Symbol>& into) {
    if (!target.is_tuple) into.push_back(target.symbol);
    for (const Target& item : target.items) parameters_of(item, into);
  }

  void resolve_macro(MacroNode& macro, const Names& names) {
    Inner inner{macro.parameters, {}, {}};
    if (macro.uses_caller) inner.parameters.push_back(program_.caller);
    if (macro.uses_varargs) inner.parameters.push_back(program_.varargs);
    if (macro.uses_kwargs) inner.parameters.push_back(program_.kwargs);
    for (const auto& expression : macro.defaults) inner.before.push_back(expression.get());
    resolve(macro.body, &names, inner);
  }

  // The bodies inside, once everything in this one is known.
  void descend(Body& body, const Names& names) {
    for (Statement& statement : body.statements) {
      std::visit(
          Overloaded{
              [&](IfNode& n) {
                for (auto& [test, then] : n.branches) descend(then, names);
                descend(n.otherwise, names);
              },
              [&](ForNode& n) {
                Inner inner{{program_.loop}, {}, {}};
                parameters_of(n.target, inner.parameters);
                resolve(n.body, &names, inner);
                resolve(n.otherwise, &names, {});
              },
              [&](SetBlockNode& n) { resolve(n.body, &names, {}); },
              [&](std::shared_ptr<MacroNode>& n) { resolve_macro(*n, names); },
              [&](CallBlockNode& n) { resolve_macro(*n.body, names); },
              [&](FilterBlockNode& n) { resolve(n.body, &names, {{}, {}, {n.filter.get()}}); },
              [&](WithNode& n) {
                Inner inner;
                for (const auto& [target, value] : n.bindings)
                  parameters_of(target, inner.parameters);
                resolve(n.body, &names, inner);
              },
              [&](BlockNode& n) { resolve(n.body, nullptr, {}); },
              [&](AutoescapeNode& n) { resolve(n.body, &names, {{}, {n.value.get()}, {}}); },
              [&](GenerationNode& n) { resolve(n.body, &names, {}); },
              [](auto&) {},
          },
          statement.node);
    }
  }

  Program& program_;
};

}  // namespace

void resolve_scopes(Program& program) { ScopeResolver(program).run(); }

}  // namespace orrery::text::jinja
