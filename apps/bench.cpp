// orrery bench: how fast a model runs, beside what this machine can do at that moment.
//
// The probes of read bandwidth and of arithmetic run right before and right after each repetition,
// because on shared machines both change within seconds: a speed without them says nothing. For the
// same reason tests, and a rival, take turns, and shares and ratios are taken within each turn.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "apps/bench_picture.h"
#include "apps/bench_rival.h"
#include "apps/bench_rows.h"
#include "apps/command.h"
#include "apps/model_path.h"
#include "apps/options.h"
#include "apps/terminal.h"

namespace orrery::apps {
namespace {

using engine::Engine;
using engine::MeasureOptions;

struct Flags {
  EngineFlags engine;
  std::vector<u32> prompts = {512}, replies = {128}, depths = {0}, columns = {1};
  std::string against, svg;
  u32 repetitions = 5;
  bool json = false, no_probe = false;
};

// From the start of this program to a first token, and the most memory until then.
struct Start {
  f64 open_seconds = 0, first_token_seconds = 0;
  u64 memory_peak = 0, memory_expected = 0;  // expected: packed weights, keys and values
  bool from_pack = false;
};

u64 memory_peak() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::strtoull(line.c_str() + 6, nullptr, 10) * 1024;
  return 0;
}

Result<Start> measure_start(Engine& engine) {
  Start start{.open_seconds = seconds_since_start(), .from_pack = engine.from_pack()};
  TRY(auto sequence, engine.start());
  const text::TokenId first = 0;
  CHECK_OK(engine.score(sequence, {&first, 1}, 0,
                        [](u32, std::span<const f32>) { return Result<void>(); }));
  start.first_token_seconds = seconds_since_start();
  start.memory_peak = memory_peak();
  start.memory_expected = engine.model().weights_bytes + engine.kv_bytes();
  // A pack that is still being written would compete with what is measured next. That it may not be
  // written at all is for `orrery cache` to say.
  (void)engine.packs().finish();
  return start;
}

Json to_json(const Start& start) {
  return {{"open_seconds", start.open_seconds},
          {"first_token_seconds", start.first_token_seconds},
          {"memory_peak_bytes", start.memory_peak},
          {"memory_expected_bytes", start.memory_expected},
          {"from_pack", start.from_pack}};
}

struct Contest {
  std::string program, model;  // empty: nobody to compete with
};

// One repetition of a test, with the probes right before and after it; then the rival's ways.
Result<void> play(Engine& engine, engine::Meter& meter, const Contest& contest, bool probe,
                  Row& row) {
  Limits limits;
  if (probe) CHECK_OK(limits.probe(engine));
  TRY(const f64 seconds, meter.next());
  if (probe) CHECK_OK(limits.probe(engine));
  row.rates.push_back(meter.result().tokens() / seconds);
  row.limits.push_back(limits);
  row.measured = meter.result();
  if (contest.program.empty() || row.measured.options.columns > 1) return {};
  for (const RivalWay& way : kRivalWays) {
    const auto speed =
        run_rival(contest.program, contest.model, way, row.measured.options, engine.thread_count());
    if (!speed) return at(contest.program + " with " + way.name, speed.error());
    row.rivals[way.name].push_back(*speed);
  }
  return {};
}

// Round by round, each with every test once, so that a slow minute meets them all.
Result<std::vector<Row>> play_rounds(Engine& engine, const std::vector<MeasureOptions>& tests,
                                     const Contest& contest, const Flags& flags) {
  ProgressBar bar;
  bar.begin("measuring", u64(flags.repetitions) * tests.size(), "runs");
  std::vector<engine::Meter> meters;
  for (const MeasureOptions& test : tests) {
    TRY(auto meter, engine::Meter::make(engine, test));
    meters.push_back(std::move(meter));
  }
  std::vector<Row> rows(tests.size());
  for (u32 round = 0; round < flags.repetitions; ++round)
    for (u32 i = 0; i < tests.size(); ++i) {
      CHECK_OK(play(engine, meters[i], contest, !flags.no_probe, rows[i]));
      bar.advance(1);
      if (bar.cancelled()) return fail("stopped");
    }
  bar.end();
  return rows;
}

Json to_json(const Engine& engine, const Start& start, const std::vector<Row>& rows) {
  Json json{{"model", engine.checkpoint().path().filename().string()},
            {"file_bytes", engine.checkpoint().file_bytes()},
            {"cpu", engine.host().cpu_name},
            {"isa", kernels::name(engine.kernels().isa)},
            {"threads", engine.thread_count()},
            {"start", to_json(start)},
            {"results", Json::array()}};
  for (const Row& row : rows) json["results"].push_back(to_json(row));
  return json;
}

std::string subtitle_of(const Engine& engine) {
  return fmt::format("{} · {} · {} · {} threads", bytes_text(engine.checkpoint().file_bytes()),
                     engine.host().cpu_name, kernels::name(engine.kernels().isa),
                     engine.thread_count());
}

void print_header(const Engine& engine, const Start& start, bool with_rival) {
  const Style& s = out_style();
  const u64 more = start.memory_peak - std::min(start.memory_peak, start.memory_expected);
  print(fmt::format(
      "{0}{1}{2}  {3}{4}\nfirst token {5:.2f} s after the start, weights {6}; memory at most {7} "
      "MiB, {8} more than packed weights, keys and values{2}\n\n",
      s.strong, engine.checkpoint().path().filename().string(), s.reset, s.dim, subtitle_of(engine),
      start.first_token_seconds, start.from_pack ? "mapped from the cache" : "packed anew",
      start.memory_peak >> 20, more >> 20));
  print(header_line(with_rival));
}

std::vector<MeasureOptions> plan_tests(const Flags& flags) {
  std::vector<MeasureOptions> tests;
  const auto add = [&](bool prompt, u32 tokens, u32 depth, u32 columns) {
    if (tokens)
      tests.push_back({.prompt = prompt,
                       .tokens = tokens,
                       .depth = depth,
                       .columns = columns,
                       .repetitions = flags.repetitions});
  };
  for (const u32 depth : flags.depths) {
    for (const u32 tokens : flags.prompts) add(true, tokens, depth, 1);
    for (const u32 tokens : flags.replies)
      for (const u32 columns : flags.columns) add(false, tokens, depth, columns);
  }
  return tests;
}

Result<void> write_picture(const Flags& flags, const Engine& engine, const std::vector<Row>& rows) {
  std::ofstream file(flags.svg, std::ios::binary);
  file << bench_picture(rows, engine.checkpoint().path().filename().string(), subtitle_of(engine));
  file.close();
  if (!file) return fail("cannot write '{}'", flags.svg);
  return {};
}

Result<void> bench(const Flags& flags) {
  const auto tests = plan_tests(flags);
  if (tests.empty()) return fail("nothing to measure: give -p or -n a number above 0");
  Contest contest;
  if (!flags.against.empty()) {
    TRY(contest.program, rival_program(flags.against));
    TRY(const auto path, find_model(flags.engine.model));
    contest.model = path.string();
  }
  engine::EngineOptions options = flags.engine.options();
  options.sequences = 0;
  for (const auto& test : tests) {
    options.context = std::max(options.context, test.depth + test.tokens);
    options.sequences += test.columns;
    options.logit_rows = std::max(options.logit_rows, test.columns);
  }
  TRY(const auto engine, flags.engine.open(options));
  TRY(const Start start, measure_start(*engine));
  if (!flags.json) print_header(*engine, start, !contest.program.empty());
  TRY(const std::vector<Row> rows, play_rounds(*engine, tests, contest, flags));
  if (!flags.json)
    for (const Row& row : rows) print(row_line(row));
  if (flags.json)
    print(to_json(*engine, start, rows).dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  if (!flags.svg.empty()) CHECK_OK(write_picture(flags, *engine, rows));
  return {};
}

}  // namespace

Command add_bench(CLI::App& program) {
  CLI::App* command = program.add_subcommand("bench", "How fast, against what this machine can do");
  auto flags = std::make_shared<Flags>();
  flags->engine.add_to(*command, true);
  const auto list = [&](const char* name, std::vector<u32>& values, const char* help, u32 least) {
    command->add_option(name, values, help)
        ->delimiter(',')
        ->allow_extra_args(false)
        ->check(CLI::Range(least, 1u << 24));
  };
  list("-p,--prompt", flags->prompts, "Tokens of a prompt (512); 0: none; several: 128,512", 0);
  list("-n,--reply", flags->replies, "Tokens generated one by one (128); 0: none", 0);
  list("-d,--depth", flags->depths, "Tokens that are in the cache before (0)", 0);
  list("-c,--columns", flags->columns, "Replies that are generated together (1)", 1);
  command->add_option("-r,--repetitions", flags->repetitions, "After a warm-up (5)")
      ->check(CLI::Range(1u, 1000u));
  command->add_option("--against", flags->against,
                      "llama-bench=PATH: takes turns with that program, for paired ratios");
  command->add_option("--svg", flags->svg,
                      "Draw the rows, and speed against depth, into this file");
  command->add_flag("--json", flags->json, "Print the results as JSON");
  command->add_flag("--no-probe", flags->no_probe,
                    "Do not measure what the machine can do beside it");
  set_examples(*command,
               "  orrery bench SmolLM2\n"
               "  orrery bench model.gguf -p 512 -n 128 -t 2 -r 5 --json\n"
               "  orrery bench model.gguf -p 0 -n 32 -d 0,2048,8192 --svg depth.svg\n"
               "  orrery bench model.gguf -p 0 -n 32 -c 1,2,4,8\n"
               "  orrery bench model.gguf --against llama-bench=./llama-bench\n");
  return {command, [flags] { return bench(*flags); }};
}

}  // namespace orrery::apps
