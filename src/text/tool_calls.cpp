#include "text/tool_calls.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace orrery::text {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kBlanks = " \t\r\n";
// JSON that a model wrote is parsed recursively nowhere, but kept: so it has a bound of depth.
constexpr u32 kDepthMax = 64;

std::string_view trimmed(std::string_view text) {
  const u64 first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

Json parse(std::string_view text) {
  const auto callback = [](int depth, Json::parse_event_t, Json&) {
    return depth <= int(kDepthMax);
  };
  Json parsed = Json::parse(text.begin(), text.end(), callback, false);
  return parsed.is_discarded() ? Json(nullptr) : parsed;
}

std::string text_of(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// What stands between two marks from `at` on; moves `at` behind the second. Nothing: not there.
std::optional<std::string_view> between(std::string_view text, u64& at, std::string_view open,
                                        std::string_view close) {
  const u64 begin = text.find(open, at);
  if (begin == text.npos) return std::nullopt;
  const u64 end = text.find(close, begin + open.size());
  if (end == text.npos) return std::nullopt;
  at = end + close.size();
  return text.substr(begin + open.size(), end - begin - open.size());
}

// {"name": ..., "arguments": {...}}
std::optional<ToolCall> from_object(const Json& call) {
  if (!call.is_object() || !call.contains("name") || !call["name"].is_string()) return std::nullopt;
  ToolCall found{.name = call["name"].get<std::string>(), .arguments = "{}"};
  for (const char* key : {"arguments", "parameters"})
    if (call.contains(key))
      found.arguments = call[key].is_string() ? call[key].get<std::string>() : text_of(call[key]);
  return found;
}

std::vector<ToolCall> from_json(std::string_view body) {
  const Json json = parse(body);
  std::vector<ToolCall> calls;
  for (const Json& one : json.is_array() ? json : Json::array({json})) {
    auto call = from_object(one);
    if (!call) return {};
    calls.push_back(std::move(*call));
  }
  return calls;
}

// A value in a tag is JSON where it reads as such, else a text.
Json tag_value(std::string_view text) {
  if (text.starts_with('\n')) text.remove_prefix(1);
  if (text.ends_with('\n')) text.remove_suffix(1);
  const Json json = parse(text);
  return json.is_null() && trimmed(text) != "null" ? Json(std::string(text)) : json;
}

// <function=NAME><parameter=KEY>VALUE</parameter></function>
std::vector<ToolCall> from_function_tags(std::string_view body) {
  std::vector<ToolCall> calls;
  u64 at = 0;
  while (const auto function = between(body, at, "<function=", "</function>")) {
    const u64 name_end = function->find('>');
    if (name_end == function->npos) return {};
    Json arguments = Json::object();
    u64 inside = name_end + 1;
    while (const auto parameter = between(*function, inside, "<parameter=", "</parameter>")) {
      const u64 key_end = parameter->find('>');
      if (key_end == parameter->npos) return {};
      arguments[std::string(parameter->substr(0, key_end))] =
          tag_value(parameter->substr(key_end + 1));
    }
    calls.push_back({std::string(trimmed(function->substr(0, name_end))), text_of(arguments)});
  }
  return calls;
}

// NAME <arg_key>KEY</arg_key><arg_value>VALUE</arg_value>
std::vector<ToolCall> from_key_tags(std::string_view body) {
  const std::string_view name = trimmed(body.substr(0, body.find("<arg_key>")));
  if (name.empty() || name.find_first_of("{}[]<> \n") != name.npos) return {};
  Json arguments = Json::object();
  u64 at = 0;
  while (const auto key = between(body, at, "<arg_key>", "</arg_key>")) {
    const auto value = between(body, at, "<arg_value>", "</arg_value>");
    if (!value) return {};
    arguments[std::string(*key)] = tag_value(*value);
  }
  return {{std::string(name), text_of(arguments)}};
}

// A JSON object, perhaps in a fence of code.
std::optional<std::string> fenced_object(std::string_view text) {
  const u64 begin = text.find('{'), end = text.rfind('}');
  if (begin == text.npos || end == text.npos || end < begin) return std::nullopt;
  const Json json = parse(text.substr(begin, end - begin + 1));
  return json.is_object() ? std::optional(text_of(json)) : std::nullopt;
}

// [function<sep>]NAME<sep>{...} or function<sep>NAME and the arguments in a fence, between marks.
std::vector<ToolCall> from_marked(std::string_view body) {
  std::vector<ToolCall> calls;
  u64 at = 0;
  while (const auto call = between(body, at, kCallBegin, kCallEnd)) {
    const u64 mark = call->find(kSeparator);
    if (mark == call->npos) return {};
    std::string_view name = trimmed(call->substr(0, mark));
    std::string_view rest = call->substr(mark + kSeparator.size());
    if (name == "function" && rest.find('\n') != rest.npos) {
      name = trimmed(rest.substr(0, rest.find('\n')));
      rest.remove_prefix(rest.find('\n'));
    }
    const auto arguments = fenced_object(rest);
    if (!arguments) return {};
    calls.push_back({std::string(name), *arguments});
  }
  return calls;
}

// NAME[ARGS]{...}, one after the other.
std::vector<ToolCall> from_brackets(std::string_view body) {
  std::vector<ToolCall> calls;
  for (u64 begin = 0; begin < body.size();) {
    const u64 end = std::min(body.find(kBracket, begin), body.size());
    const std::string_view one = trimmed(body.substr(begin, end - begin));
    begin = end + kBracket.size();
    const u64 mark = one.find(kBracketArguments);
    const u64 name_end = mark == one.npos ? one.find('{') : mark;
    if (name_end == one.npos || name_end == 0) return {};
    const auto arguments = fenced_object(one.substr(name_end));
    if (!arguments) return {};
    calls.push_back({std::string(trimmed(one.substr(0, name_end))), *arguments});
  }
  return calls;
}

}  // namespace

std::vector<ToolCall> read_tool_calls(std::string_view body) {
  body = trimmed(body);
  if (body.starts_with('{') || body.starts_with('[')) return from_json(body);
  if (body.find("<function=") != body.npos) return from_function_tags(body);
  if (body.find(kCallBegin) != body.npos) return from_marked(body);
  if (body.find(kBracketArguments) != body.npos || body.ends_with('}')) return from_brackets(body);
  return from_key_tags(body);
}

}  // namespace orrery::text
