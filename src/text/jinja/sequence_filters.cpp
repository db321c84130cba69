// Filters over sequences. Those that give a generator in jinja2 give a lazy iterator here: what is
// never read is never computed, and never fails.
#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/operators.h"
#include "text/jinja/print.h"
#include "text/jinja/text_ops.h"

namespace orrery::text::jinja {
namespace {

Value lazy(Interpreter& i, Generator::Step step) {
  auto guarded = [&i, step = std::move(step)]() -> std::optional<Value> {
    const Interpreter::Nesting nesting(i);  // iterators can stand one upon the other
    return step();
  };
  return Ref<Iterator>(new Generator(i.heap(), std::move(guarded)));
}

Value fold_case(const Value& value, bool case_sensitive) {
  return value.is_string() && !case_sensitive ? cased(value.string(), Case::kLower) : value;
}

// Items and what they are sorted or grouped by.
struct Keyed {
  std::vector<Value> keys;
  Value item;
};

bool less_keys(const Keyed& a, const Keyed& b) {
  for (u64 k = 0; k < a.keys.size(); ++k) {
    if (!equal(a.keys[k], b.keys[k])) return less(a.keys[k], b.keys[k]);
  }
  return false;
}

void sort_keyed(Heap& heap, std::vector<Keyed>& items, bool reverse) {
  std::stable_sort(items.begin(), items.end(), [&](const Keyed& a, const Keyed& b) {
    heap.step();
    return reverse ? less_keys(b, a) : less_keys(a, b);
  });
}

Value first(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("first", a, {});
  auto item = iterate(i.heap(), input)->next();
  return item ? *item : Value::undefined(i.heap(), "No first item, sequence was empty.");
}
Value last(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("last", a, {});
  auto item = iterate_reversed(i.heap(), input)->next();
  return item ? *item : Value::undefined(i.heap(), "No last item, sequence was empty.");
}
Value length_filter(Interpreter&, const Value& input, const Arguments& a) {
  const Bound bound("length", a, {});
  return Value::integer(i64(length(input)));
}
Value list(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("list", a, {});
  return to_list(i.heap(), input);
}

Value reverse(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("reverse", a, {});
  if (input.is_string()) {
    return get_slice(i.heap(), input, Value::none(), Value::none(), Value::integer(-1));
  }
  if (input.is(Kind::kIterator) || input.is(Kind::kLoop)) {
    auto items = to_list(i.heap(), input);
    std::reverse(items->items.begin(), items->items.end());
    return items;
  }
  if (!is_iterable(input)) raise("argument must be iterable");
  return iterate_reversed(i.heap(), input);
}

Value join(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("join", a, {"d", "attribute"});
  const Value path = bound.get(1);
  const auto separator = to_string(i.heap(), bound.get(0, text(i.heap(), "")));
  Builder out(i.heap());
  bool markup = i.autoescape() && separator->markup;
  auto items = to_list(i.heap(), input);
  for (Value& item : items->items) {
    item = get_path(i.heap(), item, path);
    markup = markup || (i.autoescape() && item.is_string() && item.string().markup);
  }
  for (u64 at = 0; at < items->items.size(); ++at) {
    if (markup) {
      if (at) print_escaped(out, Value(separator));
      print_escaped(out, items->items[at]);
    } else {
      if (at) out.add(*separator);
      print(out, items->items[at]);
    }
  }
  auto result = out.take();
  result->markup = markup;
  return result;
}

Value items(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("items", a, {});
  auto step = [&i, input, from = Ref<Iterator>()]() mutable -> std::optional<Value> {
    if (input.is_undefined()) return std::nullopt;
    if (!input.is(Kind::kDict)) raise("Can only get item pairs from a mapping.");
    if (!from) {
      const Value view(make<View>(i.heap(), Ref<Dict>(&input.dict()), View::Of::kItems));
      from = iterate(i.heap(), view);
    }
    return from->next();
  };
  return lazy(i, std::move(step));
}

Value map(Interpreter& i, const Value& input, const Arguments& a) {
  auto step = [&i, input, a, from = Ref<Iterator>()]() mutable -> std::optional<Value> {
    const bool by_attribute = a.positional.empty() && !a.keywords.empty() &&
                              std::any_of(a.keywords.begin(), a.keywords.end(), [](const auto& k) {
                                return k.name->bytes() == "attribute";
                              });
    if (!from) {
      if (!truth(input)) return std::nullopt;
      if (by_attribute)
        (void)Bound("map", a, {"attribute", "default"});
      else if (a.positional.empty())
        raise("map requires a filter argument");
      from = iterate(i.heap(), input);
    }
    auto item = from->next();
    if (!item) return std::nullopt;
    if (by_attribute) {
      const Bound bound("map", a, {"attribute", "default"});
      const Value otherwise = bound.get(1);
      return get_path(i.heap(), *item, bound.at(0), otherwise.is_none() ? nullptr : &otherwise);
    }
    if (!a.positional[0].is_string()) raise("map: the name of a filter is needed");
    Arguments rest;
    rest.positional.assign(a.positional.begin() + 1, a.positional.end());
    rest.keywords = a.keywords;
    return i.apply_filter(a.positional[0].bytes(), *item, rest);
  };
  return lazy(i, std::move(step));
}

// select, reject, selectattr, rejectattr
template <bool wanted, bool by_attribute>
Value select(Interpreter& i, const Value& input, const Arguments& a) {
  auto step = [&i, input, a, from = Ref<Iterator>()]() mutable -> std::optional<Value> {
    constexpr u64 kName = by_attribute ? 1 : 0;  // the test's place among the arguments
    const auto& given = a.positional;
    if (!from) {
      if (!truth(input)) return std::nullopt;
      if (by_attribute && given.empty()) raise("Missing parameter for attribute name");
      from = iterate(i.heap(), input);
    }
    Arguments rest;
    if (given.size() > kName) rest.positional.assign(given.begin() + kName + 1, given.end());
    rest.keywords = a.keywords;
    while (auto item = from->next()) {
      const Value tested = by_attribute ? get_path(i.heap(), *item, given[0]) : *item;
      if (given.size() > kName && !given[kName].is_string()) raise("the name of a test is needed");
      const bool passes =
          given.size() > kName ? i.apply_test(given[kName].bytes(), tested, rest) : truth(tested);
      if (passes == wanted) return item;
    }
    return std::nullopt;
  };
  return lazy(i, std::move(step));
}

template <bool want_max>
Value extreme(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound(want_max ? "max" : "min", a, {"case_sensitive", "attribute"});
  const bool case_sensitive = bound.boolean(0, false);
  const auto key = [&](const Value& item) {
    return fold_case(get_path(i.heap(), item, bound.get(1)), case_sensitive);
  };
  const auto iterator = iterate(i.heap(), input);
  auto best = iterator->next();
  if (!best) return Value::undefined(i.heap(), "No aggregated item, sequence was empty.");
  Value best_key = key(*best);
  while (const auto item = iterator->next()) {
    Value other = key(*item);
    if (want_max ? !less(best_key, other, ">") : !less(other, best_key)) continue;
    best = item;
    best_key = std::move(other);
  }
  return *best;
}

std::vector<Value> attribute_paths(Heap& heap, const Value& attribute) {
  if (!attribute.is_string()) return {attribute};
  std::vector<Value> paths;
  const String& all = attribute.string();
  u64 begin = 0;
  while (true) {
    const u64 comma = std::min(all.bytes().find(',', begin), all.bytes().size());
    heap.step();
    paths.push_back(slice(all, begin, comma));
    if (comma == all.bytes().size()) return paths;
    begin = comma + 1;
  }
}

Value sort(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("sort", a, {"reverse", "case_sensitive", "attribute"});
  const bool case_sensitive = bound.boolean(1, false);
  const auto paths = attribute_paths(i.heap(), bound.get(2));
  std::vector<Keyed> keyed;
  const auto iterator = iterate(i.heap(), input);
  while (auto item = iterator->next()) {
    Keyed entry{{}, *item};
    for (const Value& path : paths) {
      entry.keys.push_back(fold_case(get_path(i.heap(), *item, path), case_sensitive));
    }
    keyed.push_back(std::move(entry));
  }
  sort_keyed(i.heap(), keyed, bound.integer(0, 0) != 0);
  auto result = make<Sequence>(i.heap(), Kind::kList);
  for (Keyed& entry : keyed) result->push(std::move(entry.item));
  return result;
}

Value dictsort(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("dictsort", a, {"case_sensitive", "by", "reverse"});
  const std::string by(bound.has(1) ? bound.string(1)->bytes() : "key");
  if (by != "key" && by != "value") raise("You can only sort by either \"key\" or \"value\"");
  input.require_defined();
  if (!input.is(Kind::kDict)) raise("'{}' object has no attribute 'items'", type_name(input));
  const bool reverse = bound.integer(2, 0) != 0;
  std::vector<Keyed> keyed;
  for (const auto& [key, value] : input.dict().entries()) {
    keyed.push_back({{fold_case(by == "key" ? key : value, bound.boolean(0, false))},
                     tuple(i.heap(), {key, value})});
  }
  std::stable_sort(keyed.begin(), keyed.end(), [&](const Keyed& x, const Keyed& y) {
    i.heap().step();
    return reverse ? less(y.keys[0], x.keys[0]) : less(x.keys[0], y.keys[0]);
  });
  auto result = make<Sequence>(i.heap(), Kind::kList);
  for (Keyed& entry : keyed) result->push(std::move(entry.item));
  return result;
}

Value groupby(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("groupby", a, {"attribute", "default", "case_sensitive"}, 1);
  const Value otherwise = bound.get(1);
  const Value* fallback = otherwise.is_none() ? nullptr : &otherwise;
  const bool case_sensitive = bound.boolean(2, false);
  std::vector<Keyed> keyed;
  const auto iterator = iterate(i.heap(), input);
  while (auto item = iterator->next()) {
    const Value key = get_path(i.heap(), *item, bound.at(0), fallback);
    keyed.push_back({{fold_case(key, case_sensitive)}, *item});
  }
  std::stable_sort(keyed.begin(), keyed.end(), [&](const Keyed& x, const Keyed& y) {
    i.heap().step();
    return less(x.keys[0], y.keys[0]);
  });
  auto result = make<Sequence>(i.heap(), Kind::kList);
  for (u64 begin = 0; begin < keyed.size();) {
    auto members = make<Sequence>(i.heap(), Kind::kList);
    u64 end = begin;
    while (end < keyed.size() && equal(keyed[end].keys[0], keyed[begin].keys[0])) {
      members->push(keyed[end++].item);
    }
    const Value key = get_path(i.heap(), keyed[begin].item, bound.at(0), fallback);
    auto group = make<Sequence>(i.heap(), Kind::kTuple, std::vector<Value>{key, Value(members)});
    group->group = true;
    result->push(Value(group));
    begin = end;
  }
  return result;
}

Value unique(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("unique", a, {"case_sensitive", "attribute"});
  const bool case_sensitive = bound.boolean(0, false);
  auto step = [&i, case_sensitive, path = bound.get(1), input, from = Ref<Iterator>(),
               seen = make<Dict>(i.heap())]() mutable -> std::optional<Value> {
    if (!from) from = iterate(i.heap(), input);
    while (auto item = from->next()) {
      const Value key = fold_case(get_path(i.heap(), *item, path), case_sensitive);
      if (seen->find(key)) continue;
      seen->set(key, Value::none());
      return item;
    }
    return std::nullopt;
  };
  return lazy(i, std::move(step));
}

Value sum(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("sum", a, {"attribute", "start"});
  Value total = bound.get(1, Value::integer(0));
  if (total.is_string()) raise("sum() can't sum strings [use ''.join(seq) instead]");
  const auto iterator = iterate(i.heap(), input);
  while (const auto item = iterator->next()) {
    total = add(i.heap(), total, get_path(i.heap(), *item, bound.get(0)));
  }
  return total;
}

Value batch(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("batch", a, {"linecount", "fill_with"}, 1);
  auto step = [&i, input, count = bound.at(0), fill = bound.get(1), from = Ref<Iterator>(),
               held = std::optional<Value>(), done = false]() mutable -> std::optional<Value> {
    if (done) return std::nullopt;
    if (!from) from = iterate(i.heap(), input);
    auto row = make<Sequence>(i.heap(), Kind::kList);
    if (held) row->push(*std::exchange(held, std::nullopt));
    while (auto item = from->next()) {
      if (equal(Value::integer(i64(row->items.size())), count)) {
        held = std::move(item);
        return Value(row);
      }
      row->push(std::move(*item));
    }
    done = true;
    if (row->items.empty()) return std::nullopt;
    if (!fill.is_none() && less(Value::integer(i64(row->items.size())), count)) {
      for (i64 missing = require_integer(count) - i64(row->items.size()); missing > 0; --missing) {
        i.heap().step();
        row->push(fill);
      }
    }
    return Value(row);
  };
  return lazy(i, std::move(step));
}

Value slice_filter(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("slice", a, {"slices", "fill_with"}, 1);
  auto step = [&i, input, slices = bound.at(0), fill = bound.get(1), all = Ref<Sequence>(),
               number = i64(0)]() mutable -> std::optional<Value> {
    const i64 count = require_integer(slices);
    if (!all) {
      all = to_list(i.heap(), input);
      if (count == 0) raise("integer division or modulo by zero");
    }
    if (number >= count) return std::nullopt;
    const i64 size = i64(all->items.size()), each = size / count, extra = size % count;
    const i64 begin = number * each + std::min(number, extra);
    const i64 end = begin + each + (number < extra);
    auto row = make<Sequence>(i.heap(), Kind::kList);
    for (i64 at = begin; at < end; ++at) row->push(all->items[u64(at)]);
    if (!fill.is_none() && number >= extra) row->push(fill);
    ++number;
    return Value(row);
  };
  return lazy(i, std::move(step));
}

constexpr Named kFilters[] = {
    {"first", first},
    {"last", last},
    {"length", length_filter},
    {"count", length_filter},
    {"list", list},
    {"reverse", reverse},
    {"join", join},
    {"items", items},
    {"map", map},
    {"select", select<true, false>},
    {"reject", select<false, false>},
    {"selectattr", select<true, true>},
    {"rejectattr", select<false, true>},
    {"min", extreme<false>},
    {"max", extreme<true>},
    {"sort", sort},
    {"dictsort", dictsort},
    {"groupby", groupby},
    {"unique", unique},
    {"sum", sum},
    {"batch", batch},
    {"slice", slice_filter},
};

}  // namespace

std::span<const Named> sequence_filters() { return kFilters; }

}  // namespace orrery::text::jinja
