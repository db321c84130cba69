// Iterating: over every kind of value that Python would iterate over, forwards and backwards.
#include "text/jinja/callable.h"
#include "text/jinja/unicode.h"
#include "text/jinja/value.h"

namespace orrery::text::jinja {
namespace {

// Values by index: 0 to size, or the other way round.
template <typename At>
Ref<Iterator> indexed(Heap& heap, u64 size, bool reversed, std::string_view type, At at) {
  auto step = [&heap, size, reversed, at, i = u64(0)]() mutable -> std::optional<Value> {
    if (i >= size) return std::nullopt;
    heap.step();
    const u64 index = reversed ? size - 1 - i : i;
    ++i;
    return at(index);
  };
  return Ref<Iterator>(new Generator(heap, std::move(step), type));
}

Ref<Iterator> runes(Heap& heap, const Value& string) {
  auto step = [&heap, string, at = u64(0)]() mutable -> std::optional<Value> {
    if (at >= string.bytes().size()) return std::nullopt;
    heap.step();
    const u64 begin = at;
    at += decode(string.bytes(), at).bytes;
    return slice(string.string(), begin, at);
  };
  return Ref<Iterator>(new Generator(heap, std::move(step), "str_iterator"));
}

Ref<Iterator> pairs_of_loop(Heap& heap, const Value& loop) {
  auto step = [&heap, loop]() -> std::optional<Value> {
    auto next = loop.loop().advance();
    if (!next) return std::nullopt;
    return tuple(heap, {*next, loop});
  };
  return Ref<Iterator>(new Generator(heap, std::move(step)));
}

}  // namespace

bool is_iterable(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kRange:
    case Kind::kView:
    case Kind::kIterator:
    case Kind::kLoop:
      return true;
    default:
      return false;
  }
}

Ref<Iterator> iterate(Heap& heap, const Value& value) {
  const auto from = [&](bool reversed, std::string_view type) {
    return indexed(heap, value.sequence().items.size(), reversed, type,
                   [value](u64 i) { return value.sequence().items[i]; });
  };
  switch (value.kind()) {
    case Kind::kUndefined:
      return indexed(heap, 0, false, "generator", [](u64) { return Value(); });
    case Kind::kString:
      return runes(heap, value);
    case Kind::kList:
      return from(false, "list_iterator");
    case Kind::kTuple:
      return from(false, "tuple_iterator");
    case Kind::kDict:
      return indexed(heap, value.dict().entries().size(), false, "dict_keyiterator",
                     [value](u64 i) { return value.dict().entries()[i].key; });
    case Kind::kRange:
      return indexed(heap, value.range().size, false, "range_iterator",
                     [value](u64 i) { return Value::integer(value.range().at(i)); });
    case Kind::kView:
      return indexed(heap, value.view().size(), false, "dict_iterator",
                     [value](u64 i) { return value.view().at(i); });
    case Kind::kIterator:
      return Ref<Iterator>(&value.iterator());
    case Kind::kLoop:
      return pairs_of_loop(heap, value);
    default:
      raise("'{}' object is not iterable", type_name(value));
  }
}

Ref<Iterator> iterate_reversed(Heap& heap, const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return iterate(heap, value);
    case Kind::kString: {
      auto step = [&heap, value, end = value.bytes().size()]() mutable -> std::optional<Value> {
        if (end == 0) return std::nullopt;
        heap.step();
        const u64 last = end;
        end = previous_rune(value.bytes(), end);
        return slice(value.string(), end, last);
      };
      return Ref<Iterator>(new Generator(heap, std::move(step), "reversed"));
    }
    case Kind::kList:
    case Kind::kTuple:
      return indexed(heap, value.sequence().items.size(), true, "list_reverseiterator",
                     [value](u64 i) { return value.sequence().items[i]; });
    case Kind::kDict:
      return indexed(heap, value.dict().entries().size(), true, "dict_reversekeyiterator",
                     [value](u64 i) { return value.dict().entries()[i].key; });
    case Kind::kRange:
      return indexed(heap, value.range().size, true, "range_iterator",
                     [value](u64 i) { return Value::integer(value.range().at(i)); });
    case Kind::kView:
      return indexed(heap, value.view().size(), true, "dict_reverseiterator",
                     [value](u64 i) { return value.view().at(i); });
    default:
      raise("'{}' object is not reversible", type_name(value));
  }
}

Ref<Sequence> to_list(Heap& heap, const Value& value, Kind kind) {
  auto list = make<Sequence>(heap, kind);
  const auto iterator = iterate(heap, value);
  while (auto next = iterator->next()) list->push(std::move(*next));
  return list;
}

}  // namespace orrery::text::jinja
