// Which keys a query may look at.
//
// THE SLIDING WINDOW IS ENFORCED HERE: a query at position p sees keys p - window + 1 .. p, window
// in all. So are aligned chunks: it sees the keys of its own chunk up to itself.
#pragma once

#include <algorithm>

#include "base/thread_team.h"

namespace orrery::forward {

// The positions that a query at `position` may look at. `window` and `chunk` 0: all up to itself.
[[nodiscard]] constexpr Range visible_keys(u32 position, u32 window, u32 chunk = 0) {
  const u64 end = u64(position) + 1;
  const u64 in_window = window == 0 || end <= window ? 0 : end - window;
  const u64 in_chunk = chunk == 0 ? 0 : position / chunk * chunk;
  return {std::max(in_window, in_chunk), end};
}

}  // namespace orrery::forward
