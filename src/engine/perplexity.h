// perplexity: how well a model foretells a text, counted exactly as llama-perplexity counts it.
//
// The text becomes tokens once (special tokens written in it stay text), cut into windows that do
// not overlap; each starts from nothing, its first token replaced by BOS where the vocabulary adds
// one, and only the second half is scored, so that every prediction has half a window to look back
// on.
#pragma once

#include "engine/engine.h"

namespace orrery::engine {

struct Perplexity {
  f64 value = 0;      // exp(mean of -log p)
  f64 deviation = 0;  // standard error of the value
  u32 windows = 0;
  u64 tokens = 0;  // that were fed
  u64 tokens_scored = 0;
  f64 seconds = 0;
};

// After each window; returns false to stop.
using OnWindow = std::function<bool(const Perplexity& so_far, u32 windows_all)>;

// The engine's context must be at least `window`, at least 4.
[[nodiscard]] Result<Perplexity> perplexity(Engine& engine, std::string_view text, u32 window,
                                            const OnWindow& on_window);

}  // namespace orrery::engine
