// orrery perplexity: how well a model foretells a text, counted as llama-perplexity does.
#include "engine/perplexity.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/command.h"
#include "apps/files.h"
#include "apps/options.h"
#include "apps/terminal.h"

namespace orrery::apps {
namespace {

struct Flags {
  EngineFlags engine;
  std::string file;
  u32 window = 512;
  bool json = false;
};

Json to_json(const engine::Perplexity& p, u32 window) {
  return {{"perplexity", p.value},
          {"deviation", p.deviation},
          {"ctx", window},
          {"windows", p.windows},
          {"tokens", p.tokens},
          {"tokens_scored", p.tokens_scored},
          {"seconds", p.seconds},
          {"tokens_per_second", p.seconds > 0 ? f64(p.tokens) / p.seconds : 0}};
}

Result<void> perplexity(const Flags& flags) {
  TRY(std::string text, read_text(flags.file));
  // As llama-perplexity reads a file: without its last newline.
  if (text.ends_with('\n')) text.pop_back();
  engine::EngineOptions options = flags.engine.options();
  options.context = flags.window;
  options.logit_rows = std::min({options.chunk, flags.window, 128u});
  TRY(const auto engine, flags.engine.open(options));
  ProgressBar bar;
  bool begun = false;
  const auto on_window = [&](const engine::Perplexity& so_far, u32 all) {
    if (!begun) bar.begin("perplexity", u64(all) * flags.window, "tokens");
    begun = true;
    bar.note(fmt::format("{:.4f}", so_far.value));
    bar.advance(flags.window);
    return true;
  };
  TRY(const engine::Perplexity result, engine::perplexity(*engine, text, flags.window, on_window));
  bar.end();
  if (flags.json) {
    print(to_line(to_json(result, flags.window)) + "\n");
    return {};
  }
  const Style& s = out_style();
  print(fmt::format(
      "perplexity {}{:.4f}{} ± {:.4f}\n{}{} windows of {} tokens, {} scored, {:.0f} tok/s{}\n",
      s.strong, result.value, s.reset, result.deviation, s.dim, result.windows, flags.window,
      grouped(result.tokens_scored), result.seconds > 0 ? f64(result.tokens) / result.seconds : 0,
      s.reset));
  return {};
}

}  // namespace

Command add_perplexity(CLI::App& program) {
  CLI::App* command = program.add_subcommand("perplexity", "How well a model foretells a text");
  auto flags = std::make_shared<Flags>();
  flags->engine.add_to(*command, true);
  command->add_option("-f,--file", flags->file, "The text (- is stdin)")->required();
  command->add_option("-c,--ctx", flags->window, "Tokens of a window; the second half is scored")
      ->check(CLI::Range(4u, 1u << 20))
      ->capture_default_str();
  command->add_flag("--json", flags->json, "Print the result as JSON");
  set_examples(*command,
               "  orrery perplexity model.gguf --file book.txt\n"
               "  orrery perplexity SmolLM2 --file book.txt --ctx 1024 --json\n");
  return {command, [flags] { return perplexity(*flags); }};
}

}  // namespace orrery::apps
