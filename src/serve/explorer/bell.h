// Bell: how the thread that tells viewers learns that there is something to tell.
//
// It is a count that only grows. Whoever has made something visible rings afterwards; the teller
// reads the count, looks at everything, and sleeps only while the count is still what it read
// before it looked. So whatever became visible after a look ends the sleep that follows it: no
// wake-up can be lost, only come twice. Ringing while nobody sleeps is one addition.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/types.h"

namespace orrery::serve {

class Bell {
 public:
  void ring() {
    // In this order, both sequentially consistent: either this sees the sleeper, or the sleeper
    // sees the new count.
    ++count_;
    if (!asleep_) return;
    const std::lock_guard lock(mutex_);
    rung_.notify_all();
  }
  [[nodiscard]] u64 count() const { return count_; }

  // Returns when the count is no longer `seen`, at once if it is not, and at `until` at the latest.
  // One thread only.
  void wait(u64 seen, std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(mutex_);
    asleep_ = true;
    rung_.wait_until(lock, until, [&] { return count_ != seen; });
    asleep_ = false;
  }

 private:
  std::atomic<u64> count_ = 0;
  std::atomic<bool> asleep_ = false;
  std::mutex mutex_;
  std::condition_variable rung_;
};

}  // namespace orrery::serve
