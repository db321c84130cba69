// Value: making and reading values; dicts, ranges and views; truth, length and identity.
#include "text/jinja/value.h"

#include <cmath>

#include "text/jinja/callable.h"

namespace orrery::text::jinja {

// What an undefined value says when it is used.
class UndefinedName final : public Object {
 public:
  UndefinedName(Heap& heap, std::string text)
      : Object(heap, text.size()), message(std::move(text)) {}
  std::string message;
};

Value Value::boolean(bool value) {
  Value result(Kind::kBool);
  result.integer_ = value;
  return result;
}
Value Value::integer(i64 value) {
  Value result(Kind::kInt);
  result.integer_ = value;
  return result;
}
Value Value::real(f64 value) {
  Value result(Kind::kFloat);
  result.real_ = value;
  return result;
}
Value Value::undefined(Heap& heap, std::string message) {
  return {Kind::kUndefined, make<UndefinedName>(heap, std::move(message))};
}
Value::Value(Ref<Sequence> s) : Value(s->kind, s) {}
Value::Value(Ref<Dict> dict) : Value(Kind::kDict, std::move(dict)) {}
Value::Value(Ref<Range> range) : Value(Kind::kRange, std::move(range)) {}
Value::Value(Ref<View> view) : Value(Kind::kView, std::move(view)) {}
Value::Value(Ref<Iterator> iterator) : Value(Kind::kIterator, std::move(iterator)) {}
Value::Value(Ref<Namespace> ns) : Value(Kind::kNamespace, std::move(ns)) {}
Value::Value(Ref<Loop> loop) : Value(Kind::kLoop, std::move(loop)) {}
Value::Value(Ref<Function> function) : Value(Kind::kFunction, std::move(function)) {}
Value::Value(Ref<Macro> macro) : Value(Kind::kMacro, std::move(macro)) {}
Value::Value(Ref<Cycler> cycler) : Value(Kind::kCycler, std::move(cycler)) {}
Value::Value(Ref<Joiner> joiner) : Value(Kind::kJoiner, std::move(joiner)) {}

Sequence& Value::sequence() const { return object<Sequence>(); }
Dict& Value::dict() const { return object<Dict>(); }
Range& Value::range() const { return object<Range>(); }
View& Value::view() const { return object<View>(); }
Iterator& Value::iterator() const { return object<Iterator>(); }
Namespace& Value::ns() const { return object<Namespace>(); }
Loop& Value::loop() const { return object<Loop>(); }
Function& Value::function() const { return object<Function>(); }
Macro& Value::macro() const { return object<Macro>(); }
Cycler& Value::cycler() const { return object<Cycler>(); }
Joiner& Value::joiner() const { return object<Joiner>(); }

bool Value::is_callable() const {
  return is(Kind::kFunction) || is(Kind::kMacro) || is(Kind::kLoop) || is(Kind::kJoiner) ||
         is(Kind::kUndefined);
}
void Value::raise_undefined() const { throw TemplateError{object<UndefinedName>().message, 0, 0}; }

void Sequence::push(Value value) {
  if (items.size() == items.capacity()) {
    const u64 more = std::max<u64>(4, items.capacity());
    charge(more * sizeof(Value));
    items.reserve(items.capacity() + more);
  }
  items.push_back(std::move(value));
}

i64 Dict::index_of(const Value& key, u64 hashed) const {
  if (index_.empty()) {
    for (u64 i = 0; i < entries_.size(); ++i) {
      if (equal(entries_[i].key, key)) return i64(i);
    }
    return -1;
  }
  const auto [first, last] = index_.equal_range(hashed);
  for (auto it = first; it != last; ++it) {
    heap().step();
    if (equal(entries_[it->second].key, key)) return it->second;
  }
  return -1;
}

void Dict::set(const Value& key, Value value) {
  constexpr u64 kSearched = 8;  // up to so many keys are searched one by one
  const u64 hashed = hash(key);
  if (const i64 found = index_of(key, hashed); found >= 0) {
    entries_[u64(found)].value = std::move(value);
    return;
  }
  charge(2 * sizeof(Entry));  // vectors keep up to twice their size
  entries_.push_back({key, std::move(value)});
  if (entries_.size() <= kSearched) return;
  const u64 indexed = index_.size();
  heap().step(4);  // a node of the index costs what several small objects do
  charge((entries_.size() - indexed) * 64);
  for (u64 i = indexed; i < entries_.size(); ++i) index_.emplace(hash(entries_[i].key), u32(i));
}
void Dict::set(std::string_view key, Value value) {
  set(jinja::text(heap(), key), std::move(value));
}

const Value* Dict::find(const Value& key) const {
  const i64 found = index_of(key, hash(key));
  return found < 0 ? nullptr : &entries_[u64(found)].value;
}
const Value* Dict::find(std::string_view key) const {
  if (index_.empty()) {
    for (const Entry& entry : entries_) {
      if (entry.key.is_string() && entry.key.bytes() == key) return &entry.value;
    }
    return nullptr;
  }
  return find(jinja::text(heap(), key));
}

Range::Range(Heap& heap, i64 first, i64 last, i64 by)
    : Object(heap), start(first), stop(last), step(by) {
  constexpr u64 kRangeMax = 100'000;  // jinja2's sandbox: MAX_RANGE
  if (step == 0) raise("range() arg 3 must not be zero");
  const bool up = step > 0;
  if (up ? start < stop : start > stop) {
    const u64 span = up ? u64(stop) - u64(start) : u64(start) - u64(stop);
    const u64 stride = up ? u64(step) : u64(0) - u64(step);
    size = (span - 1) / stride + 1;
  }
  if (size > kRangeMax) {
    raise("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).", kRangeMax);
  }
}

Value View::at(u64 index) const {
  const Dict::Entry& entry = dict->entries()[index];
  if (of == Of::kKeys) return entry.key;
  return of == Of::kValues ? entry.value : tuple(heap(), {entry.key, entry.value});
}

void set_namespace_attribute(Namespace& ns, const Value& name, Value value) {
  if (name.is_string() && name.bytes().starts_with('_')) {
    raise(
        "Chat templates cannot store underscore-prefixed attributes on a namespace, but got '{}'.",
        name.bytes());
  }
  ns.attributes->set(name, std::move(value));
}

bool truth(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return value.as_integer() != 0;
    case Kind::kFloat:
      return value.as_real() != 0;
    case Kind::kString:
      return !value.bytes().empty();
    default:
      return size_of(value).value_or(1) != 0;
  }
}

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return value.string().markup ? "Markup" : "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kRange:
      return "range";
    case Kind::kView: {
      constexpr std::string_view kNames[] = {"dict_keys", "dict_values", "dict_items"};
      return kNames[u64(value.view().of)];
    }
    case Kind::kIterator:
      return value.iterator().type_name;
    case Kind::kNamespace:
      return "TemplateNamespace";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kFunction:
      return "function";
    case Kind::kMacro:
      return "Macro";
    case Kind::kCycler:
      return "Cycler";
    case Kind::kJoiner:
      return "Joiner";
  }
  return "object";
}

