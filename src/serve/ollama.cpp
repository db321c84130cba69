// /api/...: Ollama's API, as far as its clients use it with a model that is there.
#include <ctime>

#include "serve/endpoints.h"

namespace orrery::serve {
namespace {

// What Ollama does where nothing is asked for; its clients' users expect it.
constexpr f32 kTemperature = 0.8f, kTopP = 0.9f, kRepeatPenalty = 1.1f;
constexpr u32 kTopK = 40, kRepeatLast = 64;

std::string now() {
  const std::time_t time = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&time, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

class OllamaWriter final : public Writer {
 public:
  explicit OllamaWriter(bool is_chat) : is_chat_(is_chat) {}

  Json whole(const Generation& g) override {
    const Choice& choice = g.choices()[0];
    Json calls = Json::array();
    for (const text::ToolCall& call : choice.calls) calls.push_back(call_json(call));
    return last(g, line(g, choice.content, choice.reasoning, calls));
  }
  std::string stream_type() const override { return "application/x-ndjson"; }
  std::string begin(const Generation&) override { return ""; }
  std::string piece(const Generation& g, u32, const Piece& piece) override {
    std::string content, thinking;
    std::vector<text::ToolCall> calls;
    for (text::ReplyPart part : piece.parts) {
      if (part.kind == text::ReplyPart::kArguments) part.call = u32(calls.size()) - 1;
      text::add_part(part, content, thinking, calls);
    }
    Json list = Json::array();
    for (const text::ToolCall& call : calls) list.push_back(call_json(call));
    return dump(line(g, content, thinking, list)) + "\n";
  }
  std::string choice_end(const Generation&, u32) override { return ""; }
  std::string end(const Generation& g) override {
    return dump(last(g, line(g, "", "", Json::array()))) + "\n";
  }
  std::string failure(const ApiError& error) override {
    return dump(error_json(Style::kOllama, error)) + "\n";
  }

 private:
  static Json call_json(const text::ToolCall& call) {
    Json arguments = Json::parse(call.arguments, nullptr, false);
    if (!arguments.is_object()) arguments = Json::object();
    return {{"function", {{"name", call.name}, {"arguments", arguments}}}};
  }

  Json line(const Generation& g, const std::string& content, const std::string& thinking,
            const Json& calls) const {
    Json json = {{"model", g.host().id}, {"created_at", now()}};
    Json message = {{"role", "assistant"}, {"content", content}};
    if (!thinking.empty()) message["thinking"] = thinking;
    if (!calls.empty()) message["tool_calls"] = calls;
    if (is_chat_) {
      json["message"] = message;
    } else {
      json["response"] = content;
      if (!thinking.empty()) json["thinking"] = thinking;
    }
    json["done"] = false;
    return json;
  }

  static Json last(const Generation& g, Json json) {
    const Choice& choice = g.choices()[0];
    const auto nanoseconds = [](f64 seconds) { return u64(seconds * 1e9); };
    const engine::PhaseTimings& t = choice.outcome->timings;
    json["done"] = true;
    json["done_reason"] = choice.finish_reason() == "length" ? "length" : "stop";
    json["total_duration"] = nanoseconds(t.queue + t.prefill + t.decode);
    json["load_duration"] = 0;
    json["prompt_eval_count"] = choice.outcome->usage.prompt;
    json["prompt_eval_duration"] = nanoseconds(t.prefill);
    json["eval_count"] = choice.outcome->usage.completion;
    json["eval_duration"] = nanoseconds(t.decode);
    g.add_timings(json);
    return json;
  }

  bool is_chat_;
};

Checked<void> read_options(const ModelHost& host, const Json* options, Ask& ask) {
  const Json none = Json::object();
  const FieldReader fields(options ? *options : none);
  ASK_OK(read_sampling(fields, ask));
  forward::SamplerSettings& sampler = ask.submission.generate.sampler;
  if (!fields.find("temperature")) sampler.temperature = kTemperature;
  if (!fields.find("top_p")) sampler.top_p = kTopP;
  if (!fields.find("top_k")) sampler.top_k = kTopK;
  sampler.repetition_penalty = f32(fields.number("repeat_penalty").value_or(kRepeatPenalty));
  const i64 last = fields.integer("repeat_last_n").value_or(kRepeatLast);
  sampler.penalty_window = u32(std::max<i64>(last, 0));
  if (last == 0) sampler.repetition_penalty = 1;  // to us 0 would be all of them
  const i64 predict = fields.integer("num_predict").value_or(-1);
  if (predict >= 0) ask.tokens_max = u32(predict);
  if (const auto context = fields.integer("num_ctx"); context && *context > host.engine.context())
    return refuse(400,
                  fmt::format("'num_ctx' is {}, and this server's context has {} tokens: start "
                              "it with --ctx",
                              *context, host.engine.context()),
                  "num_ctx");
  return {};
}

Checked<Json> read_think(const Json* think) {
  Json variables = Json::object();
  if (!think) return variables;
  if (think->is_boolean()) {
    variables["enable_thinking"] = *think;
    return variables;
  }
  const Json effort = {{"reasoning_effort", *think}};
  return read_template_variables(&effort);
}

Checked<void> read_format(const Json* format) {
  if (!format || *format == "") return {};
  return check_format(format->is_string() ? "json" : "a JSON schema", "format");
}

// Ollama's messages have their calls' arguments as objects already.
Checked<Json> openai_messages(const Json& theirs) {
  Json all = Json::array();
  for (u64 i = 0; i < theirs.size(); ++i) {
    const FieldReader fields(theirs[i]);
    if (const Json* images = fields.find("images"); images && !images->empty())
      return refuse(400, fmt::format("'messages[{}]' has images; this server takes text only", i));
    Json one = {{"role", fields.string("role")}, {"content", fields.string("content")}};
    if (const Json* thinking = fields.find("thinking")) one["reasoning_content"] = *thinking;
    if (const Json* calls = fields.find("tool_calls")) one["tool_calls"] = *calls;
    if (const Json* name = fields.find("tool_name")) one["name"] = *name;
    if (const Json* id = fields.find("tool_call_id")) one["tool_call_id"] = *id;
    all.push_back(std::move(one));
  }
  ASK_OK(check_fields(chat_fields(), {{"messages", all}}));
  return all;
}

Json details(const ModelHost& host) {
  return {{"parent_model", ""},
          {"format", host.path_name.ends_with(".gguf") ? "gguf" : "safetensors"},
          {"family", host.family},
          {"families", Json::array({host.family})},
          {"parameter_size", host.parameter_size},
          {"quantization_level", host.quantization}};
}

Json model_json(const ModelHost& host) {
  return {{"name", host.id + ":latest"},
          {"model", host.id + ":latest"},
          {"modified_at", now()},
          {"size", host.size_bytes},
          {"digest", ""},
          {"details", details(host)}};
}

}  // namespace

Checked<void> ollama_chat(Context& context, const Request& request, const Answering& exchange) {
  Ask ask;
  ASK(const Json body, read_request(request, ollama_chat_fields(), ask.warnings));
  const FieldReader fields(body);
  ASK_OK(context.host.check_name(fields.string("model")));
  ask.submission.owner = request.owner;
  ASK_OK(read_options(context.host, fields.find("options"), ask));
  ask.stream = fields.boolean("stream", true);
  ASK_OK(read_format(fields.find("format")));
  if (const Json* tools = fields.find("tools"); tools && !tools->empty()) ask.tools = *tools;
  ASK(const Json variables, read_think(fields.find("think")));
  ASK(const Json plain, openai_messages(body["messages"]));
  ASK_OK(set_chat(context.host, plain, variables, ask));
  return generate(context, std::move(ask), std::make_unique<OllamaWriter>(true), exchange,
                  Style::kOllama);
}

Checked<void> ollama_generate(Context& context, const Request& request, const Answering& exchange) {
  Ask ask;
  ASK(const Json body, read_request(request, ollama_generate_fields(), ask.warnings));
  const FieldReader fields(body);
  ASK_OK(context.host.check_name(fields.string("model")));
  ask.submission.owner = request.owner;
  ASK_OK(read_options(context.host, fields.find("options"), ask));
  ask.stream = fields.boolean("stream", true);
  ASK_OK(read_format(fields.find("format")));
  const std::string prompt = fields.string("prompt");
  if (prompt.empty()) {  // a way to have the model loaded, which it is
    respond(exchange,
            {{"model", context.host.id},
             {"created_at", now()},
             {"response", ""},
             {"done", true},
             {"done_reason", "load"}},
            ask.warnings);
    return {};
  }
  if (fields.boolean("raw") || context.host.template_source.empty()) {
    ASK(const text::Tokenizer* tokenizer, context.host.tokenizer());
    ask.prompts.push_back(tokenizer->encode(prompt, text::Special::kParse, true));
  } else {
    ASK(const Json variables, read_think(fields.find("think")));
    Json all = Json::array();
    if (fields.find("system"))
      all.push_back({{"role", "system"}, {"content", fields.string("system")}});
    all.push_back({{"role", "user"}, {"content", prompt}});
    ASK_OK(set_chat(context.host, all, variables, ask));
  }
  return generate(context, std::move(ask), std::make_unique<OllamaWriter>(false), exchange,
                  Style::kOllama);
}

Checked<void> ollama_tags(Context& context, const Request&, const Answering& exchange) {
  respond(exchange, {{"models", Json::array({model_json(context.host)})}});
  return {};
}

Checked<void> ollama_ps(Context& context, const Request&, const Answering& exchange) {
  Json model = model_json(context.host);
  model["context_length"] = context.host.engine.context();
  model["size_vram"] = 0;
  model["expires_at"] = "9999-12-31T23:59:59Z";  // it stays loaded
  respond(exchange, {{"models", Json::array({model})}});
  return {};
}

Checked<void> ollama_show(Context& context, const Request& request, const Answering& exchange) {
  std::vector<std::string> warnings;
  ASK(const Json body, read_request(request, ollama_show_fields(), warnings));
  const FieldReader fields(body);
  const std::string name = fields.string("model", fields.string("name"));
  if (name.empty()) return refuse(400, "'model' is missing", "model");
  ASK_OK(context.host.check_name(name));
  const ModelHost& host = context.host;
  Json capabilities = Json::array({"completion"});
  if (!host.template_source.empty()) capabilities.push_back("tools");
  respond(exchange,
          {{"modelfile", ""},
           {"parameters", ""},
           {"template", host.template_source},
           {"details", details(host)},
           {"model_info",
            {{"general.architecture", host.family},
             {host.family + ".context_length", host.engine.context()},
             {host.family + ".embedding_length", host.engine.model().spec.dim},
             {host.family + ".block_count", host.engine.model().spec.layers.size()}}},
           {"capabilities", capabilities}},
          warnings);
  return {};
}

Checked<void> ollama_version(Context& context, const Request&, const Answering& exchange) {
  respond(exchange, {{"version", context.version}});
  return {};
}

}  // namespace orrery::serve
