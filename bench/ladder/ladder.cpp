// ladder_bench: climbs the ladders and prints what each idea is worth on this machine.
//
//   ladder_bench [NAME]... [--json] [--svg FILE] [--check]
//
// Every round runs each rung once, so that a slow moment meets them all; printed are medians, one
// thread. --check runs every rung once and only compares their outputs.
#include "ladder/ladder.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

#include "plan/host.h"

namespace orrery::ladder {
namespace {

using Clock = std::chrono::steady_clock;
using Make = Result<Ladder> (*)(const kernels::Kernels&);

constexpr std::pair<std::string_view, Make> kLadders[] = {{"matrix_vector", matrix_vector},
                                                          {"matrix_matrix", matrix_matrix},
                                                          {"attention_prompt", attention_prompt},
                                                          {"attention_token", attention_token},
                                                          {"experts", experts}};

struct Options {
  std::vector<std::string> names;
  std::string svg;
  bool json = false, check = false;
};

f64 run_once(const Rung& rung, std::vector<f32>& out) {
  const auto start = Clock::now();
  rung.run(out.data());
  return std::chrono::duration<f64>(Clock::now() - start).count();
}

Result<void> check(const Ladder& ladder) {
  std::vector<f32> expected(ladder.outputs), out(ladder.outputs);
  (void)run_once(ladder.rungs[0], expected);
  f64 magnitude = 0;
  for (const f32 value : expected) magnitude += std::fabs(value) / f64(expected.size());
  for (const Rung& rung : ladder.rungs) {
    std::fill(out.begin(), out.end(), -1.0f);
    (void)run_once(rung, out);
    f64 error = 0;
    for (u64 i = 0; i < out.size(); ++i)
      error = std::max(error, f64(std::fabs(out[i] - expected[i])));
    if (!(error <= ladder.tolerance * magnitude))
      return fail("{}: rung '{}' is wrong by {} of {}", ladder.name, rung.name, error, magnitude);
  }
  return {};
}

// Median seconds of each rung, in turns, for about two seconds.
std::vector<f64> climb(const Ladder& ladder) {
  std::vector<std::vector<f64>> times(ladder.rungs.size());
  std::vector<f32> out(ladder.outputs);
  const auto start = Clock::now();
  while (times[0].size() < 5 ||
         (times[0].size() < 200 && Clock::now() - start < std::chrono::seconds(2)))
    for (u32 i = 0; i < times.size(); ++i) times[i].push_back(run_once(ladder.rungs[i], out));
  std::vector<f64> medians;
  for (auto& each : times) {
    std::nth_element(each.begin(), each.begin() + each.size() / 2, each.end());
    medians.push_back(each[each.size() / 2]);
  }
  return medians;
}

void print(const Ladder& ladder, const std::vector<f64>& seconds) {
  fmt::print("\n{}: {}\n", ladder.name, ladder.what);
  for (u32 i = 0; i < seconds.size(); ++i)
    fmt::print("  {} {:<22}{:>10.1f} us {:>7.1f} GOPS {:>7.2f} x   {}\n", i + 1,
               ladder.rungs[i].name, seconds[i] * 1e6, ladder.operations / seconds[i] / 1e9,
               seconds[0] / seconds[i], ladder.rungs[i].idea);
}

void print_json(const Ladder& ladder, const std::vector<f64>& seconds, bool first) {
  fmt::print("{}{{\"ladder\": \"{}\", \"what\": \"{}\", \"rungs\": [", first ? "" : ",\n",
             ladder.name, ladder.what);
  for (u32 i = 0; i < seconds.size(); ++i)
    fmt::print("{}{{\"name\": \"{}\", \"us\": {:.3f}, \"gops\": {:.3f}, \"times\": {:.3f}}}",
               i ? ", " : "", ladder.rungs[i].name, seconds[i] * 1e6,
               ladder.operations / seconds[i] / 1e9, seconds[0] / seconds[i]);
  fmt::print("]}}");
}

// Bars on a log scale, each ladder's first rung at the left edge.
class Picture {
 public:
  void add(const Ladder& ladder, const std::vector<f64>& seconds) {
    inner_ += fmt::format("<text class='head' x='16' y='{}'>{}</text>\n", y_ + 14, ladder.what);
    y_ += 26;
    for (u32 i = 0; i < seconds.size(); ++i, y_ += 24) {
      const f64 times = seconds[0] / seconds[i], length = 90 * std::log10(times);
      inner_ += fmt::format(
          "<text x='196' y='{0}' text-anchor='end'>{1}</text>"
          "<rect x='{2:.1f}' y='{3}' width='{4:.1f}' height='16' rx='3' class='{5}'/>"
          "<text x='{6:.1f}' y='{0}' class='dim'>{7:.2g} x</text>\n",
          y_ + 13, ladder.rungs[i].name, kZero + std::min(0.0, length), y_,
          std::max(2.0, std::fabs(length)), length < 0 ? "down" : "bar",
          kZero + std::max(0.0, length) + 8, times);
    }
    y_ += 18;
  }
  [[nodiscard]] std::string text(const std::string& title) const {
    return fmt::format(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 640 {0}' role='img' "
        "aria-labelledby='t d'>\n<title id='t'>Five ladders</title>\n<desc id='d'>{1}: how many "
        "times faster each rung is than the first, on a log scale</desc>\n"
        "<style>text{{font:13px system-ui,sans-serif;fill:#1c2430}}.head{{font-weight:600}}"
        ".dim{{fill:#5b6675}}.bar{{fill:#2f6fb0}}.down{{fill:#b8620b}}"
        "@media(prefers-color-scheme:dark){{text{{fill:#e6ebf1}}.dim{{fill:#9aa7b6}}"
        ".bar{{fill:#6aa9e6}}.down{{fill:#e8a04c}}}}</style>\n"
        "<text x='16' y='22' class='dim'>{1}; times the first rung, log scale</text>\n{2}</svg>\n",
        y_, title, inner_);
  }

