#include "serve/chat_messages.h"

namespace orrery::serve {
namespace {

Checked<std::string> plain_content(const Json& content, const std::string& where) {
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  for (u64 i = 0; i < content.size(); ++i) {
    const FieldReader part(content[i]);
    const std::string type = part.string("type");
    if (type == "text" || type == "input_text" || type == "output_text")
      text += part.string("text");
    else if (type == "refusal")
      text += part.string("refusal");
    else
      return refuse(400,
                    fmt::format("'{}[{}]' is of type '{}'; this server takes text only", where, i,
                                type.substr(0, 60)),
                    fmt::format("{}[{}]", where, i), "unsupported_value");
  }
  return text;
}

Checked<Json> plain_calls(const Json& calls, const std::string& where) {
  Json plain = Json::array();
  for (const Json& call : calls) {
    Json one = call;
    Json& arguments = one["function"]["arguments"];
    if (arguments.is_string()) {  // templates want the object, APIs bring its text
      const std::string text = arguments.get<std::string>();
      auto parsed = text.empty() ? Checked<Json>(Json::object()) : parse_body(text);
      if (!parsed)
        return refuse(400, fmt::format("the arguments in '{}' are no JSON object", where), where,
                      "invalid_value");
      arguments = std::move(*parsed);
    }
    one["type"] = "function";
    plain.push_back(std::move(one));
  }
  return plain;
}

Checked<Json> plain_message(const Json& message, u64 index) {
  const FieldReader fields(message);
  const std::string at = fmt::format("messages[{}]", index);
  std::string role = fields.string("role");
  if (role == "developer") role = "system";
  if (role == "function") role = "tool";
  Json plain = {{"role", role}};
  const Json* content = fields.find("content");
  const Json* calls = fields.find("tool_calls");
  if (!content && !calls && !fields.find("reasoning_content"))
    return refuse(400, fmt::format("'{}.content' is missing", at), at + ".content",
                  "missing_required_parameter");
  if (calls && role != "assistant")
    return refuse(400, fmt::format("'{}': only an assistant calls tools", at), at, "invalid_value");
  plain["content"] = "";
  if (content) {
    ASK(plain["content"], plain_content(*content, at + ".content"));
  }
  if (calls) {
    ASK(plain["tool_calls"], plain_calls(*calls, at + ".tool_calls"));
  }
  for (const char* name : {"name", "tool_call_id"})
    if (const Json* value = fields.find(name)) plain[name] = *value;
  for (const char* name : {"reasoning_content", "reasoning"})
    if (const Json* value = fields.find(name)) plain["reasoning_content"] = *value;
  return plain;
}

}  // namespace

Checked<Json> plain_messages(const Json& messages) {
  Json plain = Json::array();
  for (u64 i = 0; i < messages.size(); ++i) {
    ASK(Json one, plain_message(messages[i], i));
    plain.push_back(std::move(one));
  }
  return plain;
}

Checked<void> offer_tools(std::string_view template_source, const Json& tools, Json& messages,
                          Json& variables, Ask& ask) {
  if (template_source.find("tools") != template_source.npos) {
    variables["tools"] = tools;
    return {};
  }
  std::string text =
      "You may call one or more functions to assist with the user query.\n\nYou are provided with "
      "function signatures within <tools></tools> XML tags:\n<tools>\n";
  for (const Json& tool : tools) text += dump(tool) + "\n";
  text +=
      "</tools>\n\nFor each function call, return a json object with function name and arguments "
      "within <tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, "
      "\"arguments\": <args-json-object>}\n</tool_call>";
  if (!messages.empty() && messages[0]["role"] == "system")
    messages[0]["content"] = messages[0]["content"].get<std::string>() + "\n\n" + text;
  else
    messages.insert(messages.begin(), Json{{"role", "system"}, {"content", text}});
  ask.warnings.push_back(
      "the model's template has no place for tools: they stand in the system message");
  return {};
}

}  // namespace orrery::serve
