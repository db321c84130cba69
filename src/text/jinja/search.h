// Searching bytes in linear time, whatever the two strings are (glibc's two-way memmem; the
// standard library's find takes the product of the lengths on hostile ones).
#pragma once

#include <cstring>
#include <string_view>

#include "base/types.h"

namespace orrery::text::jinja {

[[nodiscard]] inline u64 find_bytes(std::string_view text, std::string_view needle, u64 from) {
  if (from > text.size()) return std::string_view::npos;
  if (needle.empty()) return from;
  const void* found = memmem(text.data() + from, text.size() - from, needle.data(), needle.size());
  return found ? u64(static_cast<const char*>(found) - text.data()) : std::string_view::npos;
}

}  // namespace orrery::text::jinja
