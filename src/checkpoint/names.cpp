// Names from a file: escaping for error lines and the rules that names must keep. UTF-8 as in RFC
// 3629 (no overlong forms, no surrogates, nothing above U+10FFFF).
#include "checkpoint/names.h"

#include <fmt/format.h>

namespace orrery::checkpoint {
namespace {

constexpr u64 kShownBytes = 80;
constexpr u64 kFileNameBytesMax = 255;  // NAME_MAX of Linux

// Bytes of the UTF-8 character at the start of `text`, 0 when it is none.
u64 utf8_length(std::string_view text) {
  const auto byte = [&](u64 i) { return u8(text[i]); };
  const u8 first = byte(0);
  if (first < 0x80) return 1;
  const u64 length = first >= 0xc2 && first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (first < 0xc2 || length == 0 || text.size() < length) return 0;
  for (u64 i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool surrogate = first == 0xed && byte(1) >= 0xa0;
  const bool too_large = first == 0xf4 && byte(1) >= 0x90;
  return overlong || surrogate || too_large ? 0 : length;
}

}  // namespace

std::string shown(std::string_view name) {
  std::string text = "'";
  for (const char c : name.substr(0, kShownBytes)) {
    if (c >= 0x20 && c < 0x7f)
      text += c;
    else
      text += fmt::format("\\x{:02x}", u8(c));
  }
  return text + (name.size() > kShownBytes ? "...'" : "'");
}

bool is_valid_name(std::string_view name, u64 bytes_max) {
  if (name.empty() || name.size() > bytes_max) return false;
  while (!name.empty()) {
    const u64 length = utf8_length(name);
    if (length == 0 || u8(name[0]) < 0x20 || name[0] == 0x7f) return false;
    name.remove_prefix(length);
  }
  return true;
}

bool is_plain_file_name(std::string_view name) {
  return is_valid_name(name, kFileNameBytesMax) && name != "." && name != ".." &&
         name.find_first_of("/\\") == std::string_view::npos;
}

}  // namespace orrery::checkpoint
