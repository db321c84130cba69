// The endpoints: each reads a request, and answers it now or has a Generation answer it.
//
// An error that one returns is written in the style of its path by who called it.
#pragma once

#include "serve/generation.h"
#include "serve/http.h"
#include "serve/request_tables.h"

namespace orrery::serve {

struct Context {
  const ModelHost& host;
  Metrics& metrics;
  std::string version;
  std::atomic<bool> draining = false;
};

using Answering = std::shared_ptr<Exchange>;
using Endpoint = Checked<void> (*)(Context& context, const Request& request,
                                   const Answering& exchange);

#define ORRERY_ENDPOINT(name)                                                \
  [[nodiscard]] Checked<void> name(Context& context, const Request& request, \
                                   const Answering& exchange)
ORRERY_ENDPOINT(chat_completions);
ORRERY_ENDPOINT(completions);
ORRERY_ENDPOINT(responses);
ORRERY_ENDPOINT(embeddings);
ORRERY_ENDPOINT(models);
ORRERY_ENDPOINT(tokenize);
ORRERY_ENDPOINT(detokenize);
ORRERY_ENDPOINT(messages);
ORRERY_ENDPOINT(count_tokens);
ORRERY_ENDPOINT(ollama_chat);
ORRERY_ENDPOINT(ollama_generate);
ORRERY_ENDPOINT(ollama_tags);
ORRERY_ENDPOINT(ollama_ps);
ORRERY_ENDPOINT(ollama_show);
ORRERY_ENDPOINT(ollama_embed);
ORRERY_ENDPOINT(ollama_version);
#undef ORRERY_ENDPOINT

// The JSON body of a request, held against its table; the warnings go into `warnings`.
[[nodiscard]] Checked<Json> read_request(const Request& request, Table table,
                                         std::vector<std::string>& warnings);

// Answers now, with what was noticed in a header.
void respond(const Answering& exchange, const Json& body,
             const std::vector<std::string>& warnings = {});

// From here on a Generation answers.
[[nodiscard]] Checked<void> generate(Context& context, Ask ask, std::unique_ptr<Writer> writer,
                                     const Answering& exchange, Style style);

// {"token", "logprob", "bytes", "top_logprobs"}: the form of OpenAI's chats.
[[nodiscard]] Json logprob_json(const ModelHost& host, const engine::TokenEvent& event);
// The text of a token alone, whole characters or U+FFFD.
[[nodiscard]] std::string token_text(const ModelHost& host, text::TokenId id);
[[nodiscard]] Json usage_json(const Generation& generation);

// "response_format", "format": what would have to be enforced and cannot be is an error.
[[nodiscard]] Checked<void> check_format(std::string_view type, std::string_view param);

// A tool choice that would have to be enforced and cannot be is an error, too.
[[nodiscard]] Checked<ToolChoice> read_tool_choice(const Json* choice);

// chat_template_kwargs: flags, numbers and plain words only, and none of the names that the server
// sets: a template takes what it is given for its own text.
[[nodiscard]] Checked<Json> read_template_variables(const Json* variables);

}  // namespace orrery::serve
