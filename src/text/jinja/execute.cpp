// Interpreter, statements: loops, macros, assignments, and where their output goes.
#include "text/jinja/builtins.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/print.h"

namespace orrery::text::jinja {

void Scope::clear() {
  variables_.clear();
  parent_ = {};
}

void Scope::set(Symbol symbol, Value value) {
  for (auto& [name, old] : variables_) {
    if (name == symbol) {
      old = std::move(value);
      return;
    }
  }
  charge(sizeof(variables_[0]));
  variables_.emplace_back(symbol, std::move(value));
}

const Value* Scope::find(Symbol symbol) const {
  for (const Scope* scope = this; scope; scope = scope->parent_.get()) {
    for (const auto& [name, value] : scope->variables_) {
      if (name == symbol) return &value;
    }
  }
  return nullptr;
}

Interpreter::Interpreter(const Program& program, const Limits& limits)
    : program_(program),
      heap_(limits),
      context_(make<Scope>(heap_, Ref<Scope>())),
      root_(make<Scope>(heap_, context_)),
      constants_(program.constants.size()) {
  for (Symbol symbol = 0; symbol < program.names.size(); ++symbol) {
    if (auto global = find_global(heap_, program.names[symbol])) define(symbol, std::move(*global));
  }
}

Interpreter::~Interpreter() = default;

void Interpreter::define(Symbol symbol, Value value) { context_->set(symbol, std::move(value)); }

MarkedText Interpreter::render() {
  Builder builder(heap_);
  out_ = &builder;
  execute(program_.body, root_);
  return builder.take_text();
}

template <typename Run>
Value Interpreter::capture(Run run) {
  Builder builder(heap_);
  Builder* outer = std::exchange(out_, &builder);
  run();
  out_ = outer;
  auto result = builder.take();
  result->markup = autoescape_;
  return result;
}

void Interpreter::write(const Value& value) {
  if (autoescape_)
    print_escaped(*out_, value);
  else
    print(*out_, value);
  if (out_->size() > heap_.limits().output_bytes_max) raise("the rendered text is too long");
}

// The result of a call or filter block: written as it is, and only a string can be.
void Interpreter::write_string(const Value& value) {
  if (!value.is_string()) raise("expected str instance, {} found", type_name(value));
  out_->add(value.string());
  if (out_->size() > heap_.limits().output_bytes_max) raise("the rendered text is too long");
}

Interpreter::Flow Interpreter::execute(const Body& body, const Ref<Scope>& scope) {
  for (const Statement& statement : body) {
    const Flow flow = execute(statement, scope);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute(const Statement& statement, const Ref<Scope>& scope) {
  const Nesting nesting(*this);
  try {
    return std::visit([&](const auto& node) { return execute(node, scope); }, statement.node);
  } catch (TemplateError& error) {
    if (error.line == 0) {
      error.line = statement.place.line;
      error.column = statement.place.column;
    }
    throw;
  }
}

Interpreter::Flow Interpreter::execute(const DataNode& node, const Ref<Scope>&) {
  out_->add(node.bytes);
  if (out_->size() > heap_.limits().output_bytes_max) raise("the rendered text is too long");
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute(const OutputNode& node, const Ref<Scope>& scope) {
  for (const auto& expression : node.expressions) write(evaluate(*expression, scope));
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute(const IfNode& node, const Ref<Scope>& scope) {
  for (const auto& [test, body] : node.branches) {
    if (truth(evaluate(*test, scope))) return execute(body, scope);
  }
  return execute(node.otherwise, scope);
}

// The items that pass the loop's `if`, tested one by one as the loop comes to them.
Ref<Iterator> Interpreter::filtered(const ForNode& node, const Value& items,
                                    const Ref<Scope>& scope) {
  auto step = [this, &node, scope, from = iterate(heap_, items)]() -> std::optional<Value> {
    while (auto item = from->next()) {
      const auto inner = make<Scope>(heap_, scope);
      assign(node.target, *item, inner);
      if (truth(evaluate(*node.test, inner))) return item;
    }
    return std::nullopt;
  };
  return Ref<Iterator>(new Generator(heap_, std::move(step)));
}

Interpreter::Flow Interpreter::run_loop(const ForNode& node, const Value& items,
                                        const Ref<Scope>& scope, i64 depth0) {
  Loop::Recurse recurse;
  if (node.recursive) {
    recurse = [this, &node, scope](const Value& inner, i64 depth) {
      return capture([&] { run_loop(node, inner, scope, depth); });
    };
  }
  if (depth_ >= heap_.limits().depth_max) raise("maximum recursion depth exceeded");
  depth_ += node.recursive;
  const Ref<Iterator> iterator = node.test ? filtered(node, items, scope) : iterate(heap_, items);
  const auto loop =
      make<Loop>(heap_, node.test ? Value(iterator) : items, iterator, std::move(recurse), depth0);
  bool completed = false;  // as jinja2: an iteration that continues or breaks does not count
  Flow flow = Flow::kNext;
  while (flow != Flow::kBreak) {
    const auto item = loop->advance();
    if (!item) break;
    const auto inner = make<Scope>(heap_, scope);
    assign(node.target, *item, inner);
    inner->set(program_.loop, Value(loop));
    flow = execute(node.body, inner);
    completed = completed || flow == Flow::kNext;
  }
  flow = completed ? Flow::kNext : execute(node.otherwise, make<Scope>(heap_, scope));
  depth_ -= node.recursive;
  return flow;
}

Interpreter::Flow Interpreter::execute(const ForNode& node, const Ref<Scope>& scope) {
  const Value items = evaluate(*node.items, scope);
  if (!node.recursive) return run_loop(node, items, scope, 0);
  write(capture([&] { run_loop(node, items, scope, 0); }));
  return Flow::kNext;
}

void Interpreter::assign(const Target& target, Value value, const Ref<Scope>& scope) {
  if (!target.attribute.empty()) {
    const Value* found = scope->find(target.symbol);
    if (!found || !found->is(Kind::kNamespace)) {
      raise("cannot assign attribute on non-namespace object");
    }
    set_namespace_attribute(found->ns(), text(heap_, target.attribute), std::move(value));
    return;
  }
  if (!target.is_tuple) return scope->set(target.symbol, std::move(value));
  if (!is_iterable(value)) raise("cannot unpack non-iterable {} object", type_name(value));
  const auto iterator = iterate(heap_, value);
  std::vector<Value> items;
  while (items.size() <= target.items.size()) {
    auto item = iterator->next();
    if (!item) break;
    items.push_back(std::move(*item));
  }
  if (items.size() > target.items.size()) {
    raise("too many values to unpack (expected {})", target.items.size());
  }
  if (items.size() < target.items.size()) {
    raise("not enough values to unpack (expected {}, got {})", target.items.size(), items.size());
  }
  for (u64 i = 0; i < items.size(); ++i) assign(target.items[i], std::move(items[i]), scope);
}

Interpreter::Flow Interpreter::execute(const SetNode& node, const Ref<Scope>& scope) {
  check_namespaces(node.target, scope);
  assign(node.target, evaluate(*node.value, scope), scope);
  return Flow::kNext;
}

void Interpreter::check_namespaces(const Target& target, const Ref<Scope>& scope) {
  for (const Target& item : target.items) check_namespaces(item, scope);
  if (target.attribute.empty()) return;
  const Value* found = scope->find(target.symbol);
  if (!found || !found->is(Kind::kNamespace)) {
    raise("cannot assign attribute on non-namespace object");
  }
}

Interpreter::Flow Interpreter::execute(const SetBlockNode& node, const Ref<Scope>& scope) {
  const auto inner = make<Scope>(heap_, scope);
  Flow flow = Flow::kNext;
  Value value = capture([&] { flow = execute(node.body, inner); });
  if (flow != Flow::kNext) return flow;  // a break jumps over the assignment, too
  if (node.filter) value = evaluate_filter(std::get<FilterNode>(node.filter->node), &value, inner);
  assign(node.target, std::move(value), scope);
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute(const std::shared_ptr<MacroNode>& node,
                                       const Ref<Scope>& scope) {
  scope->set(node->symbol, Value(make<Macro>(heap_, *node, scope)));
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute(const CallBlockNode& node, const Ref<Scope>& scope) {
  const auto& called = std::get<CallNode>(node.call->node);
  const Value callee = evaluate(*called.callee, scope);
  Arguments arguments = evaluate_arguments(called.arguments, scope);
  const Value caller(make<Macro>(heap_, *node.body, scope));
  arguments.keywords.push_back({make<String>(heap_, "caller"), caller});
  write_string(call(callee, arguments));
  return Flow::kNext;
}

Value Interpreter::parameter(const Macro& macro, u64 index, std::optional<Value> given,
                             const Ref<Scope>& scope) {
  const MacroNode& node = macro.node;
  if (given) return std::move(*given);
  const u64 first_default = node.parameters.size() - node.defaults.size();
  if (index >= first_default) return evaluate(*node.defaults[index - first_default], scope);
  return Value::undefined(
      heap_, fmt::format("parameter '{}' was not provided", node.parameter_names[index]));
}

Value Interpreter::call_macro(const Macro& macro, Arguments& arguments) {
  const MacroNode& node = macro.node;
  const u64 count = node.parameters.size();
  const auto scope = make<Scope>(heap_, macro.closure);
  std::vector<std::optional<Value>> given(count);
  bool explicit_caller = false;
  for (u64 i = 0; i < count; ++i) {
    if (i < arguments.positional.size())
      given[i] = arguments.positional[i];
    else
      given[i] = arguments.pop(node.parameter_names[i]);
    explicit_caller = explicit_caller || node.parameters[i] == program_.caller;
    scope->set(node.parameters[i],
               given[i] ? *given[i]
                        : Value::undefined(
                              heap_, fmt::format("'{}' is undefined", node.parameter_names[i])));
  }
  if (node.uses_caller && !explicit_caller) {
    auto caller = arguments.pop("caller");
    scope->set(program_.caller, caller && !caller->is_none()
                                    ? *caller
                                    : Value::undefined(heap_, "No caller defined"));
  }
  if (node.uses_kwargs) {
    auto rest = make<Dict>(heap_);
    for (const auto& [name, value] : arguments.keywords) rest->set(Value(name), value);
    scope->set(program_.kwargs, Value(rest));
  } else if (!arguments.keywords.empty()) {
    raise("macro '{}' takes no keyword argument '{}'", node.name,
          arguments.keywords[0].name->bytes());
  }
  if (node.uses_varargs) {
    auto rest = make<Sequence>(heap_, Kind::kTuple);
    for (u64 i = count; i < arguments.positional.size(); ++i) rest->push(arguments.positional[i]);
    scope->set(program_.varargs, Value(rest));
  } else if (arguments.positional.size() > count) {
    raise("macro '{}' takes not more than {} argument(s)", node.name, count);
  }
  if (depth_ >= heap_.limits().depth_max) raise("maximum recursion depth exceeded");
  ++depth_;
  for (u64 i = 0; i < count; ++i) {
    if (!given[i]) scope->set(node.parameters[i], parameter(macro, i, std::nullopt, scope));
  }
  Value result = capture([&] { execute(node.body, scope); });
  --depth_;
  return result;
}

Interpreter::Flow Interpreter::execute(const FilterBlockNode& node, const Ref<Scope>& scope) {
  const auto inner = make<Scope>(heap_, scope);
  Flow flow = Flow::kNext;
  const Value body = capture([&] { flow = execute(node.body, inner); });
  if (flow != Flow::kNext) return flow;
  write_string(evaluate_filter(std::get<FilterNode>(node.filter->node), &body, inner));
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute(const WithNode& node, const Ref<Scope>& scope) {
  const auto inner = make<Scope>(heap_, scope);
  for (const auto& [target, value] : node.bindings) assign(target, evaluate(*value, scope), inner);
  return execute(node.body, inner);
}

Interpreter::Flow Interpreter::execute(const BlockNode& node, const Ref<Scope>& scope) {
  if (node.required) raise("Required block '{}' not found", node.name);
  execute(node.body, make<Scope>(heap_, node.scoped ? scope : root_));
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute(const AutoescapeNode& node, const Ref<Scope>& scope) {
  const auto inner = make<Scope>(heap_, scope);
  const bool outer = std::exchange(autoescape_, truth(evaluate(*node.value, inner)));
  const Flow flow = execute(node.body, inner);
  autoescape_ = outer;
  return flow;
}

Interpreter::Flow Interpreter::execute(const GenerationNode& node, const Ref<Scope>& scope) {
  execute(node.body, make<Scope>(heap_, scope));
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute(const BreakNode&, const Ref<Scope>&) { return Flow::kBreak; }
Interpreter::Flow Interpreter::execute(const ContinueNode&, const Ref<Scope>&) {
  return Flow::kContinue;
}
Interpreter::Flow Interpreter::execute(const UnsupportedNode& node, const Ref<Scope>&) {
  raise("{}: a chat template has no other templates to load", node.tag);
}

}  // namespace orrery::text::jinja
