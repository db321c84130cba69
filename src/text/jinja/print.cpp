// Values as text. Repr walks into containers to a limited depth: a namespace may hold itself.
#include "text/jinja/print.h"

#include <fmt/format.h>

#include "text/jinja/ast.h"
#include "text/jinja/callable.h"
#include "text/jinja/number.h"
#include "text/jinja/unicode.h"

namespace orrery::text::jinja {
namespace {

constexpr u32 kDepthMax = 500;

// How Python's repr writes a character of a string in `quote`s; empty: as it is.
std::string escaped(u32 rune, char quote) {
  switch (rune) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\\':
      return "\\\\";
    default:
      break;
  }
  if (rune == u32(quote)) return std::string("\\") + quote;
  if (rune >= 0x20 && rune < 0x7f) return {};
  if (rune >= kBrokenByte || is_printable(rune)) return {};
  if (rune < 0x100) return fmt::format("\\x{:02x}", rune);
  return rune < 0x10000 ? fmt::format("\\u{:04x}", rune) : fmt::format("\\U{:08x}", rune);
}

void repr_string(Builder& out, const MarkedText& text) {
  const std::string_view bytes = text.bytes;
  const bool has_single = bytes.find('\'') != std::string_view::npos;
  const char quote = has_single && bytes.find('"') == std::string_view::npos ? '"' : '\'';
  out.add({&quote, 1});
  u64 plain = 0;  // from here to `at` nothing needs an escape
  for (u64 at = 0; at < bytes.size();) {
    const Decoded d = decode(bytes, at);
    if (const std::string escape = escaped(d.rune, quote); !escape.empty()) {
      out.add(text, plain, at).add(escape, text.origin_at(at));
      plain = at + d.bytes;
    }
    at += d.bytes;
  }
  out.add(text, plain, bytes.size()).add({&quote, 1});
}

void repr_at(Builder& out, const Value& value, u32 depth);

void repr_items(Builder& out, const std::vector<Value>& items, u32 depth) {
  for (u64 i = 0; i < items.size(); ++i) {
    if (i) out.add(", ");
    repr_at(out, items[i], depth);
  }
}

void repr_dict(Builder& out, const Dict& dict, u32 depth) {
  out.add("{");
  bool first = true;
  for (const auto& [key, value] : dict.entries()) {
    if (!std::exchange(first, false)) out.add(", ");
    repr_at(out, key, depth);
    out.add(": ");
    repr_at(out, value, depth);
  }
  out.add("}");
}

void repr_view(Builder& out, const View& view, u32 depth) {
  constexpr std::string_view kNames[] = {"dict_keys([", "dict_values([", "dict_items(["};
  out.add(kNames[u64(view.of)]);
  for (u64 i = 0; i < view.size(); ++i) {
    if (i) out.add(", ");
    repr_at(out, view.at(i), depth);
  }
  out.add("])");
}

void repr_range(Builder& out, const Range& range) {
  out.add(range.step == 1 ? fmt::format("range({}, {})", range.start, range.stop)
                          : fmt::format("range({}, {}, {})", range.start, range.stop, range.step));
}

void repr_at(Builder& out, const Value& value, u32 depth) {
  if (depth > kDepthMax) raise("values nest too deep to print");
  out.heap().step();
  switch (value.kind()) {
    case Kind::kUndefined:
      out.add("Undefined");
      break;
    case Kind::kNone:
      out.add("None");
      break;
    case Kind::kBool:
      out.add(value.as_boolean() ? "True" : "False");
      break;
    case Kind::kInt:
      out.add(fmt::format("{}", value.as_integer()));
      break;
    case Kind::kFloat:
      out.add(print_real(value.as_real()));
      break;
    case Kind::kString:
      if (value.string().markup) out.add("Markup(");
      repr_string(out, value.string().text());
      if (value.string().markup) out.add(")");
      break;
    case Kind::kList:
      out.add("[");
      repr_items(out, value.sequence().items, depth + 1);
      out.add("]");
      break;
    case Kind::kTuple:
      out.add("(");
      repr_items(out, value.sequence().items, depth + 1);
      out.add(value.sequence().items.size() == 1 ? ",)" : ")");
      break;
    case Kind::kDict:
      repr_dict(out, value.dict(), depth + 1);
      break;
    case Kind::kRange:
      repr_range(out, value.range());
      break;
    case Kind::kView:
      repr_view(out, value.view(), depth + 1);
      break;
    case Kind::kNamespace:
      out.add("<Namespace ");
      repr_dict(out, *value.ns().attributes, depth + 1);
      out.add(">");
      break;
    case Kind::kLoop:
      out.add(fmt::format("<LoopContext {}/{}>", value.loop().index0 + 1, value.loop().length()));
      break;
    case Kind::kMacro:
      out.add("<Macro ").add(value.macro().node.name.empty() ? "anonymous"
                                                             : repr(value.macro().node.name));
      out.add(">");
      break;
    default:
      out.add(fmt::format("<{} object>", type_name(value)));
  }
}

std::string_view html_escape(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '\'':
      return "&#39;";
    case '"':
      return "&#34;";
    default:
      return {};
  }
}

}  // namespace

void print(Builder& out, const Value& value) {
  if (value.is_string())
    out.add(value.string());
  else if (!value.is_undefined())
    repr_at(out, value, 0);
}

void print_repr(Builder& out, const Value& value) { repr_at(out, value, 0); }

void print_escaped(Builder& out, const Value& value) {
  const Ref<String> string = to_string(out.heap(), value);
  if (string->markup) {
    out.add(*string);
    return;
  }
  const std::string_view bytes = string->bytes();
  u64 plain = 0;
  for (u64 at = 0; at < bytes.size(); ++at) {
    const std::string_view escape = html_escape(bytes[at]);
    if (escape.empty()) continue;
    out.add(*string, plain, at).add(escape, string->text().origin_at(at));
    plain = at + 1;
  }
  out.add(*string, plain, bytes.size());
}

Ref<String> to_string(Heap& heap, const Value& value) {
  if (value.is_string()) return Ref<String>(&value.string());
  Builder builder(heap);
  print(builder, value);
  return builder.take();
}

std::string repr(Heap& heap, const Value& value) {
  Builder builder(heap);
  repr_at(builder, value, 0);
  return builder.take_text().bytes;
}

std::string repr(std::string_view string) {
  Limits limits;
  Heap heap(limits);
  Builder builder(heap);
  MarkedText text;
  text.bytes = string;
  repr_string(builder, text);
  return builder.take_text().bytes;
}

}  // namespace orrery::text::jinja
