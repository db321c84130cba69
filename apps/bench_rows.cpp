#include "apps/bench_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/terminal.h"

namespace orrery::apps {
namespace {

// Beyond every cache but the largest, and read within a tenth of a second.
constexpr u64 kProbeBytes = u64(1) << 30;

std::string percent(f64 share) {
  return share > 0 ? fmt::format("{:.0f} %", 100 * share) : std::string("-");
}

Json to_json(const Spread& spread) {
  return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
}

}  // namespace

Spread spread_of(std::vector<f64> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  const f64 median = values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
  return {median, values.front(), values.back()};
}

Result<void> Limits::probe(engine::Engine& engine) {
  TRY(const f64 bandwidth, kernels::read_bandwidth(engine.team(), kProbeBytes));
  read = std::max(read, bandwidth);
  for (u32 kind = 0; kind < kernels::kDotKindCount; ++kind)
    peak[kind] = std::max(
        peak[kind], kernels::dot_peak(engine.team(), engine.kernels().isa, kernels::DotKind(kind)));
  return {};
}

f64 Row::bytes_per_second() const { return tokens_per_second().median * measured.bytes_per_token; }

f64 Row::operations_per_second() const {
  f64 sum = 0;
  for (const f64 operations : measured.operations_per_token) sum += operations;
  return tokens_per_second().median * sum;
}

Spread Row::read_share() const {
  std::vector<f64> shares;
  for (std::size_t i = 0; i < rates.size(); ++i)
    if (limits[i].read > 0) shares.push_back(rates[i] * measured.bytes_per_token / limits[i].read);
  return spread_of(std::move(shares));
}

Spread Row::peak_share() const {
  std::vector<f64> shares;
  for (std::size_t i = 0; i < rates.size(); ++i) {
    f64 seconds = 0;  // of a token, at the peaks
    for (u32 kind = 0; kind < kernels::kDotKindCount; ++kind)
      if (limits[i].peak[kind] > 0)
        seconds += measured.operations_per_token[kind] / limits[i].peak[kind];
    shares.push_back(seconds * rates[i]);
  }
  return spread_of(std::move(shares));
}

std::optional<Rival> rival_of(const Row& row) {
  std::optional<Rival> best;
  for (const auto& [way, speeds] : row.rivals) {
    std::vector<f64> pairs;
    for (std::size_t i = 0; i < speeds.size(); ++i) pairs.push_back(row.rates[i] / speeds[i]);
    const Spread ratio = spread_of(std::move(pairs));
    if (!best || ratio.median < best->ratio.median) best = Rival{way, spread_of(speeds), ratio};
  }
  return best;
}

Json to_json(const Row& row) {
  Json json{{"test", row.name()},
            {"tokens_per_second", to_json(row.tokens_per_second())},
            {"rates", row.rates},
            {"bytes_per_token", row.measured.bytes_per_token},
            {"gb_per_s", row.bytes_per_second() / 1e9},
            {"gops", row.operations_per_second() / 1e9}};
  std::vector<f64> read;
  std::array<std::vector<f64>, kernels::kDotKindCount> peaks;
  for (const Limits& limits : row.limits) {
    read.push_back(limits.read / 1e9);
    for (u32 kind = 0; kind < kernels::kDotKindCount; ++kind)
      peaks[kind].push_back(limits.peak[kind] / 1e9);
  }
  if (spread_of(read).max > 0) {
    json["read_probe_gb_per_s"] = to_json(spread_of(read));
    json["read_fraction"] = to_json(row.read_share());
  }
  if (spread_of(peaks[0]).max > 0) {
    for (u32 kind = 0; kind < kernels::kDotKindCount; ++kind)
      json["peak_gops"][std::string(kernels::name(kernels::DotKind(kind)))] =
          to_json(spread_of(peaks[kind]));
    json["peak_fraction"] = to_json(row.peak_share());
  }
  if (const auto rival = rival_of(row))
    json["against"] = {{"way", rival->way},
                       {"tokens_per_second", to_json(rival->tokens_per_second)},
                       {"ratio", to_json(rival->ratio)}};
  return json;
}

std::string header_line(bool with_rival) {
  const Style& s = out_style();
  return fmt::format("{}{:<14}{:>10}{:>19}{:>10}{:>8}{:>10}{:>9}{}{}\n", s.strong, "test", "tok/s",
                     "min … max", "GB/s", "of read", "GOPS", "of peak",
                     with_rival ? fmt::format("{:>10}{:>8}", "peer", "ratio") : "", s.reset);
}

std::string row_line(const Row& row) {
  const Spread t = row.tokens_per_second();
  std::string line =
      fmt::format("{:<14}{:>10.1f}{:>19}{:>10.1f}{:>8}{:>10.0f}{:>9}", row.name(), t.median,
                  fmt::format("{:.1f} … {:.1f}", t.min, t.max), row.bytes_per_second() / 1e9,
                  percent(row.read_share().median), row.operations_per_second() / 1e9,
                  percent(row.peak_share().median));
  if (const auto rival = rival_of(row))
    line += fmt::format("{:>10.1f}{:>7.2f}x", rival->tokens_per_second.median, rival->ratio.median);
  return line + "\n";
}

}  // namespace orrery::apps
