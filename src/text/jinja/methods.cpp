// The methods of everything but strings: dicts, lists, tuples, ranges, numbers, the loop and
// cyclers.
#include <algorithm>
#include <cmath>

#include "text/jinja/builtins.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/print.h"

namespace orrery::text::jinja {
namespace {

Value dict_get(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("get", a, {"", ""}, 1);
  const Value* found = self.dict().find(bound.at(0));
  return found ? *found : bound.get(1);
}
template <View::Of of>
Value dict_view(Interpreter& i, const Value& self, const Arguments& a) {
  const Bound bound("dict method", a, {});
  return make<View>(i.heap(), Ref<Dict>(&self.dict()), of);
}
Value copy(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("copy", a, {});
  return self;  // what cannot be changed need not be copied
}

Value count(Interpreter& i, const Value& self, const Arguments& a) {
  const Bound bound("count", a, {""}, 1);
  i64 found = 0;
  const auto iterator = iterate(i.heap(), self);
  while (const auto item = iterator->next()) found += equal(*item, bound.at(0));
  return Value::integer(found);
}
Value index(Interpreter& i, const Value& self, const Arguments& a) {
  const Bound bound("index", a, {"", "", ""}, 1);
  const i64 size = i64(length(self));
  const auto clamped = [&](u64 at, i64 otherwise) {
    const i64 value = bound.integer(at, otherwise);
    return value < 0 ? std::max<i64>(0, value + size) : value;
  };
  const i64 start = clamped(1, 0), stop = clamped(2, size);
  const auto iterator = iterate(i.heap(), self);
  for (i64 at = 0; const auto item = iterator->next(); ++at) {
    if (at >= start && at < stop && equal(*item, bound.at(0))) return Value::integer(at);
  }
  raise("{} is not in {}", repr(i.heap(), bound.at(0)), type_name(self));
}

Value bit_length(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("bit_length", a, {});
  const i64 value = self.as_integer();
  const u64 magnitude = value < 0 ? u64(0) - u64(value) : u64(value);
  return Value::integer(magnitude == 0 ? 0 : 64 - __builtin_clzll(magnitude));
}
Value is_integer(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("is_integer", a, {});
  return Value::boolean(std::isfinite(self.as_real()) &&
                        std::floor(self.as_real()) == self.as_real());
}
Value conjugate(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("conjugate", a, {});
  return self.is(Kind::kBool) ? Value::integer(self.as_integer()) : self;
}

Value loop_cycle(Interpreter&, const Value& self, const Arguments& a) {
  if (!a.keywords.empty()) raise("cycle() takes no keyword arguments");
  if (a.positional.empty()) raise("no items for cycling given");
  return a.positional[u64(self.loop().index0) % a.positional.size()];
}
Value loop_changed(Interpreter&, const Value& self, const Arguments& a) {
  if (!a.keywords.empty()) raise("changed() takes no keyword arguments");
  return Value::boolean(self.loop().changed(a.positional));
}

Value cycler_next(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("next", a, {});
  Cycler& cycler = self.cycler();
  Value result = cycler.items[cycler.position];
  cycler.position = (cycler.position + 1) % cycler.items.size();
  return result;
}
Value cycler_reset(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("reset", a, {});
  self.cycler().position = 0;
  return Value::none();
}

constexpr Named kDict[] = {{"get", dict_get},
                           {"items", dict_view<View::Of::kItems>},
                           {"keys", dict_view<View::Of::kKeys>},
                           {"values", dict_view<View::Of::kValues>},
                           {"copy", copy}};
constexpr Named kList[] = {{"count", count}, {"index", index}, {"copy", copy}};
constexpr Named kTuple[] = {{"count", count}, {"index", index}};
constexpr Named kInt[] = {{"bit_length", bit_length}, {"conjugate", conjugate}};
constexpr Named kFloat[] = {{"is_integer", is_integer}, {"conjugate", conjugate}};
constexpr Named kLoop[] = {{"cycle", loop_cycle}, {"changed", loop_changed}};
constexpr Named kCycler[] = {{"next", cycler_next}, {"reset", cycler_reset}};

std::span<const Named> methods_of(Kind kind) {
  switch (kind) {
    case Kind::kDict:
      return kDict;
    case Kind::kList:
      return kList;
    case Kind::kTuple:
    case Kind::kRange:
      return kTuple;
    case Kind::kBool:
    case Kind::kInt:
      return kInt;
    case Kind::kFloat:
      return kFloat;
    case Kind::kLoop:
      return kLoop;
    case Kind::kCycler:
      return kCycler;
    default:
      return {};
  }
}

}  // namespace

Filter find_other_method(const Value& object, std::string_view name) {
  for (const Named& method : methods_of(object.kind())) {
    if (method.name == name) return method.function;
  }
  return nullptr;
}

}  // namespace orrery::text::jinja
