// Comparing values as Python does: equality, order, hashes, membership.
//
// Equality and order walk into containers; how deep is limited, because a namespace may hold
// itself.
#include <algorithm>

#include "text/jinja/search.h"
#include "text/jinja/value.h"

namespace orrery::text::jinja {
namespace {

constexpr u32 kDepthMax = 500;

bool equal_numbers(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) return a.as_integer() == b.as_integer();
  if (a.is(Kind::kFloat) && b.is(Kind::kFloat)) return a.as_real() == b.as_real();
  // 80-bit long double holds every i64 exactly, so that no two different numbers become equal.
  const auto exact = [](const Value& v) -> long double {
    return v.is(Kind::kFloat) ? v.as_real() : static_cast<long double>(v.as_integer());
  };
  return exact(a) == exact(b);
}

bool less_numbers(const Value& a, const Value& b, bool or_equal) {
  if (or_equal && equal_numbers(a, b)) return true;
  if (a.is_integer() && b.is_integer()) return a.as_integer() < b.as_integer();
  const auto exact = [](const Value& v) -> long double {
    return v.is(Kind::kFloat) ? v.as_real() : static_cast<long double>(v.as_integer());
  };
  return exact(a) < exact(b);
}

bool equal_at(const Value& a, const Value& b, u32 depth);

bool equal_items(const Sequence& a, const Sequence& b, u32 depth) {
  if (a.items.size() != b.items.size()) return false;
  for (u64 i = 0; i < a.items.size(); ++i) {
    if (!equal_at(a.items[i], b.items[i], depth)) return false;
  }
  return true;
}

bool equal_dicts(const Dict& a, const Dict& b, u32 depth) {
  if (a.entries().size() != b.entries().size()) return false;
  for (const auto& [key, value] : a.entries()) {
    const Value* other = b.find(key);
    if (!other || !equal_at(value, *other, depth)) return false;
  }
  return true;
}

bool equal_ranges(const Range& a, const Range& b) {
  if (a.size != b.size) return false;
  return a.size == 0 || (a.start == b.start && (a.size == 1 || a.step == b.step));
}

bool equal_at(const Value& a, const Value& b, u32 depth) {
  if (depth > kDepthMax) raise("values nest too deep to compare");
  if (a.is_number() && b.is_number()) return equal_numbers(a, b);
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      a.string().heap().step_bytes(std::min(a.bytes().size(), b.bytes().size()));
      return a.bytes() == b.bytes();
    default:
      break;
  }
  if (a.address() == b.address()) return true;
  a.address()->heap().step();
  switch (a.kind()) {
    case Kind::kList:
    case Kind::kTuple:
      return equal_items(a.sequence(), b.sequence(), depth + 1);
    case Kind::kDict:
      return equal_dicts(a.dict(), b.dict(), depth + 1);
    case Kind::kRange:
      return equal_ranges(a.range(), b.range());
    default:
      return false;
  }
}

bool less_at(const Value& a, const Value& b, std::string_view op, bool or_equal, u32 depth) {
  if (depth > kDepthMax) raise("values nest too deep to compare");
  a.require_defined();
  b.require_defined();
  if (a.is_number() && b.is_number()) return less_numbers(a, b, or_equal);
  if (a.is_string() && b.is_string()) {  // UTF-8 sorts by code points
    a.string().heap().step_bytes(std::min(a.bytes().size(), b.bytes().size()));
    return or_equal ? a.bytes() <= b.bytes() : a.bytes() < b.bytes();
  }
  if (!a.is_sequence() || a.kind() != b.kind()) {
    raise("'{}' not supported between instances of '{}' and '{}'", op, type_name(a), type_name(b));
  }
  const auto& left = a.sequence().items;
  const auto& right = b.sequence().items;
  for (u64 i = 0; i < left.size() && i < right.size(); ++i) {
    a.sequence().heap().step();
    if (equal_at(left[i], right[i], depth + 1)) continue;
    return less_at(left[i], right[i], op, or_equal, depth + 1);
  }
  return or_equal ? left.size() <= right.size() : left.size() < right.size();
}

u64 hash_at(const Value& value, u32 depth) {
  if (depth > kDepthMax) raise("values nest too deep to hash");
  switch (value.kind()) {
    case Kind::kUndefined:
      return 1;
    case Kind::kNone:
      return 2;
    case Kind::kBool:
    case Kind::kInt:
      return std::hash<f64>{}(f64(value.as_integer()));
    case Kind::kFloat:
      return std::hash<f64>{}(value.as_real());
    case Kind::kString: {
      value.string().heap().step_bytes(value.bytes().size());
      return std::hash<std::string_view>{}(value.bytes());
    }
    case Kind::kTuple: {
      u64 mixed = 3;
      for (const Value& item : value.sequence().items) {
        value.sequence().heap().step();
        mixed = mixed * 0x9e3779b97f4a7c15 + hash_at(item, depth + 1);
      }
      return mixed;
    }
    case Kind::kList:
    case Kind::kDict:
    case Kind::kView:
      raise("unhashable type: '{}'", type_name(value));
    default:
      return std::hash<const void*>{}(value.address());
  }
}

}  // namespace

bool equal(const Value& a, const Value& b) { return equal_at(a, b, 0); }
bool less(const Value& a, const Value& b, std::string_view op) {
  return less_at(a, b, op, false, 0);
}
bool less_or_equal(const Value& a, const Value& b, std::string_view op) {
  return less_at(a, b, op, true, 0);
}
u64 hash(const Value& value) { return hash_at(value, 0); }

bool contains(Heap& heap, const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::kString:
      if (!item.is_string()) {
        raise("'in <string>' requires string as left operand, not {}", type_name(item));
      }
      heap.step_bytes(container.bytes().size());
      return find_bytes(container.bytes(), item.bytes(), 0) != std::string_view::npos;
    case Kind::kDict:
      return container.dict().find(item) != nullptr;
    case Kind::kView:
      if (container.view().of == View::Of::kKeys)
        return container.view().dict->find(item) != nullptr;
      break;
    default:
      break;
  }
  if (!is_iterable(container)) raise("argument of type '{}' is not iterable", type_name(container));
  const auto iterator = iterate(heap, container);
  while (const auto next = iterator->next()) {
    if (equal(*next, item)) return true;
  }
  return false;
}

}  // namespace orrery::text::jinja
