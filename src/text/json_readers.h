// The readers of JSON tokenizer files over text that simdjson can read in place: a file of 30 MB is
// then read once and never copied.
#pragma once

#include <simdjson.h>

#include <memory>

#include "text/tokenizer.h"

namespace orrery::text {

inline constexpr u64 kJsonFileBytesMax = u64(64) << 20;

[[nodiscard]] Result<std::unique_ptr<Tokenizer>> read_tokenizer_json(
    simdjson::padded_string_view json);
[[nodiscard]] Result<std::unique_ptr<Tokenizer>> read_tekken(simdjson::padded_string_view json);

}  // namespace orrery::text
