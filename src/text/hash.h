// A hash for short strings and integers: the vocabularies and caches of this room live in flat
// tables, and mixing eight bytes at a time by one wide multiplication is enough for them. Not for
// strangers' keys without a limit: a table gives up (kProbesMax) on a file whose names were made to
// collide.
#pragma once

#include <cstring>
#include <string_view>

#include "base/types.h"

namespace orrery::text {

// Steps from a key's place to a free one. At half full, chance alone never comes near it.
inline constexpr u32 kProbesMax = 4096;

[[nodiscard]] inline u64 mix(u64 a, u64 b) {
  const auto product =
      static_cast<unsigned __int128>(a ^ 0x9E3779B97F4A7C15) * (b ^ 0xD6E8FEB86659FD93);
  return u64(product) ^ u64(product >> 64);
}

[[nodiscard]] inline u64 hash_of(std::string_view text) {
  const char* p = text.data();
  u64 n = text.size(), hash = n;
  for (; n >= 8; p += 8, n -= 8) {
    u64 word;
    std::memcpy(&word, p, 8);
    hash = mix(hash, word);
  }
  u64 tail = 0;
  if (n >= 4) {  // two overlapping halves
    u32 low, high;
    std::memcpy(&low, p, 4);
    std::memcpy(&high, p + n - 4, 4);
    tail = u64(high) << 32 | low;
  } else if (n > 0) {
    tail = u64(u8(p[0])) | u64(u8(p[n / 2])) << 8 | u64(u8(p[n - 1])) << 16;
  }
  return mix(hash, tail);
}

}  // namespace orrery::text
