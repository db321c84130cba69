// Ask: what a request to generate comes down to, whichever API it came by.
//
// An API's own file reads its fields into an Ask and writes the reply; what lies between is the
// same for all: the prompt is made, held against the context, and submitted.
#pragma once

#include <optional>

#include "serve/fields.h"
#include "serve/model_host.h"

namespace orrery::serve {

enum class ToolChoice : u8 { kAuto, kNone, kRequired };

struct Ask {
  engine::Submission submission;  // without its prompt: those of all choices are equal
  std::vector<std::vector<text::TokenId>> prompts;  // one, but for /v1/completions
  std::optional<u32> tokens_max;                    // of a reply; none: until the context is full
  u32 choices = 1;                                  // of each prompt
  bool stream = false, include_usage = false, echo = false, fresh_seed = true;
  bool is_chat = false;  // the reply is taken apart into thoughts, text and tool calls
  bool begins_thinking = false;
  ToolChoice tool_choice = ToolChoice::kAuto;
  Json tools = nullptr;  // OpenAI's form, or null
  std::vector<std::string> warnings;
};

// The fields that OpenAI's requests share, and what they mean where they are absent.
[[nodiscard]] Checked<void> read_sampling(const FieldReader& fields, Ask& ask);

[[nodiscard]] Checked<std::vector<std::string>> read_stops(const Json* stop);

// The prompt of a chat (OpenAI's form of messages) by the model's template.
[[nodiscard]] Checked<void> set_chat(const ModelHost& host, const Json& messages,
                                     const Json& variables, Ask& ask);

// Whether each prompt fits, with the numbers; sets how long a reply may become.
[[nodiscard]] Checked<void> check_fit(const ModelHost& host, Ask& ask);

}  // namespace orrery::serve
