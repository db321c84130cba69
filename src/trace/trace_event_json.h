// TraceEventJson: times of steps and phases as a trace-event file, which Perfetto and
// chrome://tracing open. Format: "Trace Event Format", the JSON object form with complete ("X"),
// counter ("C"), instant
// ("i") and metadata ("M") events.
//
// The text grows in memory up to a limit; what comes after is dropped and counted. Deliberately not
// here: clocks (the caller has times in nanoseconds since any start), files, and more than one
// process.
#pragma once

#include <string>
#include <string_view>

#include "base/types.h"

namespace orrery::trace {

class TraceEventJson {
 public:
  explicit TraceEventJson(u64 bytes_max = u64(256) << 20);

  void thread_name(u32 thread, std::string_view name);
  // Something that took from `begin_ns` for `duration_ns`. `detail`, if any, is shown with it.
  void complete(std::string_view name, std::string_view category, u32 thread, u64 begin_ns,
                u64 duration_ns, std::string_view detail = {});
  void instant(std::string_view name, std::string_view category, u32 thread, u64 time_ns);
  // A value over time. What is not finite has no form in JSON and is left out.
  void counter(std::string_view name, u64 time_ns, f64 value);

  // The whole document; more events may follow, and a later call gives a longer one.
  [[nodiscard]] std::string document() const;
  [[nodiscard]] u64 dropped() const { return dropped_; }

 private:
  void append(std::string_view event);

  u64 bytes_max_;
  u64 dropped_ = 0;
  std::string events_;
};

}  // namespace orrery::trace
