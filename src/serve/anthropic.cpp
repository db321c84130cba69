// POST /v1/messages and /v1/messages/count_tokens: Anthropic's API.
#include "serve/endpoints.h"

namespace orrery::serve {
namespace {

std::string_view stop_reason(const Choice& choice) {
  const std::string_view reason = choice.finish_reason();
  if (reason == "length") return "max_tokens";
  if (reason == "tool_calls") return "tool_use";
  return choice.outcome->finish == engine::Finish::kStopText ? "stop_sequence" : "end_turn";
}

// Which of several stop texts it was is not known any more.
Json stop_sequence(const Generation& g) {
  const auto& stops = g.ask().submission.generate.stops;
  const bool known =
      g.choices()[0].outcome->finish == engine::Finish::kStopText && stops.size() == 1;
  return known ? Json(stops[0]) : Json(nullptr);
}

Json usage_of(const engine::Usage& usage) {
  return {{"input_tokens", usage.prompt - usage.cached},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", usage.cached},
          {"output_tokens", usage.completion}};
}

class MessageWriter final : public Writer {
 public:
  Json whole(const Generation& g) override {
    const Choice& choice = g.choices()[0];
    Json content = Json::array();
    if (!choice.reasoning.empty())
      content.push_back({{"type", "thinking"}, {"thinking", choice.reasoning}, {"signature", ""}});
    if (!choice.content.empty() || (choice.calls.empty() && choice.reasoning.empty()))
      content.push_back({{"type", "text"}, {"text", choice.content}});
    for (u32 i = 0; i < choice.calls.size(); ++i) {
      Json input = Json::parse(choice.calls[i].arguments, nullptr, false);
      if (!input.is_object()) input = Json::object();
      content.push_back({{"type", "tool_use"},
                         {"id", call_id(i)},
                         {"name", choice.calls[i].name},
                         {"input", input}});
    }
    Json json = head(g);
    json["content"] = content;
    json["stop_reason"] = stop_reason(choice);
    json["stop_sequence"] = stop_sequence(g);
    json["usage"] = usage_of(g.usage());
    g.add_timings(json);
    return json;
  }

  std::string begin(const Generation& g) override {
    Json message = head(g);
    message["content"] = Json::array();
    message["stop_reason"] = nullptr;
    message["stop_sequence"] = nullptr;
    message["usage"] = usage_of({.prompt = u32(g.ask().prompts[0].size())});
    return sse({{"type", "message_start"}, {"message", message}}, "message_start");
  }

  std::string piece(const Generation&, u32, const Piece& piece) override {
    std::string out;
    for (const text::ReplyPart& part : piece.parts) {
      using Kind = text::ReplyPart;
      switch (part.kind) {
        case Kind::kContent:
          out += block("text", {{"type", "text"}, {"text", ""}});
          out += delta({{"type", "text_delta"}, {"text", part.text}});
          break;
        case Kind::kReasoning:
          out += block("thinking", {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}});
          out += delta({{"type", "thinking_delta"}, {"thinking", part.text}});
          break;
        case Kind::kCall:
          out += close();
          out += block("tool_use", {{"type", "tool_use"},
                                    {"id", call_id(part.call)},
                                    {"name", part.text},
                                    {"input", Json::object()}});
          break;
        case Kind::kArguments:
          out += delta({{"type", "input_json_delta"}, {"partial_json", part.text}});
          break;
      }
    }
    return out;
  }

  std::string choice_end(const Generation& g, u32) override {
    std::string out = close();
    Json json = {
        {"type", "message_delta"},
        {"delta",
         {{"stop_reason", stop_reason(g.choices()[0])}, {"stop_sequence", stop_sequence(g)}}},
        {"usage", usage_of(g.usage())}};
    g.add_timings(json);
    return out + sse(json, "message_delta");
  }
  std::string end(const Generation&) override {
    return sse({{"type", "message_stop"}}, "message_stop");
  }
  std::string failure(const ApiError& error) override {
    return sse(error_json(Style::kAnthropic, error), "error");
  }

 private:
  static Json head(const Generation& g) {
    return {{"id", "msg_" + g.id()},
            {"type", "message"},
            {"role", "assistant"},
            {"model", g.host().id}};
  }
  // Opens a block of this kind, unless it is open.
  std::string block(std::string_view kind, const Json& content) {
    if (open_ == kind) return "";
    std::string out = close();
    open_ = kind;
    return out +
           sse({{"type", "content_block_start"}, {"index", index_}, {"content_block", content}},
               "content_block_start");
  }
  std::string delta(const Json& content) const {
    return sse({{"type", "content_block_delta"}, {"index", index_}, {"delta", content}},
               "content_block_delta");
  }
  std::string close() {
    if (open_.empty()) return "";
    open_ = "";
    return sse({{"type", "content_block_stop"}, {"index", index_++}}, "content_block_stop");
  }
  std::string call_id(u32 call) const { return fmt::format("{}_{}", calls_id_, call); }

