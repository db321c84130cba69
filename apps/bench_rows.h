// Rows of `orrery bench`: one test each, what it measured, and what this machine can do beside it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/files.h"
#include "apps/progress_bar.h"
#include "engine/measure.h"

namespace orrery::apps {

struct Spread {
  f64 median = 0, min = 0, max = 0;
};
[[nodiscard]] Spread spread_of(std::vector<f64> values);

// What the machine can do: the better of the probes before and after. 0: not probed.
struct Limits {
  f64 read = 0;                  // bytes a second
  engine::Operations peak = {};  // operations a second, by kernels::DotKind

  [[nodiscard]] Result<void> probe(engine::Engine& engine);
};

struct Row {
  engine::Measurement measured;
  // One a repetition:
  std::vector<f64> rates;  // tokens a second
  std::vector<Limits> limits;
  std::map<std::string, std::vector<f64>> rivals;  // tokens a second, by the rival's ways

  [[nodiscard]] std::string name() const { return measured.name(); }
  [[nodiscard]] Spread tokens_per_second() const { return spread_of(rates); }
  [[nodiscard]] f64 bytes_per_second() const;
  [[nodiscard]] f64 operations_per_second() const;
  // Of the limits, medians of the repetitions' shares: bytes against the read probe; the time that
  // the arithmetic alone would take at the peaks of its instructions against the time that it took.
  // 0 without probes.
  [[nodiscard]] Spread read_share() const;
  [[nodiscard]] Spread peak_share() const;
};

// A rival at its better way: the one against which our median ratio is lower.
struct Rival {
  std::string way;
  Spread tokens_per_second;
  Spread ratio;  // ours to it, paired within each repetition
};
[[nodiscard]] std::optional<Rival> rival_of(const Row& row);

[[nodiscard]] Json to_json(const Row& row);

// The table for people, line by line.
[[nodiscard]] std::string header_line(bool with_rival);
[[nodiscard]] std::string row_line(const Row& row);

}  // namespace orrery::apps
