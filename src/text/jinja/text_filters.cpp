// Filters that make text of text.
#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/format.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/print.h"
#include "text/jinja/text_ops.h"
#include "text/jinja/wrap.h"

namespace orrery::text::jinja {
namespace {

template <Case to>
Value in_case(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("case filter", a, {});
  return cased(*to_string(i.heap(), input), to);
}
Value capitalize(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("capitalize", a, {});
  return capitalized(*to_string(i.heap(), input));
}

// Words begin after white space, hyphens and opening brackets.
bool ends_word(u32 rune) {
  return is_space(rune) || rune == '-' || rune == '(' || rune == '{' || rune == '[' || rune == '<';
}
Value title(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("title", a, {});
  const auto text = to_string(i.heap(), input);
  return built(*text, [&](Builder& out) {
    const std::string_view bytes = text->bytes();
    for (u64 begin = 0; begin < bytes.size();) {
      const Decoded first = decode(bytes, begin);
      u64 end = begin;
      while (end < bytes.size() && ends_word(decode(bytes, end).rune) == ends_word(first.rune)) {
        end += decode(bytes, end).bytes;
      }
      const Span rest{begin + first.bytes, end};
      add_cased(out, *text, {begin, rest.begin}, Case::kUpper, {begin, rest.begin});
      add_cased(out, *text, rest, Case::kLower, rest);
      begin = end;
    }
  });
}

Value center(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("center", a, {"width"});
  return padded(*to_string(i.heap(), input), bound.integer(0, 80), *make<String>(i.heap(), " "),
                Pad::kBoth);
}

Value trim(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("trim", a, {"chars"});
  const auto text = to_string(i.heap(), input);
  std::string chars;
  if (!bound.is_none(0)) chars = bound.string(0)->bytes();
  i.heap().step_bytes(chars.size() * (1 + text->bytes().size() / 16));
  const Span span = strip(text->bytes(), bound.is_none(0) ? nullptr : &chars, true, true);
  return slice(*text, span.begin, span.end);
}

Value replace_filter(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("replace", a, {"old", "new", "count"}, 2);
  const i64 count = bound.is_none(2) ? -1 : bound.integer(2, -1);
  Heap& heap = i.heap();
  auto text = to_string(heap, input);
  const auto from = to_string(heap, bound.at(0)), to = to_string(heap, bound.at(1));
  if (!i.autoescape()) return replace(*text, *from, *to, count);
  const auto escaped = [&](const Ref<String>& string) {
    Builder builder(heap);
    print_escaped(builder, Value(string));
    auto result = builder.take();
    result->markup = true;
    return result;
  };
  if (from->markup || (to->markup && !text->markup)) text = escaped(text);
  return replace(*text, *from, text->markup ? *escaped(to) : *to, count);
}

Value format(Interpreter& i, const Value& input, const Arguments& a) {
  if (!a.positional.empty() && !a.keywords.empty()) {
    raise("can't handle positional and keyword arguments at the same time");
  }
  const auto text = to_string(i.heap(), input);
  if (a.keywords.empty()) return format_percent(*text, tuple(i.heap(), a.positional));
  auto named = make<Dict>(i.heap());
  for (const auto& [name, value] : a.keywords) named->set(Value(name), value);
  return format_percent(*text, Value(named));
}

Value string(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("string", a, {});
  return to_string(i.heap(), input);
}

const String& require_string(const Value& input, std::string_view filter) {
  input.require_defined();
  if (!input.is_string()) raise("{}: a string is needed, not '{}'", filter, type_name(input));
  return input.string();
}

Value indent(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("indent", a, {"width", "first", "blank"});
  const String& text = require_string(input, "indent");
  Builder spaces(i.heap());
  Ref<String> indention;
  if (bound.has(0) && bound.at(0).is_string())
    indention = bound.string(0);
  else
    indention = spaces.fill(" ", bound.integer(0, 4)).take();
  const bool first = bound.boolean(1, false), blank = bound.boolean(2, false);
  auto lines = split_lines(i.heap(), text.bytes());
  // jinja2 adds a newline before it splits, so that a last empty line is one.
  const u64 size = text.bytes().size();
  if (size == 0 || is_line_break(decode(text.bytes(), previous_rune(text.bytes(), size)).rune)) {
    if (!text.bytes().ends_with('\r')) lines.push_back({size, size});
  }
  return built(text, [&](Builder& out) {
    if (first) out.add(*indention);
    for (u64 line = 0; line < lines.size(); ++line) {
      if (line) out.add("\n");
      const bool empty = lines[line].begin == lines[line].end;
      if (line && (blank || !empty)) out.add(*indention);
      out.add(text, lines[line].begin, lines[line].end);
    }
  });
}

Value truncate(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("truncate", a, {"length", "killwords", "end", "leeway"});
  const i64 length = bound.integer(0, 255);
  const auto end = bound.has(2) ? bound.string(2) : make<String>(i.heap(), "...");
  const i64 leeway = bound.is_none(3) ? 5 : bound.integer(3, 5);
  if (length < i64(end->length())) raise("expected length >= {}, got {}", end->length(), length);
  if (leeway < 0) raise("expected leeway >= 0, got {}", leeway);
  const String& text = require_string(input, "truncate");
  if (i64(text.length()) - length <= leeway) return input;
  const u64 kept = text.byte_of(u64(length) - end->length());
  u64 stop = kept;
  if (!bound.boolean(1, false)) {
    const u64 space = text.bytes().substr(0, kept).rfind(' ');
    if (space != std::string_view::npos) stop = space;
  }
  return built(text, [&](Builder& out) { out.add(text, 0, stop).add(*end); });
}

Value wordwrap(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("wordwrap", a, {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
  const String& text = require_string(input, "wordwrap");
  const auto separator = bound.is_none(2) ? make<String>(i.heap(), "\n") : bound.string(2);
  const WrapStyle style{bound.integer(0, 79), bound.boolean(1, true), bound.boolean(3, true)};
  return built(text, [&](Builder& out) {
    bool first = true;
    for (const Span line : split_lines(i.heap(), text.bytes())) {
      const auto wrapped = wrap(i.heap(), text.bytes(), line, style);
      if (wrapped.empty() && !std::exchange(first, false)) out.add(*separator);
      for (const Span part : wrapped) {
        if (!std::exchange(first, false)) out.add(*separator);
        out.add(text, part.begin, part.end);
      }
    }
  });
}

Value wordcount(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("wordcount", a, {});
  const auto text = to_string(i.heap(), input);
  i64 words = 0;
  bool inside = false;
  for (u64 at = 0; at < text->bytes().size(); at += decode(text->bytes(), at).bytes) {
    const bool word = is_word(decode(text->bytes(), at).rune);
    words += word && !inside;
    inside = word;
  }
  i.heap().step_bytes(text->bytes().size());
  return Value::integer(words);
}

constexpr Named kFilters[] = {
    {"upper", in_case<Case::kUpper>},
    {"lower", in_case<Case::kLower>},
    {"capitalize", capitalize},
    {"title", title},
    {"center", center},
    {"trim", trim},
    {"replace", replace_filter},
    {"format", format},
    {"string", string},
    {"indent", indent},
    {"truncate", truncate},
    {"wordwrap", wordwrap},
    {"wordcount", wordcount},
};

}  // namespace

std::span<const Named> text_filters() { return kFilters; }

}  // namespace orrery::text::jinja
