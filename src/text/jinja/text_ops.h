// Operations on strings that filters and methods share. All carry origins along.
#pragma once

#include "text/jinja/unicode.h"
#include "text/jinja/value.h"

namespace orrery::text::jinja {

struct Span {
  u64 begin, end;  // bytes
};

// Without the code points of `chars` (white space when null) at the ends that are asked for.
[[nodiscard]] Span strip(std::string_view text, const std::string* chars, bool left, bool right);
// Lines without or with what ends them, as str.splitlines.
[[nodiscard]] std::vector<Span> split_lines(Heap& heap, std::string_view text,
                                            bool keep_ends = false);
// Words between white space, at most `splits` splits (negative: all).
[[nodiscard]] std::vector<Span> split_words(Heap& heap, std::string_view text, i64 splits);
[[nodiscard]] std::vector<Span> split_words_right(Heap& heap, std::string_view text, i64 splits);

[[nodiscard]] Value replace(const String& text, const String& from, const String& to, i64 count);
// A part of `text` in another case. A capital sigma at the end of a word becomes a final one when
// it is lowered; `context` is where its word is looked for.
void add_cased(Builder& out, const String& text, Span part, Case to, Span context);
[[nodiscard]] Value cased(const String& text, Case to);
[[nodiscard]] Value capitalized(const String& text);
[[nodiscard]] bool is_all_lower(std::string_view text);
[[nodiscard]] bool is_all_upper(std::string_view text);
// In a field: how many columns are left over goes to the left (0), the right (1) or both (0.5, as
// str.center shares them).
enum class Pad : u8 { kLeft, kRight, kBoth };
[[nodiscard]] Value padded(const String& text, i64 width, const String& fill, Pad where);

// `build` writes a new string that is markup when `like` is.
template <typename Build>
[[nodiscard]] Value built(const String& like, Build build) {
  Builder builder(like.heap());
  build(builder);
  auto result = builder.take();
  result->markup = like.markup;
  return result;
}

}  // namespace orrery::text::jinja