  std::string calls_id_ = random_id("toolu_");
  std::string_view open_;
  u32 index_ = 0;
};

Checked<std::string> block_text(const Json& content, const std::string& where) {
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  for (u64 i = 0; i < content.size(); ++i) {
    const FieldReader block(content[i]);
    const std::string type = block.string("type");
    if (type != "text")
      return refuse(400,
                    fmt::format("'{}[{}]' is of type '{}'; this server takes text only", where, i,
                                type.substr(0, 60)),
                    where);
    text += block.string("text");
  }
  return text;
}

// One message of theirs becomes one or more of ours: results of tools are messages of their own.
Checked<void> add_message(const Json& message, u64 number, Json& all) {
  const std::string at = fmt::format("messages[{}].content", number);
  const FieldReader fields(message);
  const Json& content = message["content"];
  if (content.is_string()) {
    all.push_back({{"role", message["role"]}, {"content", content}});
    return {};
  }
  std::string text, thinking;
  Json calls = Json::array();
  for (u64 i = 0; i < content.size(); ++i) {
    const FieldReader block(content[i]);
    const std::string type = block.string("type");
    const Json* result = block.find("content");
    if (type == "text") {
      text += block.string("text");
    } else if (type == "thinking") {
      thinking += block.string("thinking");
    } else if (type == "tool_use") {
      const Json* input = block.find("input");
      calls.push_back(
          {{"id", block.string("id")},
           {"type", "function"},
           {"function",
            {{"name", block.string("name")}, {"arguments", input ? *input : Json::object()}}}});
    } else if (type == "tool_result") {
      std::string said;
      if (result) {
        ASK(said, block_text(*result, at));
      }
      all.push_back(
          {{"role", "tool"}, {"tool_call_id", block.string("tool_use_id")}, {"content", said}});
    } else {
      return refuse(400,
                    fmt::format("'{}[{}]' is of type '{}', which this server does not take", at, i,
                                type.substr(0, 60)),
                    at);
    }
  }
  const bool only_results = text.empty() && thinking.empty() && calls.empty() && !content.empty();
  if (only_results && message["role"] == "user") return {};
  Json one = {{"role", message["role"]}, {"content", text}};
  if (!thinking.empty()) one["reasoning_content"] = thinking;
  if (!calls.empty()) one["tool_calls"] = calls;
  all.push_back(std::move(one));
  return {};
}

Checked<void> read_tools(const FieldReader& fields, Ask& ask) {
  if (const Json* choice = fields.find("tool_choice")) {
    const std::string type = FieldReader(*choice).string("type");
    const Json name = type == "any" || type == "tool" ? "required" : type;
    ASK(ask.tool_choice, read_tool_choice(&name));
  }
  const Json* tools = fields.find("tools");
  if (!tools || tools->empty()) return {};
  ask.tools = Json::array();
  for (const Json& tool : *tools) {
    const FieldReader one(tool);
    ask.tools.push_back({{"type", "function"},
                         {"function",
                          {{"name", one.string("name")},
                           {"description", one.string("description")},
                           {"parameters", tool["input_schema"]}}}});
  }
  return {};
}

Checked<Json> read_ask(Context& context, const Request& request, Table table, Ask& ask) {
  ASK(const Json body, read_request(request, table, ask.warnings));
  const FieldReader fields(body);
  ASK_OK(context.host.check_name(fields.string("model")));
  ask.submission.owner = request.owner;
  ASK_OK(read_sampling(fields, ask));
  ASK(ask.submission.generate.stops, read_stops(fields.find("stop_sequences")));
  if (const auto tokens_max = fields.integer("max_tokens")) ask.tokens_max = u32(*tokens_max);
  ASK_OK(read_tools(fields, ask));
  Json variables = Json::object();
  if (const Json* found = fields.find("output_config")) {
    const FieldReader config(*found);
    if (config.find("format")) ASK_OK(check_format("json_schema", "output_config.format"));
    if (config.find("effort")) variables["reasoning_effort"] = config.string("effort");
  }
  Json messages = Json::array();
  if (const Json* system = fields.find("system")) {
    ASK(const std::string text, block_text(*system, "system"));
    messages.push_back({{"role", "system"}, {"content", text}});
  }
  for (u64 i = 0; i < body["messages"].size(); ++i)
    ASK_OK(add_message(body["messages"][i], i, messages));
  if (const Json* thinking = fields.find("thinking"))
    variables["enable_thinking"] = FieldReader(*thinking).string("type") != "disabled";
  ASK_OK(set_chat(context.host, messages, variables, ask));
  return body;
}

}  // namespace

Checked<void> messages(Context& context, const Request& request, const Answering& exchange) {
  Ask ask;
  ASK_OK(read_ask(context, request, message_fields(), ask));
  return generate(context, std::move(ask), std::make_unique<MessageWriter>(), exchange,
                  Style::kAnthropic);
}

Checked<void> count_tokens(Context& context, const Request& request, const Answering& exchange) {
  Ask ask;
  ASK_OK(read_ask(context, request, count_fields(), ask));
  respond(exchange, {{"input_tokens", ask.prompts[0].size()}}, ask.warnings);
  return {};
}

}  // namespace orrery::serve
