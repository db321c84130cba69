// What several endpoints share.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "serve/endpoints.h"

namespace orrery::serve {
namespace {

bool is_json(std::string_view type) {
  std::string plain;
  for (const char c : type.substr(0, type.find(';')))
    if (c != ' ') plain += c >= 'A' && c <= 'Z' ? char(c + 32) : c;
  return plain == "application/json";
}

// The bytes of a string that are whole characters of UTF-8; the others become U+FFFD.
std::string valid_utf8(const std::string& bytes) {
  const std::string quoted = dump(Json(bytes));
  const Json parsed = Json::parse(quoted, nullptr, false);
  return parsed.is_string() ? parsed.get<std::string>() : std::string();
}

bool is_plain_word(const std::string& text) {
  return text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
         });
}

constexpr std::array<std::string_view, 9> kOwnVariables = {
    "messages",  "tools",     "documents", "add_generation_prompt", "bos_token",
    "eos_token", "unk_token", "pad_token", "continue_final_message"};

}  // namespace

Checked<Json> read_request(const Request& request, Table table,
                           std::vector<std::string>& warnings) {
  if (!is_json(request.header("content-type")))
    return refuse(415, "the body must be JSON: send 'Content-Type: application/json'");
  ASK(Json body, parse_body(request.body));
  ASK(warnings, check_fields(table, body));
  return body;
}

void respond(const Answering& exchange, const Json& body,
             const std::vector<std::string>& warnings) {
  Response response{.body = dump(body), .headers = {}};
  std::string all;
  for (const std::string& one : warnings) all += (all.empty() ? "" : "; ") + one;
  if (!all.empty()) response.headers.push_back({"X-Orrery-Warnings", one_line(all)});
  exchange->respond(std::move(response));
}

Checked<void> generate(Context& context, Ask ask, std::unique_ptr<Writer> writer,
                       const Answering& exchange, Style style) {
  ASK_OK(check_fit(context.host, ask));
  const auto generation = std::make_shared<Generation>(
      context.host, context.metrics, std::move(ask), std::move(writer), exchange, style);
  return generation->start();
}

std::string token_text(const ModelHost& host, text::TokenId id) {
  const text::Tokenizer* tokenizer = host.engine.tokenizer();
  if (!tokenizer) return "";
  if (tokenizer->is_special(id)) return std::string(tokenizer->token_name(id));
  return valid_utf8(tokenizer->token_bytes(id));
}

Json logprob_json(const ModelHost& host, const engine::TokenEvent& event) {
  const auto one = [&](text::TokenId id, f32 logprob) {
    Json bytes = Json::array();
    if (const text::Tokenizer* tokenizer = host.engine.tokenizer())
      for (const char c : tokenizer->token_bytes(id)) bytes.push_back(u8(c));
    return Json{{"token", token_text(host, id)}, {"logprob", logprob}, {"bytes", bytes}};
  };
  Json json = one(event.id, event.logprob.value_or(0));
  json["top_logprobs"] = Json::array();
  for (const engine::TopLogprob& best : event.best)
    json["top_logprobs"].push_back(one(best.id, best.logprob));
  return json;
}

Json usage_json(const Generation& generation) {
  const engine::Usage usage = generation.usage();
  return {{"prompt_tokens", usage.prompt},
          {"completion_tokens", usage.completion},
          {"total_tokens", usage.prompt + usage.completion},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached}}},
          {"completion_tokens_details", {{"reasoning_tokens", generation.reasoning_tokens()}}}};
}

Checked<void> check_format(std::string_view type, std::string_view param) {
  if (type.empty() || type == "text") return {};
  return refuse(400,
                fmt::format("'{}' of type '{}' cannot be enforced by this server, and without that "
                            "the reply would be free text: ask without it",
                            param, type),
                std::string(param), "unsupported_value");
}

Checked<ToolChoice> read_tool_choice(const Json* choice) {
  if (!choice) return ToolChoice::kAuto;
  const std::string text = choice->is_string() ? choice->get<std::string>() : "a named function";
  if (text == "auto") return ToolChoice::kAuto;
  if (text == "none") return ToolChoice::kNone;
  return refuse(400,
                fmt::format("'tool_choice' of '{}' cannot be enforced by this server; 'auto' "
                            "and 'none' can be had",
                            text),
                "tool_choice", "unsupported_value");
}

Checked<Json> read_template_variables(const Json* variables) {
  Json all = Json::object();
  if (!variables) return all;
  for (const auto& [name, value] : variables->items()) {
    const std::string at = fmt::format("chat_template_kwargs.{}", name.substr(0, 60));
    if (std::find(kOwnVariables.begin(), kOwnVariables.end(), name) != kOwnVariables.end())
      return refuse(400, fmt::format("'{}' is set by the server", at), at, "invalid_value");
    const bool word = value.is_string() && is_plain_word(value.get<std::string>());
    if (!word && !value.is_boolean() && !value.is_number() && !value.is_null())
      return refuse(400, fmt::format("'{}' must be true, false, a number or a plain word", at), at,
                    "invalid_value");
    all[name] = value;
  }
  return all;
}

}  // namespace orrery::serve
