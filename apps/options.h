// The options that several commands share: how a model is loaded and how a reply is sampled.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "apps/progress_bar.h"
#include "engine/engine.h"

namespace orrery::apps {

// What `--help` says of MODEL.
inline constexpr const char* kModelHelp =
    "A .gguf file, a Hugging Face folder, a name in the cache folder (also its beginning), or "
    "ORG/NAME[@REVISION][:QUANT] of a pulled model";

// The examples below a command's --help, one a line.
void set_examples(CLI::App& command, std::string_view lines);

struct EngineFlags {
  std::string model, kv, weights, packs = "auto";
  u32 threads = 0, context = 0, chunk = 512;
  bool exact = false;

  // `model_required`: else the default model answers for an absent MODEL.
  void add_to(CLI::App& command, bool model_required);
  void add_context_to(CLI::App& command);
  [[nodiscard]] engine::EngineOptions options() const;
  // Finds and opens the model, with a progress bar. Errors name the model.
  [[nodiscard]] Result<std::unique_ptr<engine::Engine>> open(
      const engine::EngineOptions& options) const;
};

struct SamplerFlags {
  forward::SamplerSettings settings;
  std::vector<std::string> stops;
  u32 tokens_max = 0;
  bool greedy = false, ignore_eos = false;

  void add_to(CLI::App& command, u32 tokens_default);
  // Without --seed a fresh one is drawn, once, so that it can be shown.
  [[nodiscard]] engine::GenerateRequest request();

 private:
  CLI::Option* seed_ = nullptr;
};

}  // namespace orrery::apps
