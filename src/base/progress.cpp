#include "base/progress.h"

namespace orrery {

Progress& no_progress() {
  struct Silent final : Progress {
    void begin(std::string_view, u64, std::string_view) override {}
    void advance(u64) override {}
    void end() override {}
  };
  static Silent silent;
  return silent;
}

}  // namespace orrery
