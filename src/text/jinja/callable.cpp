// Binding arguments to parameters, and the loop variable.
#include "text/jinja/callable.h"

#include <algorithm>

#include "text/jinja/interpreter.h"
#include "text/jinja/print.h"

namespace orrery::text::jinja {

std::optional<Value> Arguments::pop(std::string_view name) {
  const auto it = std::find_if(keywords.begin(), keywords.end(),
                               [&](const Keyword& k) { return k.name->bytes() == name; });
  if (it == keywords.end()) return std::nullopt;
  Value value = std::move(it->value);
  keywords.erase(it);
  return value;
}

Bound::Bound(std::string_view callee, const Arguments& arguments,
             std::initializer_list<std::string_view> parameters, u64 required)
    : callee_(callee), values_(parameters.size()) {
  if (arguments.positional.size() > parameters.size()) {
    raise("{}() takes at most {} arguments ({} given)", callee, parameters.size(),
          arguments.positional.size());
  }
  for (u64 i = 0; i < arguments.positional.size(); ++i) values_[i] = arguments.positional[i];
  for (const auto& [name, value] : arguments.keywords) {
    const auto it = std::find(parameters.begin(), parameters.end(), name->bytes());
    if (it == parameters.end() || it->empty()) {
      raise("{}() got an unexpected keyword argument '{}'", callee, name->bytes());
    }
    auto& slot = values_[u64(it - parameters.begin())];
    if (slot) raise("{}() got multiple values for argument '{}'", callee, name->bytes());
    slot = value;
  }
  for (u64 i = 0; i < required; ++i) {
    if (!values_[i]) raise("{}() missing a required argument", callee);
  }
}

i64 require_integer(const Value& value) {
  value.require_defined();
  if (!value.is_integer()) {
    raise("'{}' object cannot be interpreted as an integer", type_name(value));
  }
  return value.as_integer();
}

i64 Bound::integer(u64 index, i64 otherwise) const {
  return has(index) ? require_integer(at(index)) : otherwise;
}
bool Bound::boolean(u64 index, bool otherwise) const {
  return has(index) ? truth(at(index)) : otherwise;
}
Ref<String> Bound::string(u64 index) const {
  at(index).require_defined();
  if (!at(index).is_string()) {
    raise("{}() argument must be str, not {}", callee_, type_name(at(index)));
  }
  return Ref<String>(&at(index).string());
}

Macro::Macro(Heap& heap, const MacroNode& macro, Ref<Scope> scope)
    : Object(heap), node(macro), closure(std::move(scope)) {}
Macro::~Macro() = default;

Loop::Loop(Heap& heap, Value items, Ref<Iterator> iterator, Recurse again, i64 depth)
    : CyclicObject(heap),
      depth0(depth),
      recurse(std::move(again)),
      items_(std::move(items)),
      iterator_(std::move(iterator)) {}

void Loop::clear() {
  recurse = nullptr;
  items_ = {};
  after_.reset();
  current_.reset();
  before_.reset();
  changed_.reset();
}

const std::optional<Value>& Loop::peek() {
  if (!peeked_) after_ = iterator_->next();
  peeked_ = true;
  return after_;
}

std::optional<Value> Loop::advance() {
  std::optional<Value> next = peek();
  if (!next) return std::nullopt;
  peeked_ = false;
  ++index0;
  before_ = std::move(current_);
  current_ = next;
  return next;
}

u64 Loop::length() {
  if (length_) return *length_;
  if (!items_.is(Kind::kIterator)) length_ = size_of(items_);
  if (length_) return *length_;
  // No len(): the rest is read now and given later.
  auto rest = to_list(heap(), Value(iterator_));
  length_ = rest->items.size() + u64(index0 + 1) + (peeked_ && after_ ? 1 : 0);
  iterator_ = iterate(heap(), Value(rest));
  return *length_;
}

bool Loop::changed(std::vector<Value> values) {
  const bool differs = !changed_ || changed_->size() != values.size() ||
                       !std::equal(values.begin(), values.end(), changed_->begin(), equal);
  changed_ = std::move(values);
  return differs;
}

std::optional<Value> Loop::attribute(std::string_view name) {
  const auto integer = [](i64 value) { return Value::integer(value); };
  if (name == "index") return integer(index0 + 1);
  if (name == "index0") return integer(index0);
  if (name == "first") return Value::boolean(index0 == 0);
  if (name == "last") return Value::boolean(!peek());
  if (name == "length") return integer(i64(length()));
  if (name == "revindex") return integer(i64(length()) - index0);
  if (name == "revindex0") return integer(i64(length()) - index0 - 1);
  if (name == "depth") return integer(depth0 + 1);
  if (name == "depth0") return integer(depth0);
  if (name == "previtem") {
    return before_ && index0 > 0 ? *before_ : Value::undefined(heap(), "there is no previous item");
  }
  if (name == "nextitem") {
    return peek() ? *peek() : Value::undefined(heap(), "there is no next item");
  }
  return std::nullopt;
}

}  // namespace orrery::text::jinja
