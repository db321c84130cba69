// Unicode: reading UTF-8 one character at a time, and the classes of characters that tokenizers cut
// by.
//
// The categories are our own table of Unicode 16.0 (tools/unicode_tables.py), because a tokenizer's
// cuts must not depend on the machine's libraries. Text may be any bytes: a byte that begins no
// valid character is a character of its own, of no class.
#pragma once

#include <string>
#include <string_view>

#include "base/types.h"

namespace orrery::text {

// In the order of the generated table; kControlSpace are the control characters that are white
// space.
enum class Category : u8 {
  kLu,
  kLl,
  kLt,
  kLm,
  kLo,
  kMn,
  kMc,
  kMe,
  kNd,
  kNl,
  kNo,
  kPc,
  kPd,
  kPs,
  kPe,
  kPi,
  kPf,
  kPo,
  kSm,
  kSc,
  kSk,
  kSo,
  kZs,
  kZl,
  kZp,
  kCc,
  kCf,
  kCo,
  kCn,
  kControlSpace,
};

// Sets of categories as bits, named as regular expressions name them.
using ClassBits = u16;
inline constexpr ClassBits kLetter = 1;         // \p{L}
inline constexpr ClassBits kMark = 2;           // \p{M}
inline constexpr ClassBits kNumber = 4;         // \p{N}
inline constexpr ClassBits kPunctuation = 8;    // \p{P}
inline constexpr ClassBits kSymbol = 16;        // \p{S}
inline constexpr ClassBits kSpace = 32;         // \s
inline constexpr ClassBits kNewline = 64;       // [\r\n]
inline constexpr ClassBits kUpperLike = 128;    // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
inline constexpr ClassBits kLowerLike = 256;    // [\p{Ll}\p{Lm}\p{Lo}\p{M}]
inline constexpr ClassBits kAsciiLetter = 512;  // [A-Za-z]
inline constexpr ClassBits kAsciiPunctuation = 1024;

inline constexpr u32 kNoCode = 0x110000;  // the code of a byte that begins no character
inline constexpr u32 kReplacement = 0xFFFD;

[[nodiscard]] Category category(u32 code);
[[nodiscard]] ClassBits class_bits(u32 code);

struct Character {
  u32 code;
  u32 bytes;  // 1 to 4; 1 when `code` is kNoCode
};

// The character at the front of [p, end), which must not be empty.
[[nodiscard]] inline Character decode_utf8(const char* p, const char* end);
[[nodiscard]] Character decode_utf8_multibyte(const char* p, const char* end);

inline Character decode_utf8(const char* p, const char* end) {
  if (u8(*p) < 0x80) return {u8(*p), 1};
  return decode_utf8_multibyte(p, end);
}

// The character at the back of [begin, p), which must not be empty.
[[nodiscard]] Character decode_utf8_back(const char* begin, const char* p);

void append_utf8(std::string& out, u32 code);

[[nodiscard]] bool is_valid_utf8(std::string_view text);
[[nodiscard]] bool is_one_character(std::string_view text);

// How many bytes at the end of `text` begin a character that is not complete yet (0 to 3).
[[nodiscard]] u32 incomplete_suffix(std::string_view text);

// Appends `text` with every ill-formed part replaced by one U+FFFD, cut as the Unicode standard
// recommends ("maximal subparts"), which is what Rust's from_utf8_lossy does.
void append_lossy(std::string& out, std::string_view text);

}  // namespace orrery::text
