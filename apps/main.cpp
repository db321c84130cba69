// orrery: the program. It finds the verb, runs it, and turns every failure into one line on stderr.
//
// Exit codes: 0 done, 1 an error, 2 a command line that cannot be understood. A reader that goes
// away (a pipe into `head`) is no error: the program stops and says nothing.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <vector>

#include "apps/command.h"
#include "apps/terminal.h"

namespace orrery::apps {
namespace {

constexpr int kFailed = 1, kUsage = 2;

int report(std::string_view message, int code) {
  std::fflush(stdout);
  const Style& style = err_style();
  const std::string line =
      fmt::format("{}orrery: error:{} {}\n", style.error, style.reset, one_line(message));
  std::fwrite(line.data(), 1, line.size(), stderr);
  return code;
}

void print_overview() {
  const Style& s = out_style();
  print(fmt::format(
      "{0}◉ orrery{1} {2}{3}{1}  runs language models on this machine, and shows how they run.\n\n"
      "  {0}orrery run{1}                        chat with the default model\n"
      "  {0}orrery run MODEL{1}                  chat with another\n"
      "  {0}orrery generate MODEL{1} --prompt …  continue a text\n"
      "  {0}orrery serve MODEL{1}                behind HTTP, for clients of OpenAI's API and "
      "others\n"
      "  {0}orrery inspect MODEL{1}              what is in a file, and on this machine\n"
      "  {0}orrery compare A B{1}                two models side by side\n"
      "  {0}orrery pull ORG/NAME{1}              fetch a published model\n"
      "  {0}orrery cache{1}                      packed weights kept for quick starts\n"
      "  {0}orrery bench MODEL{1}                how fast, against what this machine can do\n"
      "  {0}orrery tokenize MODEL{1} TEXT        a text as the model sees it\n"
      "  {0}orrery template|logits|perplexity{1} chats, logits and perplexity\n\n"
      "{2}MODEL is a .gguf file, a Hugging Face folder, a name in {4},\n"
      "or ORG/NAME[:QUANT] of what was pulled.\n"
      "Every command has --help with examples.{1}\n",
      s.strong, s.reset, s.dim, ORRERY_VERSION, "~/.cache/orrery/models"));
}

// Options as people read them: "-t,--threads N", without the names of types and checks.
class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(30); }
  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_items_expected_max() == 0) return "";
    const bool number =
        option->get_type_name().starts_with("UINT") || option->get_type_name().starts_with("FLOAT");
    const std::string value = option->get_default_str();
    return option->get_positional()
               ? ""
               : (number ? " N" : " …") + (value.empty() ? "" : " (" + value + ")");
  }
};

int run_command(CLI::App& program, const std::vector<Command>& commands) {
  for (const Command& command : commands) {
    if (!program.got_subcommand(command.app)) continue;
    const Result<void> done = command.run();
    if (!done && !output_closed()) return report(done.error().message, kFailed);
    return 0;
  }
  print_overview();
  return 0;
}

int run_program(int argc, char** argv) {
  CLI::App program("Runs language models on this machine, and shows how they run.", "orrery");
  program.set_version_flag("--version", "orrery " ORRERY_VERSION, "Print the version and end");
  program.require_subcommand(0, 1);
  program.formatter(std::make_shared<HelpFormatter>());
  const std::vector<Command> commands = {
      add_run(program),      add_generate(program), add_inspect(program),    add_compare(program),
      add_cache(program),    add_families(program), add_bench(program),      add_tokenize(program),
      add_template(program), add_logits(program),   add_perplexity(program), add_pull(program),
      add_serve(program)};
  try {
    program.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    const auto chosen = program.get_subcommands();
    print(chosen.empty() ? program.help() : chosen.front()->help("orrery"));
    return 0;
  } catch (const CLI::CallForVersion& version) {
    print(fmt::format("{}\n", version.what()));
    return 0;
  } catch (const CLI::ParseError& error) {
    const auto chosen = program.get_subcommands();
    const std::string verb = chosen.empty() ? "" : chosen.front()->get_name() + " ";
    return report(fmt::format("{}; see `orrery {}--help`", error.what(), verb), kUsage);
  }
  return run_command(program, commands);
}

// What reached the reader of stdout decides, too: a full disk must not look like success.
int finish(int code) {
  if (code != 0 || output_closed()) return code;
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return 0;
  return errno == EPIPE ? 0
                        : report(fmt::format("cannot write: {}", std::strerror(errno)), kFailed);
}

}  // namespace
}  // namespace orrery::apps

int main(int argc, char** argv) {
  using namespace orrery::apps;
  (void)seconds_since_start();
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return finish(run_program(argc, argv));
  } catch (const std::bad_alloc&) {
    return report("out of memory: take a smaller model, --ctx or --chunk", kFailed);
  } catch (const std::exception& error) {
    return report(error.what(), kFailed);
  }
}
