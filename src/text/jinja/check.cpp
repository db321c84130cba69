// What jinja2 finds when it compiles a parsed template: unknown filters and tests (outside an if,
// where they matter only when they are run), break and continue outside a loop, assignment to
// `loop`, names given twice; and which of caller, varargs and kwargs each macro uses.
#include <set>

#include "text/jinja/builtins.h"
#include "text/jinja/heap.h"
#include "text/jinja/parser.h"

namespace orrery::text::jinja {
namespace {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

[[noreturn]] void fail(Place place, std::string message) {
  throw TemplateError{std::move(message), place.line, place.column};
}

class Checker {
 public:
  explicit Checker(Program& program) : program_(program) {}
  void run() { visit(program_.body, Frame{}); }

 private:
  struct Frame {
    bool soft = false;     // unknown filters are errors only when they are run
    bool in_loop = false;  // break and continue have a loop to act on
    bool in_for = false;   // `loop` belongs to a for loop and cannot be assigned
  };
  // A macro whose body is being visited, and the special names that it has not made its own.
  struct OpenMacro {
    MacroNode* macro;
    bool caller = true, varargs = true, kwargs = true;
  };

  static Frame inner(Frame frame) {
    frame.soft = false;
    return frame;
  }
  static Frame function(Frame frame) {
    frame.soft = frame.in_loop = false;
    return frame;
  }

  void load(Symbol symbol) {
    for (OpenMacro& open : macros_) {
      if (symbol == program_.caller && open.caller) open.macro->uses_caller = true;
      if (symbol == program_.varargs && open.varargs) open.macro->uses_varargs = true;
      if (symbol == program_.kwargs && open.kwargs) open.macro->uses_kwargs = true;
    }
  }
  void store(Symbol symbol) {
    for (OpenMacro& open : macros_) {
      if (symbol == program_.caller) open.caller = false;
      if (symbol == program_.varargs) open.varargs = false;
      if (symbol == program_.kwargs) open.kwargs = false;
    }
  }

  void visit(const Target& target, Frame frame, bool is_store = true) {
    if (!target.is_tuple) {
      if (!target.attribute.empty()) return load(target.symbol);
      if (is_store && frame.in_for && target.symbol == program_.loop) {
        fail(target.place, "Can't assign to special loop variable in for-loop target");
      }
      store(target.symbol);
    }
    for (const Target& item : target.items) visit(item, frame, is_store);
  }

  void visit(const CallArguments& arguments, Place place, Frame frame) {
    for (const auto& argument : arguments.positional) visit(argument, frame);
    std::set<std::string_view> names;
    for (const auto& [name, value] : arguments.keywords) {
      visit(value, frame);
      if (!names.insert(name).second)
        fail(place, fmt::format("keyword argument repeated: {}", name));
    }
    visit(arguments.star, frame);
    visit(arguments.double_star, frame);
  }

  void visit(const ExpressionPtr& expression, Frame frame) {
    if (!expression) return;
    const Place place = expression->place;
    Frame soft = frame;
    soft.soft = true;
    std::visit(
        Overloaded{
            [&](const NameNode& n) { load(n.symbol); },
            [](const ConstantNode&) {},
            [&](const SequenceNode& n) { visit(n.items, frame); },
            [&](const DictNode& n) {
              for (const auto& [key, value] : n.items) visit(key, frame), visit(value, frame);
            },
            [&](const UnaryNode& n) { visit(n.operand, frame); },
            [&](const BinaryNode& n) { visit(n.left, frame), visit(n.right, frame); },
            [&](const CompareNode& n) {
              visit(n.first, frame);
              for (const auto& [op, right] : n.rest) visit(right, frame);
            },
            [&](const ConcatNode& n) { visit(n.parts, frame); },
            [&](const AttributeNode& n) { visit(n.object, frame); },
            [&](const SubscriptNode& n) { visit(n.object, frame), visit(n.index, frame); },
            [&](const SliceNode& n) {
              for (const auto* part : {&n.object, &n.start, &n.stop, &n.step}) visit(*part, frame);
            },
            [&](const CallNode& n) { visit(n.callee, frame), visit(n.arguments, place, frame); },
            [&](const FilterNode& n) {
              if (!frame.soft && !find_filter(n.name)) {
                fail(place, fmt::format("No filter named '{}'.", n.name));
              }
              visit(n.input, frame), visit(n.arguments, place, frame);
            },
            [&](const TestNode& n) {
              if (!frame.soft && !find_test(n.name)) {
                fail(place, fmt::format("No test named '{}'.", n.name));
              }
              visit(n.input, frame), visit(n.arguments, place, frame);
            },
            [&](const ConditionalNode& n) {
              for (const auto* part : {&n.test, &n.yes, &n.no}) visit(*part, soft);
            },
        },
        expression->node);
  }
  void visit(const std::vector<ExpressionPtr>& expressions, Frame frame) {
    for (const auto& expression : expressions) visit(expression, frame);
  }

