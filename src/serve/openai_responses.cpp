// POST /v1/responses: OpenAI's newer API, without its memory of earlier responses.
#include "serve/endpoints.h"

namespace orrery::serve {
namespace {

class ResponseWriter final : public Writer {
 public:
  explicit ResponseWriter(Json echoed) : echoed_(std::move(echoed)) {}

  Json whole(const Generation& g) override {
    const Choice& choice = g.choices()[0];
    Json output = Json::array();
    if (!choice.reasoning.empty()) output.push_back(reasoning_item(choice.reasoning));
    if (!choice.content.empty() || choice.calls.empty())
      output.push_back(message_item(choice.content, "completed"));
    for (u32 i = 0; i < choice.calls.size(); ++i)
      output.push_back(call_item(i, choice.calls[i], "completed"));
    return response(g, status(choice), output);
  }

  std::string begin(const Generation& g) override {
    const Json created = response(g, "in_progress", Json::array());
    return event("response.created", {{"response", created}}) +
           event("response.in_progress", {{"response", created}});
  }

  std::string piece(const Generation&, u32, const Piece& piece) override {
    std::string out;
    for (const text::ReplyPart& part : piece.parts) {
      using Kind = text::ReplyPart;
      if (part.kind == Kind::kContent) {
        out += open_message();
        text_ += part.text;
        out += event("response.output_text.delta", {{"item_id", message_id_},
                                                    {"output_index", index_},
                                                    {"content_index", 0},
                                                    {"delta", part.text},
                                                    {"logprobs", Json::array()}});
      } else if (part.kind == Kind::kReasoning) {
        out += open_reasoning();
        text_ += part.text;
        out += event("response.reasoning_text.delta", {{"item_id", reasoning_id_},
                                                       {"output_index", index_},
                                                       {"content_index", 0},
                                                       {"delta", part.text}});
      } else if (part.kind == Kind::kCall) {
        out += close();
        open_ = Open::kCall;
        call_ = part.call;
        calls_.push_back({.name = part.text, .arguments = ""});
        out += added(call_item(call_, calls_.back(), "in_progress"));
      } else {
        calls_.back().arguments += part.text;
        out += event("response.function_call_arguments.delta",
                     {{"item_id", item_id(call_)}, {"output_index", index_}, {"delta", part.text}});
      }
    }
    return out;
  }

  std::string choice_end(const Generation&, u32) override { return close(); }
  std::string end(const Generation& g) override {
    const std::string_view how = status(g.choices()[0]);
    return event(fmt::format("response.{}", how), {{"response", whole(g)}});
  }
  std::string failure(const ApiError& error) override {
    return event("error",
                 {{"code", "server_error"}, {"message", error.message}, {"param", nullptr}});
  }

 private:
  enum class Open : u8 { kNothing, kMessage, kReasoning, kCall };

  static std::string_view status(const Choice& choice) {
    return choice.finish_reason() == "length" ? "incomplete" : "completed";
  }

  std::string event(std::string_view type, const Json& fields) {
    Json json = {{"type", type}, {"sequence_number", sequence_++}};
    json.update(fields);
    return sse(json, type);
  }
  std::string added(const Json& item) {
    return event("response.output_item.added", {{"output_index", index_}, {"item", item}});
  }
  std::string done(const Json& item) {
    open_ = Open::kNothing;
    return event("response.output_item.done", {{"output_index", index_++}, {"item", item}});
  }

