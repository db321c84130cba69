// TextFiles: the tokenizer and the chat template of a path, without any weights.
//
// A .gguf file, a folder of a checkpoint, a folder that holds only a tokenizer (tokenizer.json,
// tekken.json or tokenizer.model and, beside it, tokenizer_config.json and chat_template.jinja), or
// such a tokenizer's file itself. It deliberately does not open safetensors: `tokenize` and
// `template` work where no model has been downloaded.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace orrery::engine {

struct TextFiles {
  std::unique_ptr<text::Tokenizer> tokenizer;  // null: why_no_tokenizer says why
  std::string why_no_tokenizer;
  std::optional<std::string> template_source;  // nothing: why_no_template says why
  std::string why_no_template;
  text::Json variables = text::Json::object();  // bos_token, eos_token, ... for the template
};

// An error only when neither a tokenizer nor a template can be had.
[[nodiscard]] Result<TextFiles> open_text_files(const std::filesystem::path& path);

// The names of special tokens that a template may use, from the text of tokenizer_config.json:
// every "..._token" that is a string or an object with "content", as transformers gives them.
[[nodiscard]] Result<text::Json> special_token_variables(std::string_view tokenizer_config);

}  // namespace orrery::engine
