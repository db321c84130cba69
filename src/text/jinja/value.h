// Value: what a template computes with, the types of Python that jinja2 shows to it.
//
// Numbers are in the value itself, all else is a counted object of the rendering's Heap. Integers
// have 64 bits; an operation that needs more is an error, where Python would go on.
#pragma once

#include <functional>
#include <optional>
#include <unordered_map>

#include "text/jinja/string.h"

namespace orrery::text::jinja {

enum class Kind : u8 {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kRange,
  kView,
  kIterator,
  kNamespace,
  kLoop,
  kFunction,
  kMacro,
  kCycler,
  kJoiner,
};

class Sequence;
class Dict;
class Range;
class View;
class Iterator;
class Namespace;
class Loop;
class Function;
class Macro;
class Cycler;
class Joiner;
class UndefinedName;

class Value {
 public:
  Value() : Value(Kind::kNone) {}
  static Value none() { return Value(); }
  static Value boolean(bool value);
  static Value integer(i64 value);
  static Value real(f64 value);
  static Value undefined(Heap& heap, std::string message);

  Value(Ref<String> string) : Value(Kind::kString, std::move(string)) {}
  Value(Ref<Sequence> sequence);  // a list or a tuple
  Value(Ref<Dict> dict);
  Value(Ref<Range> range);
  Value(Ref<View> view);
  Value(Ref<Iterator> iterator);
  Value(Ref<Namespace> ns);
  Value(Ref<Loop> loop);
  Value(Ref<Function> function);
  Value(Ref<Macro> macro);
  Value(Ref<Cycler> cycler);
  Value(Ref<Joiner> joiner);

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool is(Kind kind) const { return kind_ == kind; }
  [[nodiscard]] bool is_undefined() const { return is(Kind::kUndefined); }
  [[nodiscard]] bool is_none() const { return is(Kind::kNone); }
  [[nodiscard]] bool is_string() const { return is(Kind::kString); }
  // An int as Python counts it: bool is one.
  [[nodiscard]] bool is_integer() const { return is(Kind::kInt) || is(Kind::kBool); }
  [[nodiscard]] bool is_number() const { return is_integer() || is(Kind::kFloat); }
  [[nodiscard]] bool is_sequence() const { return is(Kind::kList) || is(Kind::kTuple); }
  [[nodiscard]] bool is_callable() const;

  [[nodiscard]] bool as_boolean() const { return integer_ != 0; }
  [[nodiscard]] i64 as_integer() const { return integer_; }  // of kBool and kInt
  [[nodiscard]] f64 as_real() const { return is(Kind::kFloat) ? real_ : f64(integer_); }
  [[nodiscard]] String& string() const { return object<String>(); }
  [[nodiscard]] std::string_view bytes() const { return string().bytes(); }
  [[nodiscard]] Sequence& sequence() const;
  [[nodiscard]] Dict& dict() const;
  [[nodiscard]] Range& range() const;
  [[nodiscard]] View& view() const;
  [[nodiscard]] Iterator& iterator() const;
  [[nodiscard]] Namespace& ns() const;
  [[nodiscard]] Loop& loop() const;
  [[nodiscard]] Function& function() const;
  [[nodiscard]] Macro& macro() const;
  [[nodiscard]] Cycler& cycler() const;
  [[nodiscard]] Joiner& joiner() const;
  [[nodiscard]] const Object* address() const { return object_.get(); }

  // Raises what jinja2 raises when an undefined value is used in an operation.
  [[noreturn]] void raise_undefined() const;
  void require_defined() const {
    if (is_undefined()) raise_undefined();
  }

 private:
  explicit Value(Kind kind) : kind_(kind), integer_(0) {}
  template <typename T>
  Value(Kind kind, Ref<T> object) : kind_(kind), integer_(0), object_(object.get()) {}
  template <typename T>
  [[nodiscard]] T& object() const {
    return static_cast<T&>(*object_);
  }