  std::string open_message() {
    if (open_ == Open::kMessage) return "";
    std::string out = close();
    open_ = Open::kMessage;
    Json item = message_item("", "in_progress");
    item["content"] = Json::array();
    return out + added(item) +
           event("response.content_part.added", {{"item_id", message_id_},
                                                 {"output_index", index_},
                                                 {"content_index", 0},
                                                 {"part", part_json("")}});
  }
  std::string open_reasoning() {
    if (open_ == Open::kReasoning) return "";
    std::string out = close();
    open_ = Open::kReasoning;
    return out + added(reasoning_item(""));
  }
  std::string close() {
    const std::string text = std::exchange(text_, "");
    const Json place = {{"output_index", index_}, {"content_index", 0}};
    if (open_ == Open::kMessage) {
      Json over = {{"item_id", message_id_}, {"text", text}, {"logprobs", Json::array()}};
      over.update(place);
      Json part = {{"item_id", message_id_}, {"part", part_json(text)}};
      part.update(place);
      return event("response.output_text.done", over) + event("response.content_part.done", part) +
             done(message_item(text, "completed"));
    }
    if (open_ == Open::kReasoning) {
      Json over = {{"item_id", reasoning_id_}, {"text", text}};
      over.update(place);
      return event("response.reasoning_text.done", over) + done(reasoning_item(text));
    }
    if (open_ == Open::kNothing) return "";
    return event("response.function_call_arguments.done",
                 {{"item_id", item_id(call_)},
                  {"output_index", index_},
                  {"name", calls_.back().name},
                  {"arguments", calls_.back().arguments}}) +
           done(call_item(call_, calls_.back(), "completed"));
  }

  static Json part_json(const std::string& text) {
    return {{"type", "output_text"},
            {"text", text},
            {"annotations", Json::array()},
            {"logprobs", Json::array()}};
  }
  Json message_item(const std::string& text, std::string_view how) const {
    return {{"id", message_id_},
            {"type", "message"},
            {"role", "assistant"},
            {"status", how},
            {"content", Json::array({part_json(text)})}};
  }
  Json reasoning_item(const std::string& text) const {
    return {{"id", reasoning_id_},
            {"type", "reasoning"},
            {"summary", Json::array()},
            {"content", Json::array({{{"type", "reasoning_text"}, {"text", text}}})}};
  }
  Json call_item(u32 index, const text::ToolCall& call, std::string_view how) const {
    return {{"id", item_id(index)},
            {"type", "function_call"},
            {"call_id", fmt::format("{}_{}", call_id_, index)},
            {"name", call.name},
            {"arguments", call.arguments},
            {"status", how}};
  }
  std::string item_id(u32 call) const { return fmt::format("fc_{}_{}", call_id_, call); }

  Json response(const Generation& g, std::string_view how, const Json& output) const {
    const bool over = how != "in_progress";
    Json json = {
        {"id", "resp_" + g.id()}, {"object", "response"},     {"created_at", g.created()},
        {"status", how},          {"error", nullptr},         {"incomplete_details", nullptr},
        {"model", g.host().id},   {"output", output},         {"previous_response_id", nullptr},
        {"store", false},         {"truncation", "disabled"}, {"usage", nullptr}};
    json.update(echoed_);
    if (how == "incomplete") json["incomplete_details"] = {{"reason", "max_output_tokens"}};
    if (!over) return json;
    const engine::Usage usage = g.usage();
    json["usage"] = {{"input_tokens", usage.prompt},
                     {"input_tokens_details", {{"cached_tokens", usage.cached}}},
                     {"output_tokens", usage.completion},
                     {"output_tokens_details", {{"reasoning_tokens", g.reasoning_tokens()}}},
                     {"total_tokens", usage.prompt + usage.completion}};
    g.add_timings(json);
    return json;
  }

