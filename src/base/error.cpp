#include "base/error.h"

#include "base/types.h"

namespace orrery {

std::string one_line(std::string_view text) {
  constexpr std::size_t kBytesMax = 1000;
  const bool cut = text.size() > kBytesMax;
  std::string line;
  for (const char c : text.substr(0, kBytesMax)) line += u8(c) < 0x20 || c == 0x7f ? ' ' : c;
  while (cut && !line.empty() && (u8(line.back()) & 0xc0) == 0x80)
    line.pop_back();  // half a letter
  if (cut && !line.empty() && u8(line.back()) >= 0xc0) line.pop_back();
  while (line.ends_with(' ')) line.pop_back();
  return cut ? line + "…" : line;
}

}  // namespace orrery
