// The small parts of a tokenizer.json: normaliser, pre-tokenizer, post-processor, decoder.
//
// Each is an object with a "type"; sequences nest. A type or an option that we do not know is an
// error: to leave a step out would be to tokenize wrongly.
#pragma once

#include <string_view>

#include "text/pipeline.h"

namespace orrery::text {

// What the parts say, apart from what goes straight into TokenizerData.
struct JsonParts {
  bool byte_level = false;  // the pre-tokenizer ends in ByteLevel: words are bytes to the model
};

// `json`: the text of the part; "null" is allowed.
[[nodiscard]] Result<void> read_normalizer(std::string_view json, TokenizerData& data);
[[nodiscard]] Result<void> read_pre_tokenizer(std::string_view json, TokenizerData& data,
                                              JsonParts& parts);
// Needs the vocabulary and the added tokens, because it names tokens.
[[nodiscard]] Result<void> read_post_processor(std::string_view json, TokenizerData& data);
[[nodiscard]] Result<void> read_decoder(std::string_view json, TokenizerData& data);

}  // namespace orrery::text
