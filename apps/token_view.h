// TokenView: tokens as blocks in rows: the piece on a coloured ground, below it its id and its
// bytes.
//
// Spaces, newlines and pieces of characters are made visible (·, ⏎, byte values). It works on any
// bytes and writes no control character of the text to the screen.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace orrery::apps {

struct ViewRow {
  std::string text;  // with colours
  u32 columns = 0;   // that it takes on screen
};
struct TokenView {
  std::vector<ViewRow> rows;
  std::vector<ViewRow> summary;
};

[[nodiscard]] TokenView view_tokens(const text::Tokenizer& tokenizer, const std::string& name,
                                    std::string_view text, u32 columns);

// The same of tokens of a chat, on grounds that tell where each comes from.
enum class Origin : u8 { kTemplate, kMessage };
[[nodiscard]] TokenView view_origins(const text::Tokenizer& tokenizer, const std::string& name,
                                     std::span<const text::TokenId> ids,
                                     std::span<const Origin> origins, u32 columns);
// A line a token (number, id, origin, piece), for programs and for screens without colours.
[[nodiscard]] std::string list_origins(const text::Tokenizer& tokenizer,
                                       std::span<const text::TokenId> ids,
                                       std::span<const Origin> origins);
[[nodiscard]] std::string one_above_other(const TokenView& view);
// `columns`: of each half.
[[nodiscard]] std::string side_by_side(const TokenView& left, const TokenView& right, u32 columns);

// A token's bytes as they can be shown: "·the", "⏎", "<e4><bd>".
[[nodiscard]] std::string visible(std::string_view bytes);

}  // namespace orrery::apps
