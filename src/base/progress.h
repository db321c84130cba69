// Progress: what a long job says about how far it is.
//
// The library calls it, never prints; `apps/` hands in a bar for a terminal, tests hand in nothing.
// Calls may come from any thread and must be cheap.
#pragma once

#include <string_view>

#include "base/types.h"

namespace orrery {

class Progress {
 public:
  virtual ~Progress() = default;
  // A job named `what` begins, of `total` units; `unit` is "bytes" (shown as MB) or a plural noun.
  virtual void begin(std::string_view what, u64 total, std::string_view unit) = 0;
  virtual void advance(u64 units) = 0;
  virtual void end() = 0;
  // A person asked to stop (Ctrl-C): the job returns an error at its next step.
  [[nodiscard]] virtual bool cancelled() const { return false; }
};

// The Progress that shows nothing.
[[nodiscard]] Progress& no_progress();

}  // namespace orrery
