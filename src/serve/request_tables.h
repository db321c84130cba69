// The fields of each kind of request. Names and ranges are those of the API that a path belongs to;
// where common clients know more (min_p, top_k, ignore_eos), those names are taken, too.
#pragma once

#include "serve/fields.h"

namespace orrery::serve {

[[nodiscard]] Table chat_fields();             // /v1/chat/completions
[[nodiscard]] Table completion_fields();       // /v1/completions
[[nodiscard]] Table response_fields();         // /v1/responses
[[nodiscard]] Table embedding_fields();        // /v1/embeddings
[[nodiscard]] Table tokenize_fields();         // /tokenize
[[nodiscard]] Table detokenize_fields();       // /detokenize
[[nodiscard]] Table message_fields();          // /v1/messages
[[nodiscard]] Table count_fields();            // /v1/messages/count_tokens
[[nodiscard]] Table ollama_chat_fields();      // /api/chat
[[nodiscard]] Table ollama_generate_fields();  // /api/generate
[[nodiscard]] Table ollama_embed_fields();     // /api/embed
[[nodiscard]] Table ollama_show_fields();      // /api/show

inline constexpr u32 kTopLogprobsMax = 20;

}  // namespace orrery::serve
