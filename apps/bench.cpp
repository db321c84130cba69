// orrery bench: how fast a model runs, beside what this machine can do at that moment.
//
// The probes of read bandwidth and int8 arithmetic run right before and right after each test,
// because on shared machines both change within minutes: a speed without them says nothing.
#include <fmt/format.h>

#include <algorithm>

#include "apps/command.h"
#include "apps/files.h"
#include "apps/options.h"
#include "apps/terminal.h"
#include "engine/measure.h"
#include "kernels/probe.h"

namespace orrery::apps {
namespace {

using engine::Engine;
using engine::Measurement;

// Beyond every cache but the largest, and read within a tenth of a second.
constexpr u64 kProbeBytes = u64(1) << 30;

struct Flags {
  EngineFlags engine;
  std::vector<u32> prompts = {512}, replies = {128}, depths = {0};
  u32 repetitions = 5;
  bool json = false, no_probe = false;
};

struct Spread {
  f64 median, min, max;
};

// What the machine can do, the better of the probes before and after a test; 0: not probed.
struct Limits {
  f64 read_gb_per_s = 0, int8_gops = 0;

  Result<void> probe(Engine& engine) {
    TRY(const f64 read, kernels::read_bandwidth(engine.team(), kProbeBytes));
    read_gb_per_s = std::max(read_gb_per_s, read / 1e9);
    int8_gops = std::max(int8_gops, kernels::int8_peak(engine.team(), engine.kernels().isa) / 1e9);
    return {};
  }
};

struct Row {
  Measurement measured;
  Spread tokens_per_second;
  f64 gb_per_s, gops;
  Limits limits;
};

Spread spread_of(std::vector<f64> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  const f64 median = values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
  return {median, values.front(), values.back()};
}

Result<Row> run_one(Engine& engine, const engine::MeasureOptions& options, bool probe,
                    ProgressBar& bar) {
  Limits limits;
  if (probe) CHECK_OK(limits.probe(engine));
  TRY(Measurement measured, engine::measure(engine, options, bar));
  if (probe) CHECK_OK(limits.probe(engine));
  std::vector<f64> rates;
  for (const f64 seconds : measured.seconds) rates.push_back(measured.tokens / seconds);
  Row row{measured, spread_of(rates), 0, 0, limits};
  row.gb_per_s = row.tokens_per_second.median * measured.bytes_per_token / 1e9;
  row.gops = row.tokens_per_second.median * measured.operations_per_token / 1e9;
  return row;
}

Json to_json(const Row& row) {
  const Spread& t = row.tokens_per_second;
  Json json{{"test", row.measured.name()},
            {"tokens_per_second", {{"median", t.median}, {"min", t.min}, {"max", t.max}}},
            {"bytes_per_token", row.measured.bytes_per_token},
            {"gb_per_s", row.gb_per_s},
            {"gops", row.gops}};
  if (row.limits.read_gb_per_s > 0) {
    json["read_probe_gb_per_s"] = row.limits.read_gb_per_s;
    json["read_fraction"] = row.gb_per_s / row.limits.read_gb_per_s;
  }
  if (row.limits.int8_gops > 0) {
    json["int8_probe_gops"] = row.limits.int8_gops;
    json["int8_fraction"] = row.gops / row.limits.int8_gops;
  }
  return json;
}

Json to_json(const Engine& engine, const std::vector<Row>& rows) {
  Json json{{"model", engine.checkpoint().path().filename().string()},
            {"file_bytes", engine.checkpoint().file_bytes()},
            {"cpu", engine.host().cpu_name},
            {"isa", kernels::name(engine.kernels().isa)},
            {"threads", engine.thread_count()},
            {"results", Json::array()}};
  for (const Row& row : rows) json["results"].push_back(to_json(row));
  return json;
}

void print_header(const Engine& engine) {
  const Style& s = out_style();
  print(fmt::format(
      "{0}{1}{2}  {3}{4}{2}\n{3}{5} · {6} · {7} threads{2}\n\n{0}{8:<14}{9:>10}{10:>19}{11:>10}"
      "{12:>8}{13:>10}{14:>8}{2}\n",
      s.strong, engine.checkpoint().path().filename().string(), s.reset, s.dim,
      bytes_text(engine.checkpoint().file_bytes()), engine.host().cpu_name,
      kernels::name(engine.kernels().isa), engine.thread_count(), "test", "tok/s", "min … max",
      "GB/s", "of read", "GOPS", "of int8"));
}

void print_row(const Row& row) {
  const Spread& t = row.tokens_per_second;
  const auto percent = [](f64 value, f64 of) {
    return of > 0 ? fmt::format("{:.0f} %", 100 * value / of) : std::string("-");
  };
  print(fmt::format("{:<14}{:>10.1f}{:>19}{:>10.1f}{:>8}{:>10.0f}{:>8}\n", row.measured.name(),
                    t.median, fmt::format("{:.1f} … {:.1f}", t.min, t.max), row.gb_per_s,
                    percent(row.gb_per_s, row.limits.read_gb_per_s), row.gops,
                    percent(row.gops, row.limits.int8_gops)));
}

std::vector<engine::MeasureOptions> plan_tests(const Flags& flags) {
  std::vector<engine::MeasureOptions> tests;
  for (const u32 depth : flags.depths) {
    for (const u32 n : flags.prompts)
      if (n)
        tests.push_back(
            {.prompt = true, .tokens = n, .depth = depth, .repetitions = flags.repetitions});
    for (const u32 n : flags.replies)
      if (n)
        tests.push_back(
            {.prompt = false, .tokens = n, .depth = depth, .repetitions = flags.repetitions});
  }
  return tests;
}

Result<void> bench(const Flags& flags) {
  const auto tests = plan_tests(flags);
  if (tests.empty()) return fail("nothing to measure: give -p or -n a number above 0");
  engine::EngineOptions options = flags.engine.options();
  for (const auto& test : tests)
    options.context = std::max(options.context, test.depth + test.tokens);
  TRY(const auto engine, flags.engine.open(options));
  ProgressBar bar;
  std::vector<Row> rows;
  if (!flags.json) print_header(*engine);
  for (const auto& test : tests) {
    TRY(Row row, run_one(*engine, test, !flags.no_probe, bar));
    bar.end();
    if (!flags.json) print_row(row);
    rows.push_back(std::move(row));
  }
  if (flags.json)
    print(to_json(*engine, rows).dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  return {};
}

}  // namespace

Command add_bench(CLI::App& program) {
  CLI::App* command = program.add_subcommand("bench", "How fast, against what this machine can do");
  auto flags = std::make_shared<Flags>();
  flags->engine.add_to(*command, true);
  const auto list = [&](const char* name, std::vector<u32>& values, const char* help) {
    command->add_option(name, values, help)
        ->delimiter(',')
        ->allow_extra_args(false)
        ->check(CLI::Range(0u, 1u << 24));
  };
  list("-p,--prompt", flags->prompts, "Tokens of a prompt (512); 0: none; several: 128,512");
  list("-n,--reply", flags->replies, "Tokens generated one by one (128); 0: none");
  list("-d,--depth", flags->depths, "Tokens that are in the cache before (0)");
  command->add_option("-r,--repetitions", flags->repetitions, "After a warm-up (5)")
      ->check(CLI::Range(1u, 1000u));
  command->add_flag("--json", flags->json, "Print the results as JSON");
  command->add_flag("--no-probe", flags->no_probe,
                    "Do not measure what the machine can do beside it");
  set_examples(*command,
               "  orrery bench SmolLM2\n"
               "  orrery bench model.gguf -p 512 -n 128 -t 2 -r 5 --json\n"
               "  orrery bench model.gguf -p 0 -n 32 -d 0,8192\n");
  return {command, [flags] { return bench(*flags); }};
}

}  // namespace orrery::apps
