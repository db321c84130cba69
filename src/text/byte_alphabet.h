// GPT-2's alphabet for bytes: a printable character stands for each of the 256 bytes ("Ġ" for a
// space), so that a vocabulary file of byte-level BPE is readable text. Printable Latin-1
// characters stand for themselves; the other bytes, in order, are U+0100 and up.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "text/unicode.h"

namespace orrery::text {

[[nodiscard]] constexpr bool stands_for_itself(u32 byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD && byte <= 0xFF);
}

inline constexpr auto kCharacterOfByte = [] {
  std::array<u16, 256> code{};
  u16 next = 256;
  for (u32 byte = 0; byte < 256; ++byte) code[byte] = stands_for_itself(byte) ? u16(byte) : next++;
  return code;
}();

// The byte of a character of the alphabet; -1 for a character that is not in it.
inline constexpr auto kByteOfCharacter = [] {
  std::array<i16, 512> byte{};
  for (i16& b : byte) b = -1;
  for (u32 b = 0; b < 256; ++b) byte[kCharacterOfByte[b]] = i16(b);
  return byte;
}();

// Appends the bytes that `name` spells; false (and nothing appended) when it has other characters.
[[nodiscard]] inline bool append_spelled_bytes(std::string& out, std::string_view name) {
  const std::size_t before = out.size();
  const char* const end = name.data() + name.size();
  for (const char* p = name.data(); p < end;) {
    const Character c = decode_utf8(p, end);
    if (c.code >= 512 || kByteOfCharacter[c.code] < 0) {
      out.resize(before);
      return false;
    }
    out += char(kByteOfCharacter[c.code]);
    p += c.bytes;
  }
  return true;
}

inline void append_spelling(std::string& out, std::string_view bytes) {
  for (const char byte : bytes) append_utf8(out, kCharacterOfByte[u8(byte)]);
}

}  // namespace orrery::text
