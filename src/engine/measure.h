// measure: how fast prompts and replies go, as llama-bench runs them: random ids, a warm-up,
// repetitions.
//
// What is measured is the pass alone: no tokenizer, no sampling. Beside each speed stands what it
// costs in bytes and operations, so that it can be held against what the machine can do.
#pragma once

#include <array>

#include "engine/engine.h"
#include "kernels/probe.h"

namespace orrery::engine {

using Operations = std::array<f64, kernels::kDotKindCount>;  // by kernels::DotKind

// What one token costs, from the shapes of the bound tensors.
struct TokenCost {
  u64 bytes = 0;                      // packed weights that one pass reads, no keys and values
  Operations operations = {};         // 2 x weights of the layers' matrices
  Operations output_operations = {};  // of the output matrix, only where logits are wanted
  u64 kv_bytes = 0;                   // of one position
};
[[nodiscard]] TokenCost token_cost(const Engine& engine);

struct MeasureOptions {
  bool prompt = true;  // a prompt of `tokens`, or `tokens` one after the other
  u32 tokens = 512;
  u32 depth = 0;    // positions that are already in the cache
  u32 columns = 1;  // sequences that are continued together, a token each in every pass
  u32 repetitions = 5;
};

struct Measurement {
  MeasureOptions options;
  std::vector<f64> seconds;  // one a repetition
  f64 bytes_per_token;       // weights and, on average, keys and values that each token reads
  Operations operations_per_token;
  [[nodiscard]] std::string name() const;  // "pp512", "tg128@d8192", "tg32x4"
  [[nodiscard]] f64 tokens() const { return f64(options.tokens) * options.columns; }
};

// Measures again and again: make() has fed what stands before, next() is one repetition.
// The engine's context must hold depth + tokens, its sequences and logit rows the columns.
class Meter {
 public:
  [[nodiscard]] static Result<Meter> make(Engine& engine, const MeasureOptions& options);
  [[nodiscard]] Result<f64> next();  // seconds
  [[nodiscard]] const Measurement& result() const { return result_; }

 private:
  Meter(Engine& engine, Measurement result) : engine_(&engine), result_(std::move(result)) {}
  [[nodiscard]] Result<void> prepare();
  [[nodiscard]] Result<void> run(u32 tokens);

  Engine* engine_;
  Measurement result_;
  std::vector<Sequence> sequences_;
  std::vector<text::TokenId> ids_;  // [depth + tokens]
};

}  // namespace orrery::engine
