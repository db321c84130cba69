// From a checkpoint to its tokenizer and chat template: which file or metadata key holds what.
#pragma once

#include <memory>

#include "checkpoint/checkpoint.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace orrery::engine {

[[nodiscard]] Result<std::unique_ptr<text::Tokenizer>> load_tokenizer(
    const checkpoint::Checkpoint& checkpoint);

// The string at this key of an object, or null.
[[nodiscard]] const std::string* string_at(const checkpoint::Object& object, std::string_view key);

// The "chat_template" of a tokenizer_config.json: a string, or a list of named ones of which
// "default" counts.
[[nodiscard]] std::optional<std::string> chat_template_in(const checkpoint::Config& config);

// The template's source (GGUF: tokenizer.chat_template; folders: chat_template.jinja or the
// "chat_template" of tokenizer_config.json).
[[nodiscard]] Result<std::string> chat_template_source(const checkpoint::Checkpoint& checkpoint);

// The variables of a rendering that come from the tokenizer: bos_token, eos_token, ...
[[nodiscard]] text::Json template_variables(const text::Tokenizer& tokenizer);

}  // namespace orrery::engine
