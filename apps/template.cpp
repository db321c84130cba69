// orrery template: chats as the model's own template writes them.
//
// The variables are those of transformers' apply_chat_template: messages, tools, documents (null
// when absent), add_generation_prompt, the tokenizer's special tokens by name, and the caller's
// kwargs, which may replace special tokens. Messages are passed as they are.
#include <fmt/format.h>

#include <algorithm>

#include "apps/command.h"
#include "apps/files.h"
#include "apps/model_path.h"
#include "apps/options.h"
#include "apps/terminal.h"
#include "apps/token_view.h"
#include "engine/lint.h"
#include "text/chat_encoding.h"

namespace orrery::apps {
namespace {

using engine::TextFiles;
using text::ChatTemplate;

struct Flags {
  std::string model, jsonl, system, tools, kwargs;
  std::vector<std::string> messages;
  bool no_generation_prompt = false, tokens = false;
};

// kwargs may be anything but the names that apply_chat_template has parameters of its own for.
Result<Json> variables_of(const Json& request, const Json& special_tokens) {
  Json variables = special_tokens;
  const auto value = [&](const char* key, Json otherwise) {
    return request.contains(key) ? request[key] : std::move(otherwise);
  };
  const Json kwargs = value("kwargs", nullptr);
  if (!kwargs.is_null() && !kwargs.is_object()) return fail("kwargs must be an object");
  for (const char* key : {"messages", "tools", "add_generation_prompt"})
    if (kwargs.is_object() && kwargs.contains(key))
      return fail("kwargs cannot hold {}, which has a place of its own", key);
  variables["documents"] = nullptr;
  if (kwargs.is_object()) variables.update(kwargs);
  variables["messages"] = value("messages", Json::array());
  variables["tools"] = value("tools", nullptr);
  variables["add_generation_prompt"] = value("add_generation_prompt", false);
  return variables;
}

class Renderer {
 public:
  explicit Renderer(TextFiles files) : files_(std::move(files)) {}

  [[nodiscard]] const TextFiles& files() const { return files_; }

  Result<std::string> render(const Json& request) {
    TRY(const Json variables, variables_of(request, files_.variables));
    if (request.contains("template") && !request["template"].is_null()) {
      if (!request["template"].is_string()) return fail("template must be a string");
      TRY(const ChatTemplate own,
          ChatTemplate::parse(request["template"].get_ref<const std::string&>()));
      return own.render(variables);
    }
    CHECK_OK(parse());
    return parsed_->render(variables);
  }

  Result<std::vector<text::Segment>> render_segments(const Json& request) {
    TRY(const Json variables, variables_of(request, files_.variables));
    CHECK_OK(parse());
    return parsed_->render_segments(variables);
  }

 private:
  Result<void> parse() {
    if (parsed_) return {};
    if (!files_.template_source) return fail("{}", files_.why_no_template);
    TRY(parsed_, ChatTemplate::parse(*files_.template_source));
    return {};
  }

