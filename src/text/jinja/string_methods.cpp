// The methods of Python's str.
#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/format.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/print.h"
#include "text/jinja/search.h"
#include "text/jinja/text_ops.h"

namespace orrery::text::jinja {
namespace {

constexpr u64 kNowhere = std::string_view::npos;

Value part(const Value& self, Span span) { return slice(self.string(), span.begin, span.end); }

Value parts(const Value& self, const std::vector<Span>& spans) {
  auto list = make<Sequence>(self.string().heap(), Kind::kList);
  for (const Span span : spans) list->push(part(self, span));
  return list;
}

template <bool left, bool right>
Value strip_ends(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("strip", a, {""});
  if (bound.is_none(0)) return part(self, strip(self.bytes(), nullptr, left, right));
  const std::string chars(bound.string(0)->bytes());
  self.string().heap().step_bytes(chars.size() * (1 + self.bytes().size() / 16));
  return part(self, strip(self.bytes(), &chars, left, right));
}

template <Case to>
Value in_case(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("str method", a, {});
  return cased(self.string(), to);
}

Value capitalize(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("capitalize", a, {});
  return capitalized(self.string());
}

Value title(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("title", a, {});
  const String& text = self.string();
  return built(text, [&](Builder& out) {
    const Span all{0, text.bytes().size()};
    bool in_word = false;
    for (u64 at = 0; at < all.end;) {
      const Decoded d = decode(text.bytes(), at);
      add_cased(out, text, {at, at + d.bytes}, in_word ? Case::kLower : Case::kTitle, all);
      in_word = is_cased(d.rune);
      at += d.bytes;
    }
  });
}

Value swapcase(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("swapcase", a, {});
  const String& text = self.string();
  return built(text, [&](Builder& out) {
    const Span all{0, text.bytes().size()};
    for (u64 at = 0; at < all.end;) {
      const Decoded d = decode(text.bytes(), at);
      const Span rune{at, at + d.bytes};
      if (is_upper(d.rune))
        add_cased(out, text, rune, Case::kLower, all);
      else if (is_lower(d.rune))
        add_cased(out, text, rune, Case::kUpper, all);
      else
        out.add(text, rune.begin, rune.end);
      at += d.bytes;
    }
  });
}

std::vector<Span> split_at(Heap& heap, std::string_view text, std::string_view separator,
                           i64 splits) {
  std::vector<Span> spans;
  u64 begin = 0;
  heap.step_bytes(text.size());
  while (splits < 0 || i64(spans.size()) < splits) {
    const u64 found = find_bytes(text, separator, begin);
    if (found == kNowhere) break;
    heap.step();
    spans.push_back({begin, found});
    begin = found + separator.size();
  }
  spans.push_back({begin, text.size()});
  return spans;
}

// The last place of `needle` that ends at or before `end`; a search from behind by comparing is
// bounded by steps, because there is no memrmem.
u64 find_last(Heap& heap, std::string_view text, std::string_view needle, u64 begin, u64 end) {
  if (needle.size() > end - begin) return kNowhere;
  for (u64 at = end - needle.size() + 1; at-- > begin;) {
    if (at % 64 == 0) heap.step(1 + needle.size() / 16);
    if (text.compare(at, needle.size(), needle) == 0) return at;
  }
  return kNowhere;
}

std::vector<Span> rsplit_at(Heap& heap, std::string_view text, std::string_view separator,
                            i64 splits) {
  std::vector<Span> spans;
  u64 end = text.size();
  while (splits < 0 || i64(spans.size()) < splits) {
    const u64 found = find_last(heap, text, separator, 0, end);
    if (found == kNowhere) break;
    heap.step();
    spans.push_back({found + separator.size(), end});
    end = found;
  }
  spans.push_back({0, end});
  return {spans.rbegin(), spans.rend()};
}

template <bool from_right>
Value split(Interpreter& i, const Value& self, const Arguments& a) {
  const Bound bound("split", a, {"sep", "maxsplit"});
  const i64 splits = bound.integer(1, -1);
  if (bound.is_none(0)) {
    return parts(self, from_right ? split_words_right(i.heap(), self.bytes(), splits)
                                  : split_words(i.heap(), self.bytes(), splits));
  }
  const auto separator = bound.string(0);
  if (separator->bytes().empty()) raise("empty separator");
  return parts(self, from_right ? rsplit_at(i.heap(), self.bytes(), separator->bytes(), splits)
                                : split_at(i.heap(), self.bytes(), separator->bytes(), splits));
}

Value splitlines(Interpreter& i, const Value& self, const Arguments& a) {
  const Bound bound("splitlines", a, {"keepends"});
  return parts(self, split_lines(i.heap(), self.bytes(), bound.integer(0, 0) != 0));
}

template <bool from_right>
Value partition(Interpreter& i, const Value& self, const Arguments& a) {
  const Bound bound("partition", a, {""}, 1);
  const auto separator = bound.string(0);
  const std::string_view text = self.bytes();
  if (separator->bytes().empty()) raise("empty separator");
  const u64 found = from_right ? find_last(i.heap(), text, separator->bytes(), 0, text.size())
                               : find_bytes(text, separator->bytes(), 0);
  if (found == kNowhere) {
    const Value nothing = part(self, {0, 0});
    if (from_right) return tuple(i.heap(), {nothing, nothing, self});
    return tuple(i.heap(), {self, nothing, nothing});
  }
  const u64 after = found + separator->bytes().size();
  return tuple(i.heap(), {part(self, {0, found}), part(self, {found, after}),
                          part(self, {after, text.size()})});
}

// The bytes between the optional code point indexes start and end; nothing when start is behind the
// end.
std::optional<Span> section(const Value& self, const Bound& bound, u64 first) {
  const i64 size = i64(self.string().length());
  const auto index = [&](u64 at, i64 otherwise) {
    i64 value = bound.is_none(at) ? otherwise : bound.integer(at, 0);
    if (value < 0) value = std::max<i64>(0, value + size);
    return value;
  };
  const i64 start = index(first, 0), end = std::min(index(first + 1, size), size);
  if (start > end) return std::nullopt;
  return Span{self.string().byte_of(u64(start)), self.string().byte_of(u64(end))};
}

template <bool is_end>
Value starts_or_ends(Interpreter& i, const Value& self, const Arguments& a) {
  const Bound bound(is_end ? "endswith" : "startswith", a, {"", "", ""}, 1);
  const auto span = section(self, bound, 1);
  const auto matches = [&](const Value& affix) {
    affix.require_defined();
    if (!affix.is_string()) {
      raise("{} first arg must be str or a tuple of str, not {}",
            is_end ? "endswith" : "startswith", type_name(affix));
    }
    i.heap().step_bytes(affix.bytes().size());
    if (!span) return false;
    const std::string_view text = self.bytes().substr(span->begin, span->end - span->begin);
    return is_end ? text.ends_with(affix.bytes()) : text.starts_with(affix.bytes());
  };
  if (!bound.at(0).is(Kind::kTuple)) return Value::boolean(matches(bound.at(0)));
  const auto& affixes = bound.at(0).sequence().items;
  return Value::boolean(std::any_of(affixes.begin(), affixes.end(), matches));
}

template <bool from_right>
i64 find_index(Interpreter& i, const Value& self, const Arguments& a) {
  const Bound bound("find", a, {"", "", ""}, 1);
  const auto needle = bound.string(0);
  const auto span = section(self, bound, 1);
  if (!span) return -1;
  i.heap().step_bytes(self.bytes().size());
  u64 found = 0;
  if (from_right) {
    found = find_last(i.heap(), self.bytes(), needle->bytes(), span->begin, span->end);
  } else {
    found = find_bytes(self.bytes().substr(0, span->end), needle->bytes(), span->begin);
  }
  return found == kNowhere ? -1 : i64(count_runes(self.bytes().substr(0, found)));
}
template <bool from_right>
Value find(Interpreter& i, const Value& self, const Arguments& a) {
  return Value::integer(find_index<from_right>(i, self, a));
}
template <bool from_right>
Value index(Interpreter& i, const Value& self, const Arguments& a) {
  const i64 found = find_index<from_right>(i, self, a);
  if (found < 0) raise("substring not found");
  return Value::integer(found);
}

Value count(Interpreter& i, const Value& self, const Arguments& a) {
  const Bound bound("count", a, {"", "", ""}, 1);
  const auto needle = bound.string(0);
  const auto span = section(self, bound, 1);
  if (!span) return Value::integer(0);
  const std::string_view text = self.bytes().substr(span->begin, span->end - span->begin);
  i.heap().step_bytes(text.size());
  if (needle->bytes().empty()) return Value::integer(i64(count_runes(text)) + 1);
  i64 found = 0;
  for (u64 at = 0; (at = find_bytes(text, needle->bytes(), at)) != kNowhere; ++found) {
    i.heap().step();
    at += needle->bytes().size();
  }
  return Value::integer(found);
}

Value replace_method(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("replace", a, {"", "", ""}, 2);
  return replace(self.string(), *bound.string(0), *bound.string(1), bound.integer(2, -1));
}

Value join(Interpreter& i, const Value& self, const Arguments& a) {
  const Bound bound("join", a, {""}, 1);
  return built(self.string(), [&](Builder& out) {
    const auto iterator = iterate(i.heap(), bound.at(0));
    for (u64 at = 0; const auto item = iterator->next(); ++at) {
      if (!item->is_string()) {
        raise("sequence item {}: expected str instance, {} found", at, type_name(*item));
      }
      if (at) out.add(self.string());
      if (self.string().markup)
        print_escaped(out, *item);
      else
        out.add(item->string());
    }
  });
}

Value format(Interpreter&, const Value& self, const Arguments& a) {
  return format_braces(self.string(), a);
}
Value format_map(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("format_map", a, {""}, 1);
  if (!bound.at(0).is(Kind::kDict)) raise("format_map() takes a mapping");
  Arguments named;
  for (const auto& [key, value] : bound.at(0).dict().entries()) {
    if (key.is_string()) named.keywords.push_back({Ref<String>(&key.string()), value});
  }
  return format_braces(self.string(), named);
}

template <Pad where>
Value justify(Interpreter& i, const Value& self, const Arguments& a) {
  const Bound bound("justify", a, {"", ""}, 1);
  const auto fill = bound.has(1) ? bound.string(1) : make<String>(i.heap(), " ");
  return padded(self.string(), bound.integer(0, 0), *fill, where);
}

Value zfill(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("zfill", a, {""}, 1);
  const i64 room = bound.integer(0, 0) - i64(self.string().length());
  const bool has_sign = self.bytes().starts_with('+') || self.bytes().starts_with('-');
  return built(self.string(), [&](Builder& out) {
    out.add(self.string(), 0, has_sign).fill("0", room);
    out.add(self.string(), has_sign, self.bytes().size());
  });
}

Value expandtabs(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("expandtabs", a, {"tabsize"});
  const i64 size = bound.integer(0, 8);
  return built(self.string(), [&](Builder& out) {
    i64 column = 0;
    for (u64 at = 0; at < self.bytes().size();) {
      const Decoded d = decode(self.bytes(), at);
      if (d.rune == '\t') {
        const i64 room = size > 0 ? size - column % size : 0;
        out.fill(" ", room);
        column += room;
      } else {
        out.add(self.string(), at, at + d.bytes);
        column = d.rune == '\n' || d.rune == '\r' ? 0 : column + 1;
      }
      at += d.bytes;
    }
  });
}

Value removeprefix(Interpreter&, const Value& self, const Arguments& a) {
  const auto prefix = Bound("removeprefix", a, {""}, 1).string(0);
  const bool has = self.bytes().starts_with(prefix->bytes());
  return part(self, {has ? prefix->bytes().size() : 0, self.bytes().size()});
}
Value removesuffix(Interpreter&, const Value& self, const Arguments& a) {
  const auto suffix = Bound("removesuffix", a, {""}, 1).string(0);
  const bool has = self.bytes().ends_with(suffix->bytes());
  return part(self, {0, self.bytes().size() - (has ? suffix->bytes().size() : 0)});
}

bool is_alphanumeric(u32 r) { return is_alpha(r) || is_numeric(r); }

// Whether every code point is of a class; the empty string is not.
template <bool (*belongs)(u32)>
Value all_are(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("str method", a, {});
  const std::string_view text = self.bytes();
  u64 at = 0;
  while (at < text.size() && belongs(decode(text, at).rune)) at += decode(text, at).bytes;
  return Value::boolean(!text.empty() && at >= text.size());
}
Value isprintable(Interpreter& i, const Value& self, const Arguments& a) {
  if (self.bytes().empty()) return Value::boolean(true);
  return all_are<is_printable>(i, self, a);
}
Value isascii(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("isascii", a, {});
  return Value::boolean(self.string().is_ascii());
}
Value islower(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("islower", a, {});
  return Value::boolean(is_all_lower(self.bytes()));
}
Value isupper(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("isupper", a, {});
  return Value::boolean(is_all_upper(self.bytes()));
}
Value istitle(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("istitle", a, {});
  bool found = false, after_cased = false;
  for (u64 at = 0; at < self.bytes().size();) {
    const Decoded d = decode(self.bytes(), at);
    const bool opens = is_upper(d.rune) || is_title(d.rune), lower = is_lower(d.rune);
    if ((opens && after_cased) || (lower && !after_cased)) return Value::boolean(false);
    after_cased = opens || lower;
    found = found || after_cased;
    at += d.bytes;
  }
  return Value::boolean(found);
}
Value isidentifier(Interpreter&, const Value& self, const Arguments& a) {
  const Bound bound("isidentifier", a, {});
  const std::string_view text = self.bytes();
  for (u64 at = 0; at < text.size(); at += decode(text, at).bytes) {
    const u32 rune = decode(text, at).rune;
    if (!(rune == '_' || is_alpha(rune) || (at > 0 && is_decimal(rune))))
      return Value::boolean(false);
  }
  return Value::boolean(!text.empty());
}

constexpr Named kMethods[] = {
    {"strip", strip_ends<true, true>},
    {"lstrip", strip_ends<true, false>},
    {"rstrip", strip_ends<false, true>},
    {"upper", in_case<Case::kUpper>},
    {"lower", in_case<Case::kLower>},
    {"casefold", in_case<Case::kFold>},
    {"capitalize", capitalize},
    {"title", title},
    {"swapcase", swapcase},
    {"split", split<false>},
    {"rsplit", split<true>},
    {"splitlines", splitlines},
    {"partition", partition<false>},
    {"rpartition", partition<true>},
    {"startswith", starts_or_ends<false>},
    {"endswith", starts_or_ends<true>},
    {"find", find<false>},
    {"rfind", find<true>},
    {"index", index<false>},
    {"rindex", index<true>},
    {"count", count},
    {"replace", replace_method},
    {"join", join},
    {"format", format},
    {"format_map", format_map},
    {"ljust", justify<Pad::kRight>},
    {"rjust", justify<Pad::kLeft>},
    {"center", justify<Pad::kBoth>},
    {"zfill", zfill},
    {"expandtabs", expandtabs},
    {"removeprefix", removeprefix},
    {"removesuffix", removesuffix},
    {"isalpha", all_are<is_alpha>},
    {"isdigit", all_are<is_digit>},
    {"isdecimal", all_are<is_decimal>},
    {"isnumeric", all_are<is_numeric>},
    {"isalnum", all_are<is_alphanumeric>},
    {"isspace", all_are<is_space>},
    {"isprintable", isprintable},
    {"isascii", isascii},
    {"islower", islower},
    {"isupper", isupper},
    {"istitle", istitle},
    {"isidentifier", isidentifier},
};

}  // namespace

Filter find_string_method(std::string_view name) {
  const auto row = std::find_if(std::begin(kMethods), std::end(kMethods),
                                [&](const Named& method) { return method.name == name; });
  return row == std::end(kMethods) ? nullptr : row->function;
}

}  // namespace orrery::text::jinja