  void visit_macro(MacroNode& macro, Place place, Frame frame) {
    std::set<Symbol> names;
    for (u64 i = 0; i < macro.parameters.size(); ++i) {
      if (!names.insert(macro.parameters[i]).second) {
        fail(place, fmt::format("duplicate argument '{}'", macro.parameter_names[i]));
      }
      store(macro.parameters[i]);
    }
    visit(macro.defaults, function(frame));
    macros_.push_back({&macro});
    visit(macro.body, function(frame));
    macros_.pop_back();
    const bool last_has_default = !macro.defaults.empty();
    if (macro.uses_caller && names.contains(program_.caller) && !last_has_default) {
      fail(place, "the special \"caller\" argument must be omitted or be given a default");
    }
  }

  void visit_for(const ForNode& n, Frame frame) {
    visit(n.items, frame);
    Frame inside = inner(frame);
    inside.in_for = true;
    visit(n.target, inside);
    visit(n.test, inside);
    Frame otherwise = inside;
    inside.in_loop = true;
    if (n.recursive) otherwise.in_loop = false;
    visit(n.body, inside);
    visit(n.otherwise, otherwise);
  }

  void visit(const Statement& statement, Frame frame) {
    Frame soft = frame;
    soft.soft = true;
    const auto control = [&] {
      if (!frame.in_loop) fail(statement.place, "break or continue outside of a loop");
    };
    std::visit(
        Overloaded{
            [](const DataNode&) {},
            [&](const OutputNode& n) { visit(n.expressions, frame); },
            [&](const IfNode& n) {
              for (const auto& [test, then] : n.branches) visit(test, soft), visit(then, soft);
              visit(n.otherwise, soft);
            },
            [&](const ForNode& n) { visit_for(n, frame); },
            [&](const SetNode& n) { visit(n.value, frame), visit(n.target, frame); },
            [&](const SetBlockNode& n) {
              visit(n.filter, inner(frame)), visit(n.body, inner(frame)), visit(n.target, frame);
            },
            [&](const std::shared_ptr<MacroNode>& n) { visit_macro(*n, statement.place, frame); },
            [&](const CallBlockNode& n) {
              visit(n.call, frame);
              visit_macro(*n.body, statement.place, frame);
            },
            [&](const FilterBlockNode& n) {
              visit(n.filter, inner(frame)), visit(n.body, inner(frame));
            },
            [&](const WithNode& n) {
              for (const auto& [target, value] : n.bindings) {
                visit(value, frame);
                visit(target, frame, false);
              }
              visit(n.body, inner(frame));
            },
            [&](const BlockNode& n) {
              if (!blocks_.insert(n.name).second) {
                fail(statement.place, fmt::format("block '{}' defined twice", n.name));
              }
              Frame in_block;
              in_block.in_for = frame.in_for;
              visit(n.body, in_block);
            },
            [&](const AutoescapeNode& n) {
              visit(n.value, inner(frame)), visit(n.body, inner(frame));
            },
            [&](const GenerationNode& n) { visit(n.body, function(frame)); },
            [&](const BreakNode&) { control(); },
            [&](const ContinueNode&) { control(); },
            [](const UnsupportedNode&) {},
        },
        statement.node);
  }
  void visit(const Body& body, Frame frame) {
    for (const Statement& statement : body) visit(statement, frame);
  }

  Program& program_;
  std::vector<OpenMacro> macros_;
  std::set<std::string> blocks_;
};

}  // namespace

void check(Program& program) { Checker(program).run(); }

}  // namespace orrery::text::jinja
