// Unicode: code points in UTF-8 and what Python's str knows about them (case, classes, white
// space).
//
// Categories and simple case mappings come from utf8proc; mappings to several letters ("ß" to
// "SS"), which utf8proc lacks, from a small table made by tools/golden/templates.py.
#pragma once

#include <string>
#include <string_view>

#include "base/types.h"

namespace orrery::text::jinja {

struct Decoded {
  u32 rune;
  u32 bytes;  // 1 to 4
};
// The code point at `at`, which is inside `text`. A byte that is no UTF-8 is itself, above
// U+10FFFF.
[[nodiscard]] Decoded decode(std::string_view text, u64 at);
inline constexpr u32 kBrokenByte = 0x110000;  // + the byte
[[nodiscard]] u32 encode(u32 rune, char* out);
[[nodiscard]] u64 count_runes(std::string_view text);
// Where the code point that ends before `end` (> 0) begins.
[[nodiscard]] u64 previous_rune(std::string_view text, u64 end);

[[nodiscard]] bool is_space(u32 rune);
[[nodiscard]] bool is_line_break(u32 rune);  // where str.splitlines splits
[[nodiscard]] bool is_alpha(u32 rune);
[[nodiscard]] bool is_decimal(u32 rune);
[[nodiscard]] bool is_digit(u32 rune);
[[nodiscard]] bool is_numeric(u32 rune);
[[nodiscard]] bool is_upper(u32 rune);
[[nodiscard]] bool is_lower(u32 rune);
[[nodiscard]] bool is_title(u32 rune);
[[nodiscard]] bool is_cased(u32 rune);
[[nodiscard]] bool is_case_ignorable(u32 rune);
[[nodiscard]] bool is_printable(u32 rune);
[[nodiscard]] bool is_word(u32 rune);  // \w of Python's re
// The digit's value 0 to 9 of a decimal, else -1.
[[nodiscard]] i32 decimal_value(u32 rune);

enum class Case : u8 { kUpper, kLower, kTitle, kFold };
// One to three code points in UTF-8.
void map_case(u32 rune, Case to, std::string& out);

}  // namespace orrery::text::jinja
