// ProgressBar: a job's progress on one line of the terminal: a bar, how much, how fast, how long
// still.
//
// On stderr, so that output stays clean, and only when that is a terminal; otherwise it shows
// nothing. It draws at most ten times a second and wipes its line at the end.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>

#include "base/progress.h"

namespace orrery::apps {

class ProgressBar final : public Progress {
 public:
  ProgressBar();
  ~ProgressBar() override { end(); }

  void begin(std::string_view what, u64 total, std::string_view unit) override;
  void advance(u64 units) override;
  void end() override;
  // Words behind the bar, such as a running result.
  void note(std::string text);

 private:
  using Clock = std::chrono::steady_clock;
  void draw();
  void wipe();
  [[nodiscard]] std::string line() const;

  const bool shown_;
  std::string what_, unit_, note_;
  u64 total_ = 0;
  std::atomic<u64> done_{0};
  std::atomic<i64> next_draw_{0};  // ticks of the clock
  Clock::time_point start_;
  bool drawn_ = false;
  std::mutex mutex_;  // over the drawing and the texts
};

}  // namespace orrery::apps