  Kind kind_;
  union {
    i64 integer_;
    f64 real_;
  };
  Ref<Object> object_;
};

// A list or a tuple. Templates cannot change either (the sandbox is the immutable one).
class Sequence final : public Object {
 public:
  Sequence(Heap& heap, Kind of) : Object(heap), kind(of) {}
  Sequence(Heap& heap, Kind of, std::vector<Value> values)
      : Object(heap, values.size() * sizeof(Value)), items(std::move(values)), kind(of) {}
  void push(Value value);  // while it is being made
  [[nodiscard]] Value at(u64 index) const { return items[index]; }
  std::vector<Value> items;
  const Kind kind;
  bool group = false;  // a pair made by groupby: has the attributes grouper and list
};

class Dict final : public Object {
 public:
  explicit Dict(Heap& heap) : Object(heap) {}
  struct Entry {
    Value key, value;
  };
  void set(const Value& key, Value value);  // while it is being made; raises for unhashable keys
  void set(std::string_view key, Value value);
  [[nodiscard]] const Value* find(const Value& key) const;  // raises for unhashable keys
  [[nodiscard]] const Value* find(std::string_view key) const;
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

 private:
  [[nodiscard]] i64 index_of(const Value& key, u64 hash) const;
  std::vector<Entry> entries_;
  std::unordered_multimap<u64, u32> index_;
};

class Range final : public Object {
 public:
  Range(Heap& heap, i64 first, i64 last, i64 by);
  [[nodiscard]] i64 at(u64 index) const { return i64(u64(start) + index * u64(step)); }
  i64 start, stop, step;
  u64 size = 0;
};

// dict.keys(), dict.values() or dict.items().
class View final : public Object {
 public:
  enum class Of : u8 { kKeys, kValues, kItems };
  View(Heap& heap, Ref<Dict> from, Of what) : Object(heap), dict(std::move(from)), of(what) {}
  [[nodiscard]] Value at(u64 index) const;
  [[nodiscard]] u64 size() const { return dict->entries().size(); }
  Ref<Dict> dict;
  Of of;
};

// A Python iterator: gives each of its values once.
class Iterator : public Object {
 public:
  Iterator(Heap& heap, std::string_view type) : Object(heap), type_name(type) {}
  [[nodiscard]] virtual std::optional<Value> next() = 0;
  const std::string_view type_name;
};

// An iterator that is a function; the usual way to make a lazy one.
class Generator final : public Iterator {
 public:
  using Step = std::function<std::optional<Value>()>;
  Generator(Heap& heap, Step step, std::string_view type = "generator")
      : Iterator(heap, type), step_(std::move(step)) {}
  std::optional<Value> next() override { return step_(); }

 private:
  Step step_;
};

class Namespace final : public CyclicObject {
 public:
  explicit Namespace(Heap& heap) : CyclicObject(heap), attributes(make<Dict>(heap)) {}
  void clear() override { attributes = {}; }
  Ref<Dict> attributes;
};

// namespace(...) and {% set ns.x %}: names that begin with an underscore are refused.
void set_namespace_attribute(Namespace& ns, const Value& name, Value value);

[[nodiscard]] bool truth(const Value& value);
[[nodiscard]] std::string_view type_name(const Value& value);
[[nodiscard]] std::optional<u64> size_of(const Value& value);  // nothing: it has no len()
[[nodiscard]] u64 length(const Value& value);                  // raises where there is none
[[nodiscard]] bool is_iterable(const Value& value);
[[nodiscard]] Ref<Iterator> iterate(Heap& heap, const Value& value);
[[nodiscard]] Ref<Iterator> iterate_reversed(Heap& heap, const Value& value);  // as reversed()
[[nodiscard]] Ref<Sequence> to_list(Heap& heap, const Value& value, Kind kind = Kind::kList);
[[nodiscard]] u64 hash(const Value& value);
[[nodiscard]] bool equal(const Value& a, const Value& b);
// `op` is how the operator is called in an error.
[[nodiscard]] bool less(const Value& a, const Value& b, std::string_view op = "<");
[[nodiscard]] bool less_or_equal(const Value& a, const Value& b, std::string_view op = "<=");
[[nodiscard]] bool same(const Value& a, const Value& b);  // Python's `is`
[[nodiscard]] bool contains(Heap& heap, const Value& container, const Value& item);

[[nodiscard]] Value text(Heap& heap, std::string_view bytes, Origin origin = kTemplate);
[[nodiscard]] Value tuple(Heap& heap, std::vector<Value> items);
// The string from one byte to another of `whole`, with its origins.
[[nodiscard]] Value slice(const String& whole, u64 begin, u64 end);

}  // namespace orrery::text::jinja
