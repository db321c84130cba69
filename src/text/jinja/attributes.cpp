// object.name, object[index] and slices, as jinja2's immutable sandbox resolves them.
#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/print.h"
#include "text/jinja/unicode.h"

namespace orrery::text::jinja {
namespace {

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Methods that would change the object: the sandbox does not give them out.
bool is_mutator(const Value& object, std::string_view name) {
  if (object.is(Kind::kDict))
    return is_one_of(name, {"clear", "pop", "popitem", "setdefault", "update"});
  return object.is(Kind::kList) && is_one_of(name, {"append", "clear", "pop", "reverse", "insert",
                                                    "sort", "extend", "remove"});
}

Value bind(Heap& heap, const Value& object, std::string_view name, Filter method) {
  return make<Function>(heap, name,
                        [object, method](Interpreter& interpreter, Arguments& arguments) {
                          return method(interpreter, object, arguments);
                        });
}

std::optional<Value> number_attribute(const Value& object, std::string_view name) {
  const bool is_real = object.is(Kind::kFloat);
  const auto whole = [&](i64 value) {
    return is_real ? Value::real(f64(value)) : Value::integer(value);
  };
  if (name == "real") return is_real ? object : Value::integer(object.as_integer());
  if (name == "imag") return whole(0);
  if (!is_real && name == "numerator") return Value::integer(object.as_integer());
  if (!is_real && name == "denominator") return Value::integer(1);
  return std::nullopt;
}

std::optional<Value> macro_attribute(Heap& heap, const MacroNode& macro, std::string_view name) {
  if (name == "name") return macro.name.empty() ? Value::none() : text(heap, macro.name);
  if (name == "catch_kwargs") return Value::boolean(macro.uses_kwargs);
  if (name == "catch_varargs") return Value::boolean(macro.uses_varargs);
  if (name == "caller") return Value::boolean(macro.uses_caller);
  if (name != "arguments") return std::nullopt;
  std::vector<Value> names;
  for (const auto& parameter : macro.parameter_names) names.push_back(text(heap, parameter));
  return tuple(heap, std::move(names));
}

std::optional<Value> field(Heap& heap, const Value& object, std::string_view name) {
  switch (object.kind()) {
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      return number_attribute(object, name);
    case Kind::kTuple:
      if (!object.sequence().group) return std::nullopt;
      if (name == "grouper") return object.sequence().items[0];
      if (name == "list") return object.sequence().items[1];
      return std::nullopt;
    case Kind::kRange:
      if (name == "start") return Value::integer(object.range().start);
      if (name == "stop") return Value::integer(object.range().stop);
      if (name == "step") return Value::integer(object.range().step);
      return std::nullopt;
    case Kind::kNamespace: {
      const Value* found = object.ns().attributes->find(name);
      return found ? std::optional(*found) : std::nullopt;
    }
    case Kind::kLoop:
      return object.loop().attribute(name);
    case Kind::kMacro:
      return macro_attribute(heap, object.macro().node, name);
    case Kind::kCycler: {
      const Cycler& cycler = object.cycler();
      if (name == "current") return cycler.items[cycler.position];
      if (name == "pos") return Value::integer(i64(cycler.position));
      if (name == "items") return tuple(heap, cycler.items);
      return std::nullopt;
    }
    case Kind::kJoiner:
      if (name == "sep") return object.joiner().separator;
      if (name == "used") return Value::boolean(object.joiner().used);
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

// What Python's getattr would find, without falling back to an item.
std::optional<Value> attribute(Heap& heap, const Value& object, std::string_view name) {
  if (auto found = field(heap, object, name)) return found;
  if (is_mutator(object, name)) {
    return Value::undefined(heap, fmt::format("access to attribute '{}' of '{}' object is unsafe.",
                                              name, type_name(object)));
  }
  const Filter method =
      object.is_string() ? find_string_method(name) : find_other_method(object, name);
  if (!method) return std::nullopt;
  return bind(heap, object, name, method);
}

Value nothing(Heap& heap, const Value& object, const Value& index) {
  const std::string owner = object.is_none() ? "None" : fmt::format("{} object", type_name(object));
  if (index.is_string()) {
    return Value::undefined(heap, fmt::format("'{}' has no attribute '{}'", owner, index.bytes()));
  }
  return Value::undefined(heap, fmt::format("{} has no element {}", owner, repr(heap, index)));
}

bool is_hashable(const Value& value) {
  if (value.is(Kind::kTuple)) {
    const auto& items = value.sequence().items;
    return std::all_of(items.begin(), items.end(), is_hashable);
  }
  return !value.is(Kind::kList) && !value.is(Kind::kDict) && !value.is(Kind::kView);
}

std::optional<Value> item(Heap& heap, const Value& object, const Value& index) {
  if (object.is(Kind::kDict)) {
    if (!is_hashable(index)) return std::nullopt;
    const Value* found = object.dict().find(index);
    return found ? std::optional(*found) : std::nullopt;
  }
  if (!index.is_integer()) return std::nullopt;
  if (!object.is_string() && !object.is_sequence() && !object.is(Kind::kRange)) return std::nullopt;
  const i64 size = i64(length(object));
  i64 at = index.as_integer();
  if (at < 0) at += size;
  if (at < 0 || at >= size) return std::nullopt;
  if (object.is_sequence()) return object.sequence().items[u64(at)];
  if (object.is(Kind::kRange)) return Value::integer(object.range().at(u64(at)));
  heap.step();
  const u64 begin = object.string().byte_of(u64(at));
  return slice(object.string(), begin, begin + decode(object.bytes(), begin).bytes);
}

struct SliceBounds {
  i64 start, step;
  u64 count;
};

// Python's slice(start, stop, step).indices(size).
SliceBounds resolve(i64 size, const Value& start, const Value& stop, const Value& step) {
  const auto integer = [](const Value& value) {
    value.require_defined();
    if (!value.is_integer()) {
      raise("slice indices must be integers or None or have an __index__ method");
    }
    return value.as_integer();
  };
  const i64 by = step.is_none() ? 1 : integer(step);
  if (by == 0) raise("slice step cannot be zero");
  const i64 lowest = by < 0 ? -1 : 0, highest = by < 0 ? size - 1 : size;
  const auto clamp = [&](const Value& value, i64 otherwise) {
    if (value.is_none()) return otherwise;
    i64 at = integer(value);
    if (at < 0) at = at < -size ? lowest : at + size;
    return std::clamp(at, lowest, highest);
  };
  const i64 first = clamp(start, by < 0 ? highest : lowest);
  const i64 end = clamp(stop, by < 0 ? lowest : highest);
  const u64 span =
      by > 0 ? (end > first ? u64(end - first) : 0) : (first > end ? u64(first - end) : 0);
  const u64 stride = by > 0 ? u64(by) : u64(0) - u64(by);
  return {first, by, span == 0 ? 0 : (span - 1) / stride + 1};
}

Value slice_string(const String& string, const SliceBounds& bounds) {
  if (bounds.count == 0) return slice(string, 0, 0);
  if (bounds.step == 1) {
    const u64 begin = string.byte_of(u64(bounds.start));
    if (string.is_ascii()) return slice(string, begin, begin + bounds.count);
    return slice(string, begin, string.byte_of(u64(bounds.start) + bounds.count));
  }
  Heap& heap = string.heap();
  heap.step(bounds.count);
  std::vector<u32> begins;  // of every code point
  const bool ascii = string.is_ascii();
  if (!ascii) {
    heap.step(string.length());
    for (u64 at = 0; at < string.bytes().size(); at += decode(string.bytes(), at).bytes) {
      begins.push_back(u32(at));
    }
  }
  Builder builder(heap);
  for (u64 i = 0; i < bounds.count; ++i) {
    const u64 index = u64(bounds.start + i64(i) * bounds.step);
    const u64 begin = ascii ? index : begins[index];
    builder.add(string, begin, begin + decode(string.bytes(), begin).bytes);
  }
  auto result = builder.take();
  result->markup = string.markup;
  return result;
}

}  // namespace

Value get_attribute(Heap& heap, const Value& object, std::string_view name) {
  // The sandbox hides what every object has, on an undefined one as well.
  const bool hidden = is_one_of(name, {"__class__", "__init__", "__str__", "__repr__", "__len__",
                                       "__iter__", "__eq__", "__hash__", "__bool__", "__doc__"});
  if (hidden) {
    return Value::undefined(heap, fmt::format("access to attribute '{}' of '{}' object is unsafe.",
                                              name, type_name(object)));
  }
  object.require_defined();
  if (auto found = attribute(heap, object, name)) return std::move(*found);
  if (object.is(Kind::kDict)) {
    if (const Value* found = object.dict().find(name)) return *found;
  }
  return nothing(heap, object, text(heap, name));
}

Value get_attribute_only(Heap& heap, const Value& object, std::string_view name) {
  object.require_defined();
  if (auto found = attribute(heap, object, name)) return std::move(*found);
  return nothing(heap, object, text(heap, name));
}

Value get_item(Heap& heap, const Value& object, const Value& index) {
  object.require_defined();
  if (auto found = item(heap, object, index)) return std::move(*found);
  if (index.is_string()) {
    if (auto found = attribute(heap, object, index.bytes())) return std::move(*found);
  }
  return nothing(heap, object, index);
}

Value get_slice(Heap& heap, const Value& object, const Value& start, const Value& stop,
                const Value& step) {
  object.require_defined();
  if (object.is(Kind::kDict)) raise("unhashable type: 'slice'");
  if (!object.is_string() && !object.is_sequence() && !object.is(Kind::kRange)) {
    raise("'{}' object is not subscriptable", type_name(object));
  }
  const SliceBounds bounds = resolve(i64(length(object)), start, stop, step);
  if (object.is_string()) return slice_string(object.string(), bounds);
  if (object.is(Kind::kRange)) {
    const Range& range = object.range();
    const i64 first = i64(u64(range.start) + u64(bounds.start) * u64(range.step));
    const i64 by = i64(u64(range.step) * u64(bounds.step));
    return make<Range>(heap, first, i64(u64(first) + bounds.count * u64(by)), by);
  }
  auto result = make<Sequence>(heap, object.kind());
  heap.step(bounds.count);
  for (u64 i = 0; i < bounds.count; ++i) {
    result->push(object.sequence().items[u64(bounds.start + i64(i) * bounds.step)]);
  }
  return result;
}

Value get_path(Heap& heap, const Value& object, const Value& path, const Value* otherwise) {
  if (path.is_none()) return object;
  if (!path.is_string()) {
    const Value found = get_item(heap, object, path);
    return found.is_undefined() && otherwise ? *otherwise : found;
  }
  Value value = object;
  std::string_view rest = path.bytes();
  while (true) {
    const u64 dot = std::min(rest.find('.'), rest.size());
    const std::string_view part = rest.substr(0, dot);
    const bool digits = !part.empty() && part.size() < 18 &&
                        part.find_first_not_of("0123456789") == std::string_view::npos;
    value = get_item(heap, value,
                     digits ? Value::integer(std::stoll(std::string(part))) : text(heap, part));
    if (value.is_undefined() && otherwise) value = *otherwise;
    if (dot == rest.size()) return value;
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace orrery::text::jinja
