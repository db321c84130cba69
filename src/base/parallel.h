// ParallelFor: "call this for every index below count, in any order, maybe at once", for rooms that
// have independent pieces of work but must not know about threads.
#pragma once

#include <atomic>
#include <functional>

#include "base/thread_team.h"

namespace orrery {

using ParallelFor = std::function<void(u64 count, const std::function<void(u64 index)>&)>;

// Members of the team take the next index when they are free.
[[nodiscard]] inline ParallelFor parallel_on(ThreadTeam& team) {
  return [&team](u64 count, const std::function<void(u64)>& piece) {
    std::atomic<u64> next{0};
    team.run([&](Worker&) {
      for (u64 i = next.fetch_add(1); i < count; i = next.fetch_add(1)) piece(i);
    });
  };
}

}  // namespace orrery