  TextFiles files_;
  std::optional<ChatTemplate> parsed_;
};

Result<Json> request_of(const Flags& flags) {
  Json messages = Json::array();
  if (!flags.system.empty()) messages.push_back({{"role", "system"}, {"content", flags.system}});
  bool user = true;
  for (const std::string& text : flags.messages) {
    messages.push_back({{"role", user ? "user" : "assistant"}, {"content", text}});
    user = !user;
  }
  Json request{{"messages", messages}, {"add_generation_prompt", !flags.no_generation_prompt}};
  if (!flags.tools.empty()) {
    TRY(const std::string text, read_text(flags.tools));
    auto tools = parse_json(text);
    if (!tools) return at(flags.tools, tools.error());
    request["tools"] = std::move(*tools);
  }
  if (!flags.kwargs.empty()) {
    auto kwargs = parse_json(flags.kwargs);
    if (!kwargs) return at("--kwargs", kwargs.error());
    request["kwargs"] = std::move(*kwargs);
  }
  return request;
}

// The chat as it is rendered; on a terminal what the template wrote itself is coloured.
void show_text(std::span<const text::Segment> segments) {
  const Style& s = out_style();
  std::string shown;
  for (const text::Segment& segment : segments)
    shown += segment.from_content ? segment.text
                                  : fmt::format("{}{}{}", s.accent, segment.text, s.reset);
  const bool ended = !segments.empty() && segments.back().text.ends_with('\n');
  print(shown + (ended ? "" : "\n"));
}

// Each token of the chat as the model gets it, and where it comes from.
Result<void> show_tokens(const TextFiles& files, std::span<const text::Segment> segments) {
  if (!files.tokenizer) return fail("{}", files.why_no_tokenizer);
  const text::Tokenizer& tokenizer = *files.tokenizer;
  const auto ids = text::encode_segments(tokenizer, segments);
  std::vector<Origin> origins;
  for (const u32 segment : text::token_segments(tokenizer, segments, ids))
    origins.push_back(segments[segment].from_content ? Origin::kMessage : Origin::kTemplate);
  if (out_style().colours())
    print(one_above_other(
        view_origins(tokenizer, ids, origins, std::clamp(terminal_columns(), 20u, 200u))));
  else
    print(list_origins(tokenizer, ids, origins));
  return {};
}

Result<void> print_one(Renderer& renderer, const Flags& flags) {
  TRY(const Json request, request_of(flags));
  TRY(const std::vector<text::Segment> segments, renderer.render_segments(request));
  if (flags.tokens) {
    CHECK_OK(show_tokens(renderer.files(), segments));
  } else {
    show_text(segments);
  }
  const Style& e = err_style();
  for (const std::string& warning : engine::lint_chat(renderer.files()))
    fmt::print(stderr, "{}orrery: note: {}{}\n", e.dim, warning, e.reset);
  return {};
}

Result<void> render(const Flags& flags) {
  TRY(const auto path, find_model(flags.model));
  auto files = engine::open_text_files(path);
  if (!files) return at(path.string(), files.error());
  Renderer renderer(std::move(*files));
  if (flags.jsonl.empty()) return print_one(renderer, flags);
  return answer_lines(flags.jsonl, [&](const Json& request) -> Result<Json> {
    const auto rendered = renderer.render(request);
    return rendered ? Json{{"rendered", *rendered}} : Json{{"error", rendered.error().message}};
  });
}

}  // namespace

Command add_template(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("template", "Show a chat as the model's template writes it");
  auto flags = std::make_shared<Flags>();
  flags->messages = {"Hello!"};
  command->add_option("MODEL", flags->model, kModelHelp)->required();
  command
      ->add_option("-m,--message", flags->messages,
                   "A message; more than one: user and assistant take turns")
      ->allow_extra_args(false);
  command->add_option("--system", flags->system, "The system's message");
  command->add_option("--tools", flags->tools, "A JSON file with a list of tools (- is stdin)");
  command->add_option("--kwargs", flags->kwargs,
                      "More variables, as a JSON object: {\"enable_thinking\": false}");
  command->add_flag("--tokens", flags->tokens,
                    "Show each token, and whether a message or the template wrote it");
  command->add_flag("--no-generation-prompt", flags->no_generation_prompt,
                    "End after the last message, without the mark that lets the model reply");
  command->add_option(
      "--jsonl", flags->jsonl,
      "Many: a file (- is stdin) with {messages, tools, add_generation_prompt, kwargs[, "
      "template]} a line; gives {rendered} or {error} a line");
  set_examples(
      *command,
      "  orrery template SmolLM2 -m \"What is a moon?\"\n"
      "  orrery template SmolLM2 -m \"What is a moon?\" --tokens\n"
      "  orrery template model.gguf --system \"Be brief.\" -m Hi -m Hello! -m \"Who are you?\"\n"
      "  echo '{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}' | orrery template SmolLM2 "
      "--jsonl -\n");
  return {command, [flags] { return render(*flags); }};
}

}  // namespace orrery::apps
