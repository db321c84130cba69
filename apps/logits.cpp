// orrery logits: the logits after every token of a list, as a NumPy file; to compare with other
// engines.
#include <fmt/format.h>

#include <algorithm>

#include "apps/command.h"
#include "apps/files.h"
#include "apps/npy_writer.h"
#include "apps/options.h"

namespace orrery::apps {
namespace {

// Rows of logits that one pass hands out: enough to keep the kernels busy, and small beside a
// model.
constexpr u32 kRowsTogether = 32;

struct Flags {
  EngineFlags engine;
  std::string tokens_file, out;
};

Result<void> logits(const Flags& flags) {
  TRY(const std::vector<text::TokenId> ids, read_token_ids(flags.tokens_file));
  engine::EngineOptions options = flags.engine.options();
  options.context = u32(ids.size());
  options.logit_rows = std::min(options.chunk, kRowsTogether);
  TRY(const auto engine, flags.engine.open(options));
  TRY(NpyWriter npy, NpyWriter::create(flags.out, ids.size(), engine->model().spec.vocab));
  TRY(engine::Sequence sequence, engine->start());
  ProgressBar bar;
  bar.begin("logits", ids.size(), "tokens");
  const auto on_logits = [&](u32, std::span<const f32> row) {
    bar.advance(1);
    return npy.write(row);
  };
  CHECK_OK(engine->score(sequence, ids, 0, on_logits));
  return npy.finish();
}

}  // namespace

Command add_logits(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("logits", "Write the logits after every token to a file");
  auto flags = std::make_shared<Flags>();
  flags->engine.add_to(*command, true);
  command->add_option("--tokens", flags->tokens_file, "A JSON list of token ids, fed as they are")
      ->required();
  command->add_option("-o,--out", flags->out, "The .npy file: float32 [tokens, vocab]")->required();
  set_examples(*command,
               "  echo '[1, 2, 3]' > ids.json\n"
               "  orrery logits model.gguf --tokens ids.json --exact --out logits.npy\n");
  return {command, [flags] { return logits(*flags); }};
}

}  // namespace orrery::apps
