// measure: how fast prompts and replies go, as llama-bench runs them: random ids, a warm-up,
// repetitions.
//
// What is measured is the pass alone: no tokenizer, no sampling. Beside each speed stands what it
// costs in bytes and operations, so that it can be held against what the machine can do.
#pragma once

#include "engine/engine.h"

namespace orrery::engine {

// What one token costs, from the shapes of the bound tensors.
struct TokenCost {
  u64 bytes = 0;              // packed weights that one pass reads, keys and values not counted
  u64 operations = 0;         // 2 x weights of the layers' matrices
  u64 output_operations = 0;  // 2 x weights of the output matrix, only where logits are wanted
  u64 kv_bytes = 0;           // of one position
};
[[nodiscard]] TokenCost token_cost(const Engine& engine);

struct Measurement {
  bool prompt;               // a prompt of `tokens`, or `tokens` one after the other
  u32 tokens, depth;         // depth: positions that are already in the cache
  std::vector<f64> seconds;  // one a repetition
  f64 bytes_per_token;       // weights and, on average, keys and values that each token reads
  f64 operations_per_token;
  [[nodiscard]] std::string name() const;  // "pp512", "tg128@d8192"
};

struct MeasureOptions {
  bool prompt = true;
  u32 tokens = 512, depth = 0, repetitions = 5;
};
// The engine's context must hold depth + tokens.
[[nodiscard]] Result<Measurement> measure(Engine& engine, const MeasureOptions& options,
                                          Progress& progress);

}  // namespace orrery::engine
