#include "apps/options.h"

#include <fmt/format.h>

#include <random>

#include "apps/model_path.h"

namespace orrery::apps {

void set_examples(CLI::App& command, std::string_view lines) {
  command.footer(fmt::format("\nExamples:\n{}", lines));
}

void EngineFlags::add_to(CLI::App& command, bool model_required) {
  command.add_option("MODEL", model, kModelHelp)->required(model_required);
  command.add_option("-t,--threads", threads, "Threads; without it, what suits this machine")
      ->check(CLI::Range(1u, 1024u));
  auto* exact_flag = command.add_flag(
      "--exact", exact, "Weights, arithmetic and KV in float32: slow, for comparisons");
  std::vector<std::string> kv_names;
  for (const kernels::KvFormat format : kernels::kKvFormats)
    kv_names.emplace_back(kernels::name(format));
  command.add_option("--kv", kv, "Format of keys and values in the cache (f16; with --exact f32)")
      ->check(CLI::IsMember(kv_names));
  command
      .add_option("--weights", weights,
                  "Round weights that are floats to this while loading; without it, as they are")
      ->check(CLI::IsMember({"q8_0", "q4_0", "q4_1"}))
      ->excludes(exact_flag);
  command
      .add_option("--packs", packs,
                  "Keep packed weights for the next start (`orrery cache`): auto does for large "
                  "models (auto)")
      ->check(CLI::IsMember({"auto", "always", "off"}))
      ->envname("ORRERY_PACKS");
  command.add_option("--chunk", chunk, "Prompt tokens computed together; changes no result (512)")
      ->check(CLI::Range(1u, 65536u));
}

void EngineFlags::add_context_to(CLI::App& command) {
  command.add_option("--ctx", context, "Tokens of context; without it the model's, at most 8192")
      ->check(CLI::Range(1u, 1u << 30));
}

engine::EngineOptions EngineFlags::options() const {
  engine::EngineOptions options;
  options.threads = threads;
  options.exact = exact;
  options.context = context;
  options.chunk = chunk;
  if (weights == "q8_0") options.weights = Format::kQ8_0;
  if (weights == "q4_0") options.weights = Format::kQ4_0;
  if (weights == "q4_1") options.weights = Format::kQ4_1;
  for (const kernels::KvFormat format : kernels::kKvFormats)
    if (kv == kernels::name(format)) options.kv = format;
  if (packs != "off") options.packs.folder = packs_folder();
  if (packs == "always") options.packs.bytes_min = 0;
  return options;
}

Result<std::unique_ptr<engine::Engine>> EngineFlags::open(
    const engine::EngineOptions& options) const {
  TRY(const std::filesystem::path path, find_model(model));
  ProgressBar bar;
  engine::EngineOptions with_bar = options;
  with_bar.progress = &bar;
  auto opened = engine::Engine::open(path, with_bar);
  bar.end();
  if (!opened && opened.error().message.find(path.filename().string()) == std::string::npos)
    return at(path.string(), opened.error());
  return opened;
}

void SamplerFlags::add_to(CLI::App& command, u32 tokens_default) {
  tokens_max = tokens_default;
  const auto number = [&](const char* flag, auto& value, const char* help) {
    return command.add_option(flag, value, help)->group("Sampling")->capture_default_str();
  };
  command
      .add_option("-n,--max-tokens", tokens_max,
                  "End the reply after this many tokens; 0: at the end of the context")
      ->capture_default_str();
  command.add_option("--stop", stops, "A text that ends the reply; may be given more than once")
      ->allow_extra_args(false);
  command.add_flag("--ignore-eos", ignore_eos, "Go on when the model says that it has finished");
  command.add_flag("--greedy", greedy, "Always take the most likely token")->group("Sampling");
  number("--temperature", settings.temperature, "Spread of the choice; 0 is greedy");
  number("--top-k", settings.top_k, "Keep the k likeliest tokens; 0: all");
  number("--top-p", settings.top_p, "Keep the likeliest tokens that make up this share; 1: all");
  number("--min-p", settings.min_p, "Drop tokens below this part of the likeliest one; 0: none");
  number("--typical", settings.typical_p, "Keep the most typical tokens of this share; 1: all");
  number("--repetition-penalty", settings.repetition_penalty,
         "Divides logits of seen tokens; 1: off");
  number("--presence-penalty", settings.presence_penalty,
         "Subtracted once from seen tokens; 0: off");
  number("--frequency-penalty", settings.frequency_penalty,
         "Subtracted for each time seen; 0: off");
  seed_ =
      command.add_option("--seed", settings.seed, "Same seed, same reply; without it a new one")
          ->group("Sampling");
}

engine::GenerateRequest SamplerFlags::request() {
  if (seed_->count() == 0) settings.seed = std::random_device()();
  engine::GenerateRequest request{.sampler = settings, .tokens_max = tokens_max, .stops = stops};
  request.ignore_stop_tokens = ignore_eos;
  if (greedy) request.sampler.temperature = 0;
  return request;
}

}  // namespace orrery::apps
