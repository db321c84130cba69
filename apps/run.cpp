// orrery run: a chat in the terminal.
//
// Without a terminal it answers one question and ends, so that scripts can see that a model talks.
#include <fmt/format.h>

#include <algorithm>
#include <clocale>
#include <fstream>

#include "apps/chat_printer.h"
#include "apps/command.h"
#include "apps/files.h"
#include "apps/line_editor.h"
#include "apps/model_path.h"
#include "apps/options.h"
#include "apps/terminal.h"
#include "engine/conversation.h"

namespace orrery::apps {
namespace {

using engine::Conversation;
using engine::Engine;
using engine::Finish;
using engine::Reply;

constexpr std::string_view kQuestion = "What is gravity? Answer in one sentence.";
constexpr u32 kShortReply = 96;  // tokens, of the answer without a terminal

struct Flags {
  EngineFlags engine;
  SamplerFlags sampler;
  std::string system, prompt;
  bool no_thinking = false;

  // Tamer than the sampler's own: a small model at 0.8 with every token allowed soon rambles.
  Flags() {
    sampler.settings.temperature = 0.6f;
    sampler.settings.top_p = 0.9f;
  }
};

void greet(const Engine& engine) {
  const Style& s = out_style();
  const model::ModelSpec& spec = engine.model().spec;
  print(fmt::format(
      "\n  {}◉ orrery{}  {}{}{}\n  {}{} parameters · {} layers · context {} · {} · {} threads · "
      "ready in "
      "{:.2f} s{}\n  {}/help lists the commands, Ctrl-C stops a reply, Ctrl-D ends.{}\n\n",
      s.prompt, s.reset, s.strong, engine.checkpoint().path().stem().string(), s.reset, s.dim,
      count_text(model::parameter_count(spec)), spec.layers.size(), grouped(engine.context()),
      kernels::name(engine.kernels().isa), engine.thread_count(), seconds_since_start(), s.reset,
      s.dim, s.reset));
}

// What stands dimmed below a reply: how fast it was, and why it ended when that is not plain.
std::string speed_line(const Reply& reply, const Conversation& chat) {
  const engine::Timings& t = reply.timings;
  const auto rate = [](f64 tokens, f64 seconds) { return seconds > 0 ? tokens / seconds : 0; };
  std::string line = fmt::format("{} tokens", t.reply_tokens);
  if (t.reply_tokens > 1)
    line += fmt::format(" · {:.1f} tok/s", rate(t.reply_tokens - 1, t.reply_seconds));
  line += fmt::format(" · prompt {} tokens at {:.0f} tok/s", t.prompt_tokens,
                      rate(t.prompt_tokens, t.prompt_seconds));
  if (chat.cached_tokens() > 0) line += fmt::format(", {} from the cache", chat.cached_tokens());
  line += fmt::format(" · first token after {:.2f} s", t.prompt_seconds);
  switch (reply.finish) {
    case Finish::kLength:
      line += " · cut at --max-tokens";
      break;
    case Finish::kContextFull:
      line += " · the context is full: /reset starts anew";
      break;
    case Finish::kCancelled:
      line += " · stopped";
      break;
    case Finish::kStopToken:
    case Finish::kStopText:
    case Finish::kDeadline:  // these two are the server's
    case Finish::kError:
      break;
  }
  return line;
}

Result<Reply> reply_to(Conversation& chat, std::string_view question, Flags& flags,
                       const InterruptFlag* interrupt) {
  std::optional<ChatPrinter> printer;
  const auto on_token = [&](std::string_view text, text::TokenId) {
    if (!printer) printer.emplace(chat.begins_thinking());
    return printer->push(text) && !(interrupt && interrupt->is_set());
  };
  auto reply = chat.say(question, flags.sampler.request(), on_token);
  if (printer) printer->finish();
  return reply;
}

Result<void> answer_once(Conversation& chat, Flags& flags) {
  if (flags.prompt.empty()) {
    flags.prompt = kQuestion;
    flags.sampler.greedy = true;
    if (flags.sampler.tokens_max == 0) flags.sampler.tokens_max = kShortReply;
    print(fmt::format("{}\n\n", kQuestion));
  }
  TRY(const Reply reply, reply_to(chat, flags.prompt, flags, nullptr));
  print("\n");
  const Style& s = err_style();
  fmt::print(stderr, "{}{}{}\n", s.dim, speed_line(reply, chat), s.reset);
  return {};
}

Result<void> save(const Conversation& chat, const std::string& path) {
  if (path.empty()) return fail("name a file: /save chat.json");
  std::ofstream file(path);
  file << chat.messages().dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  file.close();
  if (!file) return fail("cannot write {}", path);
  return {};
}

void print_help() {
  const Style& s = out_style();
  print(
      fmt::format("  {0}/system TEXT{1}  what the model is told to be, from the next reply on (no "
                  "TEXT: nothing)\n"
                  "  {0}/reset{1}        forget the conversation\n"
                  "  {0}/save FILE{1}    write the conversation as JSON messages\n"
                  "  {0}/quit{1}         end (also Ctrl-D)\n"
                  "  {2}A line that ends with \\ goes on in the next. Ctrl-R searches what you "
                  "typed before.{1}\n\n",
                  s.strong, s.reset, s.dim));
}

enum class Next { kGoOn, kEnd };

Next obey(const std::string& line, Conversation& chat) {
  const Style& s = out_style();
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string verb = line.substr(0, space);
  const std::size_t begin = line.find_first_not_of(' ', space);
  const std::string rest = begin == std::string::npos ? "" : line.substr(begin);
  const auto say = [&](std::string_view text) {
    print(fmt::format("  {}{}{}\n\n", s.dim, text, s.reset));
  };
  if (verb == "/quit" || verb == "/exit") return Next::kEnd;
  if (verb == "/help") {
    print_help();
  } else if (verb == "/reset") {
    chat.reset();
    say("The conversation is forgotten.");
  } else if (verb == "/system") {
    chat.set_system(rest);
    say(rest.empty() ? "No system prompt from now on." : "The system prompt counts from now on.");
  } else if (verb == "/save") {
    const auto saved = save(chat, rest);
    say(saved ? fmt::format("Written to {}.", rest) : saved.error().message);
  } else {
    say(fmt::format("There is no command {}; /help lists them.", verb));
  }
  return Next::kGoOn;
}

Result<void> converse(const Engine& engine, Conversation& chat, Flags& flags) {
  greet(engine);
  LineEditor editor(state_folder() / "history");
  InterruptFlag interrupt;
  std::optional<std::string> line;
  if (!flags.prompt.empty()) line = flags.prompt;
  for (;; line.reset()) {
    if (!line) line = editor.read();
    if (!line) break;
    if (line->find_first_not_of(" \t\n") == std::string::npos) continue;
    if (line->front() == '/') {
      if (obey(*line, chat) == Next::kEnd) return {};
      continue;
    }
    (void)interrupt.take();
    const EchoOff echo_off;
    const auto reply = reply_to(chat, *line, flags, &interrupt);
    const Style& s = out_style();
    const std::string below = reply ? speed_line(*reply, chat) : reply.error().message;
    if (!print(fmt::format("{}  {}{}{}\n\n", reply ? "\n" : "", reply ? s.dim : s.error, below,
                           s.reset)))
      break;
  }
  print("\n");
  return {};
}

Result<void> run(Flags& flags) {
  // The editor counts columns by the locale; under "C" every character beyond ASCII would be torn.
  if (const char* set = std::setlocale(LC_CTYPE, ""); !set || std::string_view(set) == "C")
    std::setlocale(LC_CTYPE, "C.UTF-8");
  TRY(const auto engine, flags.engine.open(flags.engine.options()));
  TRY(Conversation chat, Conversation::start(*engine));
  chat.set_system(flags.system);
  if (flags.no_thinking) chat.set_variable("enable_thinking", false);
  if (!stdin_is_terminal() || !stdout_is_terminal()) return answer_once(chat, flags);
  return converse(*engine, chat, flags);
}

}  // namespace

Command add_run(CLI::App& program) {
  CLI::App* command = program.add_subcommand("run", "Chat with a model in the terminal");
  auto flags = std::make_shared<Flags>();
  flags->engine.add_to(*command, false);
  flags->engine.add_context_to(*command);
  command->add_option("--system", flags->system, "What the model is told to be");
  command->add_option("--prompt", flags->prompt,
                      "The first message; without a terminal, the only one");
  command->add_flag(
      "--no-thinking", flags->no_thinking,
      "Ask templates that can for replies without thoughts (enable_thinking = false)");
  flags->sampler.add_to(*command, 0);
  set_examples(*command,
               "  orrery run\n"
               "  orrery run model.gguf --system \"You answer in one sentence.\"\n"
               "  orrery run SmolLM2 --prompt \"Why is the sky blue?\" --greedy < /dev/null\n");
  return {command, [flags] { return run(*flags); }};
}

}  // namespace orrery::apps
