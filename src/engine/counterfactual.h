// Counterfactual: what the model would have said of a text's last tokens, had its window, its
// experts or its sampler been otherwise.
//
// The spec is data, so a change of it is a changed spec over the same weights; the tokens are
// computed again by the same pass over a copy of the sequence's keys and values, once unchanged and
// once changed, and the distributions are compared. Nothing of the running text is touched.
#pragma once

#include "engine/watched_run.h"

namespace orrery::engine {

struct DroppedExpert {
  std::optional<u32> layer;  // none: in all layers
  u32 expert = 0;
};

struct Change {
  std::optional<u32> window;  // 0: none
  std::optional<u32> sinks;   // first keys that are seen whatever the window
  std::optional<u32> experts_active;
  std::vector<DroppedExpert> dropped;
};

struct Compared {
  struct Top {
    text::TokenId id = 0;
    f32 logprob = 0;
  };
  u32 position = 0;
  f32 kl = 0;  // nats, of the unchanged against the changed distribution
  Top before = {}, after = {};
};

struct WhatIf {
  std::vector<Compared> positions;
  f64 ms = 0, ms_unchanged = 0;
  bool recompute = false;
};

// Why the change cannot be made of this model; nothing: it can.
[[nodiscard]] Result<void> check_change(const model::ModelSpec& spec, const Change& change);

// Of the positions [last + 1 - count, last], which must be computed or, with `recompute`, known.
[[nodiscard]] Result<WhatIf> what_if(Engine& engine, const WatchedRun& run, u32 last, u32 count,
                                     const Change& change, bool recompute);

// Copies the keys and values of the first `length` positions of a sequence into another.
[[nodiscard]] Result<void> copy_positions(forward::KvCache& cache, u32 from, u32 to, u32 length);

}  // namespace orrery::engine