 private:
  static constexpr f64 kZero = 260;
  u32 y_ = 40;
  std::string inner_;
};

Result<void> climb_all(const Options& options) {
  TRY(const auto kernels, kernels::resolve_from_environment());
  TRY(const plan::Host host, plan::probe_host());
  const std::string title =
      fmt::format("{}, rung {}, one thread", host.cpu_name, kernels::name(kernels.isa));
  if (options.json)
    fmt::print("{{\"cpu\": \"{}\", \"isa\": \"{}\", \"ladders\": [\n", host.cpu_name,
               kernels::name(kernels.isa));
  else if (!options.check)
    fmt::print("{}\n", title);
  Picture picture;
  bool first = true;
  for (const auto& [name, make] : kLadders) {
    if (!options.names.empty() &&
        std::find(options.names.begin(), options.names.end(), name) == options.names.end())
      continue;
    TRY(const Ladder ladder, make(kernels));
    CHECK_OK(check(ladder));
    if (options.check) {
      fmt::print("ok - {}: {} rungs agree\n", name, ladder.rungs.size());
      continue;
    }
    const std::vector<f64> seconds = climb(ladder);
    if (options.json)
      print_json(ladder, seconds, first);
    else
      print(ladder, seconds);
    picture.add(ladder, seconds);
    first = false;
  }
  if (options.json) fmt::print("\n]}}\n");
  if (options.svg.empty()) return {};
  std::ofstream file(options.svg);
  file << picture.text(title);
  file.close();
  return file ? Result<void>() : fail("cannot write '{}'", options.svg);
}

bool is_ladder(std::string_view word) {
  return std::any_of(std::begin(kLadders), std::end(kLadders),
                     [&](const auto& row) { return row.first == word; });
}

}  // namespace
}  // namespace orrery::ladder

int main(int count, char** arguments) {
  using namespace orrery::ladder;
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    if (word == "--json")
      options.json = true;
    else if (word == "--check")
      options.check = true;
    else if (word == "--svg" && i + 1 < count)
      options.svg = arguments[++i];
    else if (is_ladder(word))
      options.names.push_back(word);
    else {
      fmt::print(stderr, "usage: ladder_bench [NAME]... [--json] [--svg FILE] [--check]\nladders:");
      for (const auto& row : kLadders) fmt::print(stderr, " {}", row.first);
      fmt::print(stderr, "\n");
      return 2;
    }
  }
  const auto climbed = climb_all(options);
  if (!climbed) fmt::print(stderr, "ladder_bench: {}\n", climbed.error().message);
  return climbed ? 0 : 1;
}
