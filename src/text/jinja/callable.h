// What a template can call, and how arguments are bound to parameters.
//
// Arguments holds a call's values; Bound gives them names as Python does and raises TypeErrors in
// Python's words. Function is a built-in (or a method of a value), Macro one of the template's own.
#pragma once

#include <functional>
#include <initializer_list>

#include "text/jinja/value.h"

namespace orrery::text::jinja {

class Interpreter;
class Scope;
struct MacroNode;

struct Arguments {
  struct Keyword {
    Ref<String> name;
    Value value;
  };
  std::vector<Value> positional;
  std::vector<Keyword> keywords;

  // Takes the keyword out of the list.
  std::optional<Value> pop(std::string_view name);
};

// The arguments of `callee` in the order of its parameters; the first `required` must be given.
class Bound {
 public:
  Bound(std::string_view callee, const Arguments& arguments,
        std::initializer_list<std::string_view> parameters, u64 required = 0);

  [[nodiscard]] bool has(u64 index) const { return values_[index].has_value(); }
  [[nodiscard]] const Value& at(u64 index) const { return *values_[index]; }
  [[nodiscard]] Value get(u64 index, Value otherwise = {}) const {
    return has(index) ? *values_[index] : std::move(otherwise);
  }
  // As Python would take it: an int (or bool), anything with a truth value, a string.
  [[nodiscard]] i64 integer(u64 index, i64 otherwise) const;
  [[nodiscard]] bool boolean(u64 index, bool otherwise) const;
  [[nodiscard]] Ref<String> string(u64 index) const;
  [[nodiscard]] bool is_none(u64 index) const { return !has(index) || at(index).is_none(); }

 private:
  std::string_view callee_;
  std::vector<std::optional<Value>> values_;
};

[[nodiscard]] i64 require_integer(const Value& value);

class Function final : public Object {
 public:
  using Body = std::function<Value(Interpreter&, Arguments&)>;
  Function(Heap& heap, std::string_view function_name, Body body)
      : Object(heap), name(function_name), call(std::move(body)) {}
  const std::string_view name;
  const Body call;
};

class Macro final : public Object {
 public:
  Macro(Heap& heap, const MacroNode& macro, Ref<Scope> scope);
  ~Macro() override;
  const MacroNode& node;
  Ref<Scope> closure;
};

// The variable `loop` of a for loop: runs the loop's iterator and knows where it is.
class Loop final : public CyclicObject {
 public:
  using Recurse = std::function<Value(const Value& items, i64 depth0)>;
  Loop(Heap& heap, Value items, Ref<Iterator> iterator, Recurse recurse, i64 depth);
  void clear() override;

  [[nodiscard]] std::optional<Value> advance();  // the next item; counts
  [[nodiscard]] u64 length();
  [[nodiscard]] const std::optional<Value>& peek();
  [[nodiscard]] bool changed(std::vector<Value> values);
  // A variable of the loop (index, last, previtem, ...), or nothing for another name.
  [[nodiscard]] std::optional<Value> attribute(std::string_view name);

  i64 index0 = -1;
  i64 depth0;
  Recurse recurse;  // empty: the loop is not recursive

 private:
  Value items_;
  Ref<Iterator> iterator_;
  std::optional<u64> length_;
  bool peeked_ = false;
  std::optional<Value> after_, current_, before_;
  std::optional<std::vector<Value>> changed_;
};

class Cycler final : public Object {
 public:
  Cycler(Heap& heap, std::vector<Value> values) : Object(heap), items(std::move(values)) {}
  std::vector<Value> items;
  u64 position = 0;
};

class Joiner final : public Object {
 public:
  Joiner(Heap& heap, Value between) : Object(heap), separator(std::move(between)) {}
  Value separator;
  bool used = false;
};

}  // namespace orrery::text::jinja
