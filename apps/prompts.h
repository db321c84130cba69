// A file of prompts, one JSON object a line, with the sampler settings that a line may change.
#pragma once

#include "apps/files.h"
#include "engine/engine.h"

namespace orrery::apps {

// {"prompt": TEXT | "tokens": [ids] | "messages": [...]}, and beside it what is to differ from
// `defaults`: max_tokens, temperature, top_k, top_p, min_p, typical, repetition_penalty,
// presence_penalty, frequency_penalty, seed, greedy, stop, ignore_eos. Any other key is an error.
[[nodiscard]] Result<std::vector<engine::BatchRequest>> read_prompts(
    const engine::Engine& engine, const std::string& path, const engine::GenerateRequest& defaults);

}  // namespace orrery::apps
