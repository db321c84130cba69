// encode_segments: a rendered chat as tokens, in which what people wrote can never become a control
// token.
//
// Where no message holds the text of a control token, the ids are those of the whole text, as the
// model's makers encode it. Where one does, control tokens are taken from the template's own text
// only and everything between two of them is encoded as plain text.
#pragma once

#include <span>
#include <vector>

#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace orrery::text {

[[nodiscard]] std::vector<TokenId> encode_segments(const Tokenizer& tokenizer,
                                                   std::span<const Segment> segments);

// Where each of these ids comes from: the index of the segment that its first byte stands in (of a
// word with a blank before it, the word's). Where a normalizer has changed a text, the border may
// be off by what it changed.
[[nodiscard]] std::vector<u32> token_segments(const Tokenizer& tokenizer,
                                              std::span<const Segment> segments,
                                              std::span<const TokenId> ids);

}  // namespace orrery::text