std::optional<u64> size_of(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return value.string().length();
    case Kind::kList:
    case Kind::kTuple:
      return value.sequence().items.size();
    case Kind::kDict:
      return value.dict().entries().size();
    case Kind::kRange:
      return value.range().size;
    case Kind::kView:
      return value.view().size();
    case Kind::kLoop:
      return value.loop().length();
    default:
      return std::nullopt;
  }
}

u64 length(const Value& value) {
  const auto size = size_of(value);
  if (!size) raise("object of type '{}' has no len()", type_name(value));
  return *size;
}

bool same(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kNone:
      return true;
    case Kind::kBool:
    case Kind::kInt:
      return a.as_integer() == b.as_integer();
    case Kind::kFloat:
      return a.as_real() == b.as_real();
    case Kind::kString:
      return a.bytes() == b.bytes();  // Python shares equal constants, mostly
    default:
      return a.address() == b.address();
  }
}

Value text(Heap& heap, std::string_view bytes, Origin origin) {
  return make<String>(heap, bytes, origin);
}
Value tuple(Heap& heap, std::vector<Value> items) {
  return make<Sequence>(heap, Kind::kTuple, std::move(items));
}

Value slice(const String& whole, u64 begin, u64 end) {
  if (begin > end) end = begin;
  if (whole.text().runs.empty()) {
    whole.heap().step_bytes(end - begin);
    auto result = make<String>(whole.heap(), whole.bytes().substr(begin, end - begin));
    result->markup = whole.markup;
    return result;
  }
  Builder builder(whole.heap());
  auto result = builder.add(whole, begin, end).take();
  result->markup = whole.markup;
  return result;
}

}  // namespace orrery::text::jinja
