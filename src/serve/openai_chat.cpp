// POST /v1/chat/completions
#include "serve/endpoints.h"

namespace orrery::serve {
namespace {

class ChatWriter final : public Writer {
 public:
  Json whole(const Generation& g) override {
    Json choices = Json::array();
    for (u32 i = 0; i < g.choices().size(); ++i) {
      const Choice& choice = g.choices()[i];
      Json message = {{"role", "assistant"}, {"content", choice.content}, {"refusal", nullptr}};
      if (!choice.reasoning.empty()) message["reasoning_content"] = choice.reasoning;
      if (!choice.calls.empty()) {
        if (choice.content.empty()) message["content"] = nullptr;
        message["tool_calls"] = Json::array();
        for (u32 k = 0; k < choice.calls.size(); ++k)
          message["tool_calls"].push_back(call_json(i, k, choice.calls[k]));
      }
      choices.push_back({{"index", i},
                         {"message", message},
                         {"logprobs", logprobs(g, choice.tokens)},
                         {"finish_reason", choice.finish_reason()}});
    }
    Json json = head(g, "chat.completion");
    json["choices"] = choices;
    json["usage"] = usage_json(g);
    g.add_timings(json);
    return json;
  }

  std::string begin(const Generation& g) override {
    std::string out;
    for (u32 i = 0; i < g.choices().size(); ++i)
      out += chunk(g, i, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr);
    return out;
  }

  std::string piece(const Generation& g, u32 index, const Piece& piece) override {
    std::string out;
    Json logs = logprobs(g, piece.tokens);
    for (const text::ReplyPart& part : piece.parts)
      out += chunk(g, index, delta(index, part), std::exchange(logs, nullptr), nullptr);
    if (!logs.is_null()) out += chunk(g, index, {{"content", ""}}, logs, nullptr);
    return out;
  }

  std::string choice_end(const Generation& g, u32 index) override {
    return chunk(g, index, Json::object(), nullptr, g.choices()[index].finish_reason());
  }

  std::string end(const Generation& g) override {
    std::string out;
    if (g.ask().include_usage) {
      Json json = head(g, "chat.completion.chunk");
      json["choices"] = Json::array();
      json["usage"] = usage_json(g);
      g.add_timings(json);
      out += sse(json);
    }
    return out + "data: [DONE]\n\n";
  }

  std::string failure(const ApiError& error) override {
    return sse(error_json(Style::kOpenAi, error)) + "data: [DONE]\n\n";
  }

 private:
  static Json head(const Generation& g, std::string_view object) {
    return {{"id", "chatcmpl-" + g.id()},
            {"object", object},
            {"created", g.created()},
            {"model", g.host().id}};
  }

  std::string chunk(const Generation& g, u32 index, Json delta, Json logs, Json finish) {
    Json json = head(g, "chat.completion.chunk");
    json["choices"] = Json::array({{{"index", index},
                                    {"delta", std::move(delta)},
                                    {"logprobs", std::move(logs)},
                                    {"finish_reason", std::move(finish)}}});
    if (g.ask().include_usage) json["usage"] = nullptr;
    return sse(json);
  }

  static Json logprobs(const Generation& g, const std::vector<engine::TokenEvent>& tokens) {
    if (tokens.empty()) return nullptr;
    Json content = Json::array();
    for (const engine::TokenEvent& event : tokens) content.push_back(logprob_json(g.host(), event));
    return {{"content", content}, {"refusal", nullptr}};
  }

  Json delta(u32 choice, const text::ReplyPart& part) {
    if (part.kind == text::ReplyPart::kContent) return {{"content", part.text}};
    if (part.kind == text::ReplyPart::kReasoning) return {{"reasoning_content", part.text}};
    Json call = {{"index", part.call}};
    if (part.kind == text::ReplyPart::kCall) {
      call["id"] = call_id(choice, part.call);
      call["type"] = "function";
      call["function"] = {{"name", part.text}, {"arguments", ""}};
    } else {
      call["function"] = {{"arguments", part.text}};
    }
    return {{"tool_calls", Json::array({call})}};
  }

  Json call_json(u32 choice, u32 index, const text::ToolCall& call) {
    return {{"id", call_id(choice, index)},
            {"type", "function"},
            {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
  }

  std::string call_id(u32 choice, u32 call) const {
    return fmt::format("{}_{}_{}", calls_id_, choice, call);
  }
  std::string calls_id_ = random_id("call_");
};

Checked<void> read_logprobs(const FieldReader& fields, Ask& ask) {
  const auto top = fields.integer("top_logprobs");
  if (fields.boolean("logprobs"))
    ask.submission.logprobs = u32(top.value_or(0));
  else if (top.value_or(0) > 0)
    return refuse(400, "'top_logprobs' needs 'logprobs' to be true", "top_logprobs",
                  "invalid_value");
  return {};
}

Checked<void> read_tokens_max(const FieldReader& fields, Ask& ask) {
  const auto old_name = fields.integer("max_tokens"),
             name = fields.integer("max_completion_tokens");
  if (old_name && name && *old_name != *name)
    return refuse(400, "'max_tokens' and 'max_completion_tokens' differ: give one of them",
                  "max_tokens", "invalid_value");
  if (name || old_name) ask.tokens_max = u32(name ? *name : *old_name);
  return {};
}

}  // namespace

Checked<void> chat_completions(Context& context, const Request& request,
                               const Answering& exchange) {
  Ask ask;
  ASK(const Json body, read_request(request, chat_fields(), ask.warnings));
  const FieldReader fields(body);
  ASK_OK(context.host.check_name(fields.string("model")));
  ask.submission.owner = request.owner;
  ASK_OK(read_sampling(fields, ask));
  ASK_OK(read_tokens_max(fields, ask));
  ASK_OK(read_logprobs(fields, ask));
  if (const Json* format = fields.find("response_format"))
    ASK_OK(check_format(FieldReader(*format).string("type"), "response_format"));
  if (const Json* tools = fields.find("tools"); tools && !tools->empty()) ask.tools = *tools;
  ASK(ask.tool_choice, read_tool_choice(fields.find("tool_choice")));
  ASK(Json variables, read_template_variables(fields.find("chat_template_kwargs")));
  if (fields.find("reasoning_effort")) {
    const Json effort = {{"reasoning_effort", fields.string("reasoning_effort")}};
    ASK(const Json checked, read_template_variables(&effort));
    variables.update(checked);
  }
  ASK_OK(set_chat(context.host, body["messages"], variables, ask));
  return generate(context, std::move(ask), std::make_unique<ChatWriter>(), exchange,
                  Style::kOpenAi);
}

}  // namespace orrery::serve
