// Filters for HTML, URLs and JSON. Chat templates use tojson; the others are here because jinja2
// has them. urlize is not: it is a page of regular expressions that no chat template needs.
#include <algorithm>
#include <charconv>

#include "text/jinja/builtins.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/json.h"
#include "text/jinja/print.h"
#include "text/jinja/search.h"
#include "text/jinja/text_ops.h"

namespace orrery::text::jinja {
namespace {

Value as_markup(Ref<String> string) {
  if (!string->markup) {
    Builder builder(string->heap());
    string = builder.add(*string).take();
    string->markup = true;
  }
  return string;
}

Value escape(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("escape", a, {});
  Builder builder(i.heap());
  print_escaped(builder, input);
  return as_markup(builder.take());
}

Value forceescape(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("forceescape", a, {});
  Builder plain(i.heap()), builder(i.heap());
  print(plain, input);
  print_escaped(builder, Value(plain.take()));
  return as_markup(builder.take());
}

Value safe(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("safe", a, {});
  return as_markup(to_string(i.heap(), input));
}

std::optional<u32> entity(std::string_view name) {
  constexpr std::pair<std::string_view, u32> kEntities[] = {
      {"amp", '&'},      {"lt", '<'},      {"gt", '>'},     {"quot", '"'},      {"apos", '\''},
      {"nbsp", 0xa0},    {"copy", 0xa9},   {"reg", 0xae},   {"hellip", 0x2026}, {"mdash", 0x2014},
      {"ndash", 0x2013}, {"euro", 0x20ac}, {"laquo", 0xab}, {"raquo", 0xbb},    {"times", 0xd7}};
  for (const auto& [known, rune] : kEntities) {
    if (known == name) return rune;
  }
  if (!name.starts_with('#')) return std::nullopt;
  const bool hex = name.size() > 1 && (name[1] == 'x' || name[1] == 'X');
  const std::string_view digits = name.substr(hex ? 2 : 1);
  u32 rune = 0;
  const auto parsed =
      std::from_chars(digits.data(), digits.data() + digits.size(), rune, hex ? 16 : 10);
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) return std::nullopt;
  return rune > 0x10ffff || rune == 0 || (rune >= 0xd800 && rune < 0xe000) ? 0xfffd : rune;
}

// Without everything between `open` and `close`.
Ref<String> without(const String& text, std::string_view open, std::string_view close) {
  Builder out(text.heap());
  u64 done = 0;
  while (true) {
    const u64 begin = find_bytes(text.bytes(), open, done);
    const u64 end = begin == std::string_view::npos
                        ? begin
                        : find_bytes(text.bytes(), close, begin + open.size());
    if (end == std::string_view::npos) break;
    out.add(text, done, begin);
    done = end + close.size();
  }
  return out.add(text, done, text.bytes().size()).take();
}

Value striptags(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("striptags", a, {});
  const auto text = without(*without(*to_string(i.heap(), input), "<!--", "-->"), "<", ">");
  Builder joined(i.heap());
  for (const Span word : split_words(i.heap(), text->bytes(), -1)) {
    if (joined.size()) joined.add(" ");
    joined.add(*text, word.begin, word.end);
  }
  const auto line = joined.take();
  Builder out(i.heap());
  const std::string_view bytes = line->bytes();
  for (u64 at = 0; at < bytes.size();) {
    const u64 begin = std::min(bytes.find('&', at), bytes.size());
    out.add(*line, at, begin);
    at = begin;
    if (at == bytes.size()) break;
    const u64 end = bytes.substr(0, at + 32).find(';', at);
    const auto rune =
        end == std::string_view::npos ? std::nullopt : entity(bytes.substr(at + 1, end - at - 1));
    if (rune)
      out.add_rune(*rune, line->text().origin_at(at));
    else
      out.add(*line, at, at + 1);
    at = rune ? end + 1 : at + 1;
  }
  return out.take();
}

void add_quoted(Builder& out, const String& text, bool in_query) {
  for (u64 at = 0; at < text.bytes().size(); ++at) {
    const char c = text.bytes()[at];
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '_' || c == '.' || c == '-' || c == '~' || (c == '/' && !in_query);
    const Origin origin = text.text().origin_at(at);
    if (plain)
      out.add({&c, 1}, origin);
    else if (c == ' ' && in_query)
      out.add("+", origin);
    else
      out.add(fmt::format("%{:02X}", u8(c)), origin);
  }
}

Value urlencode(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("urlencode", a, {});
  Builder out(i.heap());
  if (input.is_string() || !is_iterable(input)) {
    add_quoted(out, *to_string(i.heap(), input), false);
    return out.take();
  }
  const Value pairs = input.is(Kind::kDict)
                          ? Value(make<View>(i.heap(), Ref<Dict>(&input.dict()), View::Of::kItems))
                          : input;
  const auto iterator = iterate(i.heap(), pairs);
  while (const auto pair = iterator->next()) {
    const auto items = to_list(i.heap(), *pair);
    if (items->items.size() != 2) raise("urlencode: pairs of key and value are needed");
    if (out.size()) out.add("&");
    add_quoted(out, *to_string(i.heap(), items->items[0]), true);
    out.add("=");
    add_quoted(out, *to_string(i.heap(), items->items[1]), true);
  }
  return out.take();
}

Value xmlattr(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("xmlattr", a, {"autospace"});
  input.require_defined();
  if (!input.is(Kind::kDict)) raise("'{}' object has no attribute 'items'", type_name(input));
  Builder out(i.heap());
  bool first = true;
  for (const auto& [key, value] : input.dict().entries()) {
    if (value.is_none() || value.is_undefined()) continue;
    if (!key.is_string()) raise("expected string or bytes-like object");
    if (key.bytes().find_first_of(" \t\n\r\f\v/>=") != std::string_view::npos) {
      raise("Invalid character in attribute name: {}", repr(i.heap(), key));
    }
    if (!std::exchange(first, false) || bound.boolean(0, true)) out.add(" ");
    print_escaped(out, key);
    out.add("=\"");
    print_escaped(out, value);
    out.add("\"");
  }
  auto result = out.take();
  result->markup = i.autoescape();
  return result;
}

Value tojson(Interpreter& i, const Value& input, const Arguments& a) {
  const Bound bound("tojson", a, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii = bound.boolean(0, false);
  style.sort_keys = bound.boolean(3, false);
  if (!bound.is_none(1)) {
    const Value& indent = bound.at(1);
    if (indent.is_string()) {
      style.indent = indent.string().text();
    } else {
      const i64 width = std::max<i64>(0, bound.integer(1, 0));
      if (width > 1000) raise("an indent of {} is too large", width);
      style.indent = MarkedText{std::string(u64(width), ' '), {}};
    }
    style.item_separator = MarkedText{",", {}};
  }
  if (!bound.is_none(2)) {
    const auto separators = to_list(i.heap(), bound.at(2));
    if (separators->items.size() != 2 || !separators->items[0].is_string() ||
        !separators->items[1].is_string()) {
      raise("tojson: separators are two strings");
    }
    style.item_separator = separators->items[0].string().text();
    style.key_separator = separators->items[1].string().text();
  }
  Builder out(i.heap());
  write_json(out, input, style);
  return out.take();
}

constexpr Named kFilters[] = {
    {"e", escape},        {"escape", escape},       {"forceescape", forceescape},
    {"safe", safe},       {"striptags", striptags}, {"urlencode", urlencode},
    {"xmlattr", xmlattr}, {"tojson", tojson},
};

}  // namespace

std::span<const Named> html_filters() { return kFilters; }

}  // namespace orrery::text::jinja
