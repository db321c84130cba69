// orrery tokenize: a text as a model sees it, for people (pieces in colours) and for programs (JSON
// lines).
#include <fmt/format.h>

#include <algorithm>
#include <clocale>

#include "apps/command.h"
#include "apps/files.h"
#include "apps/model_path.h"
#include "apps/options.h"
#include "apps/terminal.h"
#include "apps/token_view.h"
#include "engine/text_files.h"

namespace orrery::apps {
namespace {

using text::Special;
using text::Tokenizer;

struct Flags {
  std::string model, text, file, against, jsonl;
};

struct Named {
  std::string name;
  std::unique_ptr<Tokenizer> tokenizer;
};

Result<Named> open_tokenizer(const std::string& model) {
  TRY(const auto path, find_model(model));
  auto files = engine::open_text_files(path);
  if (!files) return at(path.string(), files.error());
  if (!files->tokenizer) return fail("{}: {}", path.string(), files->why_no_tokenizer);
  const auto leaf = path.filename().empty() ? path.parent_path().filename() : path.filename();
  return Named{leaf.string(), std::move(files->tokenizer)};
}

Result<Json> answer(const Tokenizer& tokenizer, const Json& request) {
  if (!request.contains("text") || !request["text"].is_string())
    return fail("expected {{\"text\": \"…\"}}");
  const auto& text = request["text"].get_ref<const std::string&>();
  const auto ids = tokenizer.encode(text, Special::kNative, false);
  return Json{{"ids", ids},
              {"ids_special", tokenizer.encode(text, Special::kNative, true)},
              {"decoded", tokenizer.decode(ids, true)}};
}

Result<std::string> text_of(const Flags& flags) {
  if (!flags.file.empty()) return read_text(flags.file);
  if (!flags.text.empty()) return flags.text;
  if (!stdin_is_terminal()) return read_text("-");
  return fail("give a text: orrery tokenize {} \"Hello!\", or --file F", flags.model);
}

TokenView view_of(const Named& named, const std::string& text, u32 columns) {
  return view_tokens(*named.tokenizer, named.name, text, columns);
}

Result<void> show(const Flags& flags, const Named& first) {
  TRY(const std::string text, text_of(flags));
  const u32 columns = std::clamp(terminal_columns(), 20u, 200u);
  if (flags.against.empty()) {
    print(one_above_other(view_of(first, text, columns)));
    return {};
  }
  TRY(const Named second, open_tokenizer(flags.against));
  const u32 half = (columns - 3) / 2;
  print(side_by_side(view_of(first, text, half), view_of(second, text, half), half));
  return {};
}

Result<void> tokenize(const Flags& flags) {
  if (const char* set = std::setlocale(LC_CTYPE, ""); !set || std::string_view(set) == "C")
    std::setlocale(LC_CTYPE, "C.UTF-8");
  TRY(const Named named, open_tokenizer(flags.model));
  if (flags.jsonl.empty()) return show(flags, named);
  return answer_lines(flags.jsonl,
                      [&](const Json& request) { return answer(*named.tokenizer, request); });
}

}  // namespace

Command add_tokenize(CLI::App& program) {
  CLI::App* command = program.add_subcommand("tokenize", "A text as a model sees it");
  auto flags = std::make_shared<Flags>();
  command->add_option("MODEL", flags->model, std::string(kModelHelp) + ", or only a tokenizer.json")
      ->required();
  auto* text = command->add_option("TEXT", flags->text,
                                   "The text; without it and without a terminal, stdin");
  auto* file = command->add_option("-f,--file", flags->file, "The text from a file (- is stdin)")
                   ->excludes(text);
  command->add_option("--against", flags->against, "Another MODEL, to see where the two part");
  command
      ->add_option(
          "--jsonl", flags->jsonl,
          "Many: a file (- is stdin) with {text} a line; gives {ids, ids_special, decoded} a line")
      ->excludes(text)
      ->excludes(file);
  set_examples(*command,
               "  orrery tokenize SmolLM2 \"The Moon 月亮 is 384,400 km away.\"\n"
               "  orrery tokenize model.gguf --file poem.txt --against other/tokenizer.json\n"
               "  echo '{\"text\":\"Hi!\"}' | orrery tokenize SmolLM2 --jsonl -\n");
  return {command, [flags] { return tokenize(*flags); }};
}

}  // namespace orrery::apps
