// orrery pull: fetches a published model into the cache folder that Hugging Face tools share. It
// parses and prints; the room `hub` does the work.
#include "hub/pull.h"

#include <fmt/format.h>

#include "apps/command.h"
#include "apps/options.h"
#include "apps/progress_bar.h"
#include "apps/terminal.h"

namespace orrery::apps {
namespace {

struct Flags {
  std::string model, revision;
};

// The bar, which Ctrl-C ends without leaving half of anything.
class PullProgress final : public Progress {
 public:
  void begin(std::string_view what, u64 total, std::string_view unit) override {
    bar_.begin(what, total, unit);
  }
  void advance(u64 units) override { bar_.advance(units); }
  void end() override { bar_.end(); }
  [[nodiscard]] bool cancelled() const override { return interrupt_.is_set(); }

 private:
  ProgressBar bar_;
  InterruptFlag interrupt_;
};

std::string quant_line(const hub::Pulled& pulled) {
  if (pulled.quant.empty()) return "";
  std::string line = "  " + pulled.quant;
  if (pulled.by_default) line += ", as none was named";
  if (!pulled.others.empty()) line += "; also there: " + hub::listed(pulled.others);
  return line + "\n";
}

Result<hub::ModelName> named(const Flags& flags) {
  TRY(hub::ModelName model, hub::parse_model_name(flags.model));
  if (flags.revision.empty()) return model;
  if (!model.revision.empty()) return fail("two revisions: after the @ and in --revision");
  if (!hub::is_safe_path(flags.revision))
    return fail("{} is no name of a revision", hub::shown(flags.revision));
  model.revision = flags.revision;
  return model;
}

Result<void> pull(const Flags& flags) {
  TRY(const hub::ModelName model, named(flags));
  TRY(const hub::Settings settings, hub::settings_from_environment());
  PullProgress progress;
  auto pulled = hub::pull(settings, model, progress);
  progress.end();
  if (!pulled) return tl::unexpected<Error>(pulled.error());
  const Style& s = out_style();
  std::string text =
      fmt::format("{}{}{}  {} file{}, {}; {} fetched, {} there already\n{}", s.strong, model.id(),
                  s.reset, pulled->files, pulled->files == 1 ? "" : "s", bytes_text(pulled->bytes),
                  bytes_text(pulled->bytes_fetched), pulled->files_kept, quant_line(*pulled));
  text += fmt::format("  {}{}{}\n", s.dim, pulled->path.string(), s.reset);
  print(text);
  return {};
}

}  // namespace

Command add_pull(CLI::App& program) {
  CLI::App* command = program.add_subcommand(
      "pull",
      "Fetch a published model from the hub whose address is in HF_ENDPOINT.\n\n"
      "It goes into the cache that Hugging Face tools share (HF_HUB_CACHE, HF_HOME); what is "
      "there\n"
      "already is kept, and a pull that was cut goes on. For gated models set HF_TOKEN.");
  auto flags = std::make_shared<Flags>();
  command
      ->add_option("MODEL", flags->model,
                   "ORG/NAME, for GGUF with the quantisation: ORG/NAME:Q4_K_M; a revision stands "
                   "before it: ORG/NAME@v1.0:Q4_K_M")
      ->required();
  command->add_option("--revision", flags->revision,
                      "A branch, a tag or a commit, without it main");
  set_examples(*command,
               "  export HF_ENDPOINT=https://HOST        the hub, or a mirror of it\n"
               "  orrery pull ORG/NAME                  safetensors, config and tokenizer\n"
               "  orrery pull ORG/NAME-GGUF:Q4_K_M      one quantisation, all its parts\n"
               "  orrery pull ORG/NAME@v1.0             a branch, a tag or a commit\n"
               "  orrery run ORG/NAME-GGUF:Q4_K_M       needs no network any more\n");
  return {command, [flags] { return pull(*flags); }};
}

}  // namespace orrery::apps
