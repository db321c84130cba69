// pprint.pformat for lists, tuples and dicts (sorted by key). A long string stays on its line,
// where Python would break it into several literals.
#include "text/jinja/pretty.h"

#include <algorithm>

#include "text/jinja/print.h"
#include "text/jinja/unicode.h"

namespace orrery::text::jinja {
namespace {

constexpr u64 kWidth = 80;

// The entries of a dict as pprint sorts them: by key, where keys compare.
std::vector<Dict::Entry> sorted(const Dict& dict) {
  std::vector<Dict::Entry> entries = dict.entries();
  dict.heap().step(entries.size());
  const auto comparable = [](const Value& a, const Value& b) {
    return (a.is_string() && b.is_string()) || (a.is_number() && b.is_number());
  };
  std::stable_sort(entries.begin(), entries.end(), [&](const auto& a, const auto& b) {
    return comparable(a.key, b.key) ? less(a.key, b.key) : type_name(a.key) < type_name(b.key);
  });
  return entries;
}

class Printer {
 public:
  explicit Printer(Builder& out) : out_(out) {}

  // `indent` columns are used before the value, `allowance` are needed behind it.
  void print(const Value& value, u64 indent, u64 allowance, u32 depth) {
    if (depth > 100) raise("values nest too deep to print");
    Builder line(out_.heap());
    flat(line, value, depth);
    const bool fits = count_runes(line.text().bytes) + indent + allowance <= kWidth;
    const bool has_parts = value.is(Kind::kDict) || value.is_sequence();
    if (fits || !has_parts || length(value) == 0) {
      out_.add(line.text(), 0, line.size());
    } else if (value.is(Kind::kDict)) {
      dict(value.dict(), indent, allowance, depth);
    } else {
      list(value.sequence(), indent, allowance, depth);
    }
  }

 private:
  void flat(Builder& out, const Value& value, u32 depth) {
    if (depth > 100) raise("values nest too deep to print");
    if (value.is(Kind::kDict)) {
      out.add("{");
      bool first = true;
      for (const auto& [key, item] : sorted(value.dict())) {
        if (!std::exchange(first, false)) out.add(", ");
        flat(out, key, depth + 1);
        out.add(": ");
        flat(out, item, depth + 1);
      }
      out.add("}");
    } else if (value.is_sequence()) {
      out.add(value.is(Kind::kList) ? "[" : "(");
      const auto& items = value.sequence().items;
      for (u64 i = 0; i < items.size(); ++i) {
        if (i) out.add(", ");
        flat(out, items[i], depth + 1);
      }
      out.add(value.is(Kind::kList) ? "]" : items.size() == 1 ? ",)" : ")");
    } else {
      print_repr(out, value);
    }
  }

  void line(u64 indent) { out_.add(",\n").fill(" ", i64(indent)); }

  void list(const Sequence& sequence, u64 indent, u64 allowance, u32 depth) {
    const bool is_list = sequence.kind == Kind::kList;
    out_.add(is_list ? "[" : "(");
    for (u64 i = 0; i < sequence.items.size(); ++i) {
      if (i) line(indent + 1);
      const bool last = i + 1 == sequence.items.size();
      print(sequence.items[i], indent + 1, last ? allowance + 1 : 1, depth + 1);
    }
    out_.add(is_list ? "]" : sequence.items.size() == 1 ? ",)" : ")");
  }

  void dict(const Dict& dict, u64 indent, u64 allowance, u32 depth) {
    out_.add("{");
    const auto entries = sorted(dict);
    for (u64 i = 0; i < entries.size(); ++i) {
      if (i) line(indent + 1);
      Builder key(out_.heap());
      print_repr(key, entries[i].key);
      out_.add(key.text(), 0, key.size()).add(": ");
      const bool last = i + 1 == entries.size();
      print(entries[i].value, indent + 3 + count_runes(key.text().bytes), last ? allowance + 1 : 1,
            depth + 1);
    }
    out_.add("}");
  }

  Builder& out_;
};

}  // namespace

void print_pretty(Builder& out, const Value& value) { Printer(out).print(value, 0, 0, 0); }

}  // namespace orrery::text::jinja