  Json echoed_;
  std::string message_id_ = random_id("msg_"), reasoning_id_ = random_id("rs_"),
              call_id_ = random_id("call_");
  Open open_ = Open::kNothing;
  std::string text_;
  std::vector<text::ToolCall> calls_;
  u32 call_ = 0, index_ = 0, sequence_ = 0;
};

// The items of an input as messages of a chat.
Checked<Json> read_input(const Json& input, Ask& ask) {
  if (input.is_string()) return Json::array({{{"role", "user"}, {"content", input}}});
  Json messages = Json::array();
  for (u64 i = 0; i < input.size(); ++i) {
    const FieldReader item(input[i]);
    const std::string type = item.string("type", "message");
    if (type == "message") {
      Json message = {{"role", input[i].value("role", Json(nullptr))},
                      {"content", input[i].value("content", Json(nullptr))}};
      messages.push_back(std::move(message));
    } else if (type == "function_call") {
      messages.push_back(
          {{"role", "assistant"},
           {"content", ""},
           {"tool_calls", Json::array({{{"id", item.string("call_id")},
                                        {"type", "function"},
                                        {"function",
                                         {{"name", item.string("name")},
                                          {"arguments", item.string("arguments")}}}}})}});
    } else if (type == "function_call_output") {
      messages.push_back({{"role", "tool"},
                          {"tool_call_id", item.string("call_id")},
                          {"content", input[i].value("output", Json(""))}});
    } else if (type == "reasoning") {
      ask.warnings.push_back("earlier reasoning in 'input' is left out");
    } else {
      return refuse(400,
                    fmt::format("'input[{}]' is of type '{}', which this server does not take", i,
                                type.substr(0, 60)),
                    "input", "unsupported_value");
    }
  }
  ASK_OK(check_fields(chat_fields(), {{"messages", messages}}));
  return messages;
}

Checked<void> read_tools(const FieldReader& fields, Ask& ask) {
  ASK(ask.tool_choice, read_tool_choice(fields.find("tool_choice")));
  const Json* tools = fields.find("tools");
  if (!tools || tools->empty()) return {};
  ask.tools = Json::array();
  for (const Json& tool : *tools) {
    const std::string type = FieldReader(tool).string("type");
    if (type != "function")
      return refuse(
          400,
          fmt::format("a tool of type '{}' is not offered here; 'function' is", type.substr(0, 60)),
          "tools", "unsupported_value");
    Json function = tool;
    function.erase("type");
    ask.tools.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  ASK_OK(check_fields(
      chat_fields(),
      {{"messages", Json::array({{{"role", "user"}, {"content", ""}}})}, {"tools", ask.tools}}));
  return {};
}

}  // namespace

Checked<void> responses(Context& context, const Request& request, const Answering& exchange) {
  Ask ask;
  ASK(const Json body, read_request(request, response_fields(), ask.warnings));
  const FieldReader fields(body);
  ASK_OK(context.host.check_name(fields.string("model")));
  ask.submission.owner = request.owner;
  ASK_OK(read_sampling(fields, ask));
  if (const auto most = fields.integer("max_output_tokens")) ask.tokens_max = u32(*most);
  if (const Json* text = fields.find("text"))
    if (const Json* format = FieldReader(*text).find("format"))
      ASK_OK(check_format(FieldReader(*format).string("type"), "text.format"));
  ASK_OK(read_tools(fields, ask));
  ASK(const Json input, read_input(body["input"], ask));
  Json messages = Json::array();
  if (fields.find("instructions"))
    messages.push_back({{"role", "system"}, {"content", fields.string("instructions")}});
  messages.insert(messages.end(), input.begin(), input.end());
  Json variables = Json::object();
  if (const Json* reasoning = fields.find("reasoning");
      reasoning && reasoning->contains("effort")) {
    const Json effort = {{"reasoning_effort", (*reasoning)["effort"]}};
    ASK(variables, read_template_variables(&effort));
  }
  ASK_OK(set_chat(context.host, messages, variables, ask));
  Json echoed = {{"instructions", nullptr},
                 {"tools", Json::array()},
                 {"tool_choice", "auto"},
                 {"parallel_tool_calls", true},
                 {"temperature", 1.0},
                 {"top_p", 1.0},
                 {"max_output_tokens", nullptr},
                 {"metadata", Json::object()},
                 {"text", {{"format", {{"type", "text"}}}}}};
  for (const auto& [name, value] : body.items())
    if (echoed.contains(name) && !value.is_null()) echoed[name] = value;
  return generate(context, std::move(ask), std::make_unique<ResponseWriter>(std::move(echoed)),
                  exchange, Style::kOpenAi);
}

}  // namespace orrery::serve
