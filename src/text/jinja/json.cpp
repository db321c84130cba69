// JSON in and out.
#include "text/jinja/json.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "text/jinja/number.h"
#include "text/jinja/unicode.h"

namespace orrery::text::jinja {
namespace {

using Json = nlohmann::ordered_json;
constexpr u32 kDepthMax = 500;

Value convert(Heap& heap, const Json& json, Origin origin, u32 depth) {
  if (depth > kDepthMax) raise("the variables nest too deep");
  heap.step();
  switch (json.type()) {
    case Json::value_t::null:
      return Value::none();
    case Json::value_t::boolean:
      return Value::boolean(json.get<bool>());
    case Json::value_t::number_integer:
      return Value::integer(json.get<i64>());
    case Json::value_t::number_unsigned:
      if (json.get<u64>() > u64(INT64_MAX)) raise("{} does not fit 64 bits", json.get<u64>());
      return Value::integer(json.get<i64>());
    case Json::value_t::number_float:
      return Value::real(json.get<f64>());
    case Json::value_t::string:
      return text(heap, json.get_ref<const std::string&>(), origin);
    case Json::value_t::array: {
      auto list = make<Sequence>(heap, Kind::kList);
      for (const Json& item : json) list->push(convert(heap, item, origin, depth + 1));
      return list;
    }
    case Json::value_t::object: {
      auto dict = make<Dict>(heap);
      for (const auto& [key, value] : json.items()) {
        dict->set(text(heap, key, origin), convert(heap, value, origin, depth + 1));
      }
      return dict;
    }
    default:
      raise("a variable that is no JSON");
  }
}

bool is_known_role(const Json& role) {
  constexpr std::string_view kRoles[] = {
      "system",  "user",  "assistant",   "tool",        "developer",     "function",
      "ipython", "model", "environment", "observation", "tool_response", "tool_call"};
  return role.is_string() && std::find(std::begin(kRoles), std::end(kRoles),
                                       role.get_ref<const std::string&>()) != std::end(kRoles);
}

Value message_from_json(Heap& heap, const Json& json, Origin origin) {
  if (!json.is_object()) return convert(heap, json, origin, 0);
  auto dict = make<Dict>(heap);
  for (const auto& [key, value] : json.items()) {
    const bool trusted = key == "role" && is_known_role(value);
    dict->set(text(heap, key, origin), convert(heap, value, trusted ? kTemplate : origin, 1));
  }
  return dict;
}

class JsonWriter {
 public:
  JsonWriter(Builder& out, const JsonStyle& style) : out_(out), style_(style) {}

  void write(const Value& value, u32 depth) {
    if (depth > kDepthMax) raise("values nest too deep for JSON");
    out_.heap().step();
    switch (value.kind()) {
      case Kind::kNone:
        out_.add("null");
        break;
      case Kind::kBool:
        out_.add(value.as_boolean() ? "true" : "false");
        break;
      case Kind::kInt:
        out_.add(fmt::format("{}", value.as_integer()));
        break;
      case Kind::kFloat:
        out_.add(real(value.as_real()));
        break;
      case Kind::kString:
        string(value.string());
        break;
      case Kind::kList:
      case Kind::kTuple:
        list(value.sequence(), depth);
        break;
      case Kind::kDict:
        dict(value.dict(), depth);
        break;
      default:
        raise("Object of type {} is not JSON serializable", type_name(value));
    }
  }

 private:
  static std::string real(f64 value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return print_real(value);
  }

  std::string escape(u32 rune) const {
    switch (rune) {
      case '"':
        return "\\\"";
      case '\\':
        return "\\\\";
      case '\n':
        return "\\n";
      case '\r':
        return "\\r";
      case '\t':
        return "\\t";
      case '\f':
        return "\\f";
      case '\b':
        return "\\b";
      default:
        break;
    }
    if (rune < 0x20 || (style_.ascii && rune > 0x7e && rune < 0x10000)) {
      return fmt::format("\\u{:04x}", rune);
    }
    if (!style_.ascii || rune < 0x10000 || rune >= kBrokenByte) return {};
    return fmt::format("\\u{:04x}\\u{:04x}", 0xd7c0 + (rune >> 10), 0xdc00 + (rune & 0x3ff));
  }

  void string(const String& value) {
    const std::string_view bytes = value.bytes();
    out_.add("\"");
    u64 plain = 0;
    for (u64 at = 0; at < bytes.size();) {
      const Decoded d = decode(bytes, at);
      if (const std::string escaped = escape(d.rune); !escaped.empty()) {
        out_.add(value, plain, at).add(escaped, value.text().origin_at(at));
        plain = at + d.bytes;
      }
      at += d.bytes;
    }
    out_.add(value, plain, bytes.size()).add("\"");
  }

  void add(const MarkedText& text) { out_.add(text, 0, text.bytes.size()); }

  void line(u32 depth) {
    if (!style_.indent) return;
    out_.add("\n");
    for (u32 i = 0; i < depth; ++i) add(*style_.indent);
  }

  void list(const Sequence& sequence, u32 depth) {
    if (sequence.items.empty()) return void(out_.add("[]"));
    out_.add("[");
    for (u64 i = 0; i < sequence.items.size(); ++i) {
      if (i) add(style_.item_separator);
      line(depth + 1);
      write(sequence.items[i], depth + 1);
    }
    line(depth);
    out_.add("]");
  }

  void key(const Value& value) {
    switch (value.kind()) {
      case Kind::kString:
        return string(value.string());
      case Kind::kNone:
      case Kind::kBool:
      case Kind::kInt:
      case Kind::kFloat:
        out_.add("\"");
        write(value, 0);
        out_.add("\"");
        break;
      default:
        raise("keys must be str, int, float, bool or None, not {}", type_name(value));
    }
  }

  void dict(const Dict& dict, u32 depth) {
    if (dict.entries().empty()) return void(out_.add("{}"));
    std::vector<Dict::Entry> entries = dict.entries();
    if (style_.sort_keys) {
      out_.heap().step(entries.size());
      std::stable_sort(entries.begin(), entries.end(),
                       [](const auto& a, const auto& b) { return less(a.key, b.key); });
    }
    out_.add("{");
    for (u64 i = 0; i < entries.size(); ++i) {
      if (i) add(style_.item_separator);
      line(depth + 1);
      key(entries[i].key);
      add(style_.key_separator);
      write(entries[i].value, depth + 1);
    }
    line(depth);
    out_.add("}");
  }

  Builder& out_;
  const JsonStyle& style_;
};

}  // namespace

Value from_json(Heap& heap, const Json& json, Origin origin) {
  return convert(heap, json, origin, 0);
}

Value messages_from_json(Heap& heap, const Json& json) {
  if (!json.is_array()) return convert(heap, json, kOutside, 0);
  auto list = make<Sequence>(heap, Kind::kList);
  for (u64 i = 0; i < json.size(); ++i) list->push(message_from_json(heap, json[i], Origin(i)));
  return list;
}

void write_json(Builder& out, const Value& value, const JsonStyle& style) {
  JsonWriter(out, style).write(value, 0);
}

}  // namespace orrery::text::jinja
