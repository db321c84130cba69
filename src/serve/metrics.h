// Metrics: counts of what was served, in Prometheus' text form.
//
// Where the meaning is the same the names are vLLM's, so that people's dashboards work.
#pragma once

#include <array>
#include <map>

#include "engine/scheduler.h"

namespace orrery::serve {

// A histogram with fixed bounds, of seconds.
class SecondsHistogram {
 public:
  void add(f64 seconds);
  // Appends its lines.
  void write(std::string& out, std::string_view name, std::string_view labels,
             std::string_view help) const;

 private:
  static constexpr std::array<f64, 16> kBounds = {0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5,
                                                  1,     2.5,   5,    10,   20,   40,  80,   160};
  std::array<u64, 17> counts_ = {};
  u64 count_ = 0;
  f64 sum_ = 0;
};

// Of the IO thread.
class Metrics {
 public:
  void count(const engine::Outcome& outcome);
  [[nodiscard]] std::string text(const engine::SchedulerStats& stats, std::string_view model) const;

 private:
  std::map<std::string, u64, std::less<>> finished_;
  SecondsHistogram first_token_, per_token_, total_, queue_;
};

}  // namespace orrery::serve
