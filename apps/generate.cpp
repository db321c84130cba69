// orrery generate: continues a text, or a list of token ids, and prints what comes.
#include <fmt/format.h>

#include <algorithm>

#include "apps/command.h"
#include "apps/files.h"
#include "apps/options.h"
#include "apps/progress_bar.h"
#include "apps/prompts.h"
#include "apps/terminal.h"
#include "engine/conversation.h"

namespace orrery::apps {
namespace {

using engine::Engine;
using engine::Reply;
using text::TokenId;

struct Flags {
  EngineFlags engine;
  SamplerFlags sampler;
  std::string prompt, prompt_file, tokens_file, system, prompts_file;
  u32 batch = 8;
  bool json = false, chat = false;
};

Json message(std::string_view role, const std::string& content) {
  return {{"role", role}, {"content", content}};
}

// The prompt's ids, where they do not need the model: from --tokens.
Result<std::vector<TokenId>> given_ids(const Flags& flags) {
  if (flags.tokens_file.empty()) return std::vector<TokenId>();
  return read_token_ids(flags.tokens_file);
}

Result<std::vector<TokenId>> encode_prompt(const Engine& engine, const Flags& flags) {
  std::string prompt = flags.prompt;
  if (!flags.prompt_file.empty()) {
    TRY(prompt, read_text(flags.prompt_file));
  }
  if (flags.chat) {
    Json messages = Json::array();
    if (!flags.system.empty()) messages.push_back(message("system", flags.system));
    messages.push_back(message("user", prompt));
    return encode_chat(engine, messages, Json::object());
  }
  const text::Tokenizer* tokenizer = engine.tokenizer();
  if (!tokenizer)
    return fail("this model has no tokenizer ({}); give ids with --tokens",
                engine.why_no_tokenizer());
  auto ids = tokenizer->encode(prompt, text::Special::kParse, true);
  if (ids.empty()) return fail("the prompt is empty");
  return ids;
}

// The chain of the sampler, in the order in which its steps run.
Json sampler_json(const Engine& engine, const forward::SamplerSettings& settings) {
  const auto sampler = forward::Sampler::make(settings, engine.model().spec.vocab);
  Json steps = Json::array();
  if (!sampler) return steps;
  for (const forward::SamplerStep& step : sampler->chain())
    steps.push_back({{"step", step.name}, {"value", step.value}, {"active", step.active}});
  return steps;
}

Json timings_json(const Engine& engine, const Reply& reply, f64 start_to_first_token) {
  const engine::Timings& t = reply.timings;
  const auto rate = [](f64 tokens, f64 seconds) { return seconds > 0 ? tokens / seconds : 0; };
  const engine::LoadTimings& load = engine.load_timings();
  return {
      {"load_seconds", load.open + load.text + load.weights},
      {"start_to_first_token_seconds", start_to_first_token},
      {"prompt_tokens", t.prompt_tokens},
      {"prompt_seconds", t.prompt_seconds},
      {"prompt_tokens_per_second", rate(t.prompt_tokens, t.prompt_seconds)},
      {"reply_tokens", t.reply_tokens},
      {"reply_seconds", t.reply_seconds},
      {"reply_tokens_per_second", rate(t.reply_tokens ? t.reply_tokens - 1 : 0, t.reply_seconds)}};
}

// Many prompts at once; answers come in the order of the prompts, a line of JSON each.
Result<void> generate_many(Flags& flags) {
  engine::EngineOptions options = flags.engine.options();
  options.sequences = options.logit_rows = flags.batch;
  TRY(const auto engine, flags.engine.open(options));
  TRY(const auto requests, read_prompts(*engine, flags.prompts_file, flags.sampler.request()));
  std::vector<std::optional<Reply>> replies(requests.size());
  std::size_t printed = 0;
  ProgressBar bar;
  bar.begin("replies", requests.size(), "prompts");
  const auto keep = [&](u32 index, Reply reply) -> Result<void> {
    replies[index] = std::move(reply);
    bar.advance(1);
    for (; printed < replies.size() && replies[printed]; ++printed) {
      const Json line = {{"tokens", replies[printed]->tokens},
                         {"text", replies[printed]->text},
                         {"finish", name(replies[printed]->finish)},
                         {"seed", requests[printed].request.sampler.seed}};
      if (!print(to_line(line) + "\n")) return fail("cannot write the answer");
      replies[printed]->text.clear();
    }
    return {};
  };
  CHECK_OK(engine->generate_batch(requests, keep));
  bar.end();
  return {};
}

Result<void> generate(Flags& flags) {
  if (!flags.prompts_file.empty()) return generate_many(flags);
  TRY(std::vector<TokenId> ids, given_ids(flags));
  engine::EngineOptions options = flags.engine.options();
  const u64 needed = ids.size() + flags.sampler.tokens_max;
  if (options.context == 0 && needed > engine::kContextDefault) options.context = u32(needed);
  TRY(const auto engine, flags.engine.open(options));
  if (ids.empty()) {
    TRY(ids, encode_prompt(*engine, flags));
  }
  TRY(engine::Sequence sequence, engine->start());
  const engine::GenerateRequest request = flags.sampler.request();
  f64 first_token = 0;
  const auto on_token = [&](std::string_view text, TokenId) {
    if (first_token == 0) first_token = seconds_since_start();
    return flags.json || print(text);
  };
  TRY(const Reply reply, engine->generate(sequence, ids, request, on_token));
  if (!flags.json) {
    print("\n");
    return {};
  }
  Json answer{{"tokens", reply.tokens}, {"text", reply.text}, {"finish", name(reply.finish)}};
  answer["sampler"] = sampler_json(*engine, request.sampler);
  answer["seed"] = request.sampler.seed;
  answer["timings"] = timings_json(*engine, reply, first_token);
  print(to_line(answer) + "\n");
  return {};
}

}  // namespace

Command add_generate(CLI::App& program) {
  CLI::App* command = program.add_subcommand("generate", "Continue a text");
  auto flags = std::make_shared<Flags>();
  flags->engine.add_to(*command, true);
  flags->engine.add_context_to(*command);
  const std::vector<CLI::Option*> sources = {
      command->add_option("-p,--prompt", flags->prompt,
                          "The text to continue; special tokens in it count"),
      command->add_option("-f,--prompt-file", flags->prompt_file,
                          "The same from a file (- is stdin)"),
      command->add_option("--tokens", flags->tokens_file,
                          "A JSON list of token ids, fed as they are"),
      command->add_option("--prompts", flags->prompts_file,
                          "Many prompts, a JSON object a line: prompt, tokens or messages, and "
                          "settings of its own")};
  command->add_option("--batch", flags->batch, "With --prompts: how many are answered together")
      ->check(CLI::Range(1u, 256u))
      ->capture_default_str();
  command->callback([sources] {
    const auto given = std::count_if(sources.begin(), sources.end(),
                                     [](const CLI::Option* source) { return source->count() > 0; });
    if (given != 1)
      throw CLI::RequiredError("exactly one of --prompt, --prompt-file, --tokens and --prompts");
  });
  command->add_flag("--chat", flags->chat,
                    "The prompt is a message: put it into the model's chat template");
  command->add_option("--system", flags->system, "With --chat: what the model is told to be");
  command->add_flag("--json", flags->json, "Print tokens, text, sampler and timings as JSON");
  flags->sampler.add_to(*command, 256);
  set_examples(
      *command,
      "  orrery generate model.gguf --prompt \"The planets are\" --greedy --max-tokens 32\n"
      "  orrery generate SmolLM2 --chat --prompt \"Name three moons.\" --temperature 0.3\n"
      "  orrery generate model.gguf --tokens ids.json --greedy --exact --json\n"
      "  orrery generate model.gguf --prompts many.jsonl --batch 16 --max-tokens 64\n");
  return {command, [flags] { return generate(*flags); }};
}

}  // namespace orrery::apps
