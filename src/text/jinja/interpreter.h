// Interpreter: one rendering of a Program. Walks the tree; a scope is a small list of variables
// with a parent, as lexical as jinja2's: assignments stay in their loop, macro or block.
#pragma once

#include "text/jinja/ast.h"
#include "text/jinja/callable.h"

namespace orrery::text::jinja {

class Scope final : public CyclicObject {
 public:
  Scope(Heap& heap, Ref<Scope> parent) : CyclicObject(heap), parent_(std::move(parent)) {}
  void clear() override;
  void set(Symbol symbol, Value value);
  [[nodiscard]] const Value* find(Symbol symbol) const;

 private:
  Ref<Scope> parent_;
  std::vector<std::pair<Symbol, Value>> variables_;
};

class Interpreter {
 public:
  Interpreter(const Program& program, const Limits& limits);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  [[nodiscard]] const Program& program() const { return program_; }
  [[nodiscard]] Heap& heap() { return heap_; }
  // A variable of the context; names that the template does not use may be left out.
  void define(Symbol symbol, Value value);
  [[nodiscard]] MarkedText render();

  [[nodiscard]] Value call(const Value& callee, Arguments& arguments);
  [[nodiscard]] Value apply_filter(std::string_view name, const Value& input,
                                   const Arguments& arguments);
  [[nodiscard]] bool apply_test(std::string_view name, const Value& input,
                                const Arguments& arguments);
  [[nodiscard]] bool autoescape() const { return autoescape_; }

  // Counts evaluation inside evaluation, so that the machine's stack cannot overflow.
  class Nesting {
   public:
    explicit Nesting(Interpreter& interpreter);
    ~Nesting() { --interpreter_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    Interpreter& interpreter_;
  };

 private:
  enum class Flow : u8 { kNext, kBreak, kContinue };

  // evaluate.cpp
  Value evaluate(const Expression& expression, const Ref<Scope>& scope);
  Value evaluate(const NameNode& node, const Ref<Scope>& scope);
  Value evaluate(const ConstantNode& node, const Ref<Scope>& scope);
  Value evaluate(const SequenceNode& node, const Ref<Scope>& scope);
  Value evaluate(const DictNode& node, const Ref<Scope>& scope);
  Value evaluate(const UnaryNode& node, const Ref<Scope>& scope);
  Value evaluate(const BinaryNode& node, const Ref<Scope>& scope);
  Value evaluate(const CompareNode& node, const Ref<Scope>& scope);
  Value evaluate(const ConcatNode& node, const Ref<Scope>& scope);
  Value evaluate(const AttributeNode& node, const Ref<Scope>& scope);
  Value evaluate(const SubscriptNode& node, const Ref<Scope>& scope);
  Value evaluate(const SliceNode& node, const Ref<Scope>& scope);
  Value evaluate(const CallNode& node, const Ref<Scope>& scope);
  Value evaluate(const FilterNode& node, const Ref<Scope>& scope);
  Value evaluate(const TestNode& node, const Ref<Scope>& scope);
  Value evaluate(const ConditionalNode& node, const Ref<Scope>& scope);
  bool compare(CompareOp op, const Value& left, const Value& right);
  Arguments evaluate_arguments(const CallArguments& node, const Ref<Scope>& scope);
  Value evaluate_filter(const FilterNode& node, const Value* block, const Ref<Scope>& scope);

  // execute.cpp
  Flow execute(const Body& body, const Ref<Scope>& scope);
  Flow execute(const Statement& statement, const Ref<Scope>& scope);
  Flow execute(const DataNode& node, const Ref<Scope>& scope);
  Flow execute(const OutputNode& node, const Ref<Scope>& scope);
  Flow execute(const IfNode& node, const Ref<Scope>& scope);
  Flow execute(const ForNode& node, const Ref<Scope>& scope);
  Flow execute(const SetNode& node, const Ref<Scope>& scope);
  Flow execute(const SetBlockNode& node, const Ref<Scope>& scope);
  Flow execute(const std::shared_ptr<MacroNode>& node, const Ref<Scope>& scope);
  Flow execute(const CallBlockNode& node, const Ref<Scope>& scope);
  Flow execute(const FilterBlockNode& node, const Ref<Scope>& scope);
  Flow execute(const WithNode& node, const Ref<Scope>& scope);
  Flow execute(const BlockNode& node, const Ref<Scope>& scope);
  Flow execute(const AutoescapeNode& node, const Ref<Scope>& scope);
  Flow execute(const GenerationNode& node, const Ref<Scope>& scope);
  Flow execute(const BreakNode& node, const Ref<Scope>& scope);
  Flow execute(const ContinueNode& node, const Ref<Scope>& scope);
  Flow execute(const UnsupportedNode& node, const Ref<Scope>& scope);
  Flow run_loop(const ForNode& node, const Value& items, const Ref<Scope>& scope, i64 depth0);
  Ref<Iterator> filtered(const ForNode& node, const Value& items, const Ref<Scope>& scope);
  void assign(const Target& target, Value value, const Ref<Scope>& scope);
  void check_namespaces(const Target& target, const Ref<Scope>& scope);
  void write(const Value& value);
  void write_string(const Value& value);
  // What `run` writes, as a string.
  template <typename Run>
  Value capture(Run run);
  Value call_macro(const Macro& macro, Arguments& arguments);
  Value parameter(const Macro& macro, u64 index, std::optional<Value> given,
                  const Ref<Scope>& scope);

  const Program& program_;
  Heap heap_;
  Ref<Scope> context_, root_;
  std::vector<std::optional<Value>> constants_;
  Builder* out_ = nullptr;
  u32 nesting_ = 0, depth_ = 0;
  bool autoescape_ = false;
};

}  // namespace orrery::text::jinja
