// Log probabilities of raw logits: what the model itself says, before any sampler's step.
#pragma once

#include <span>

#include "base/types.h"

namespace orrery::forward {

struct TokenLogProbability {
  i32 id;
  f32 log_probability;
};

// log(sum of exp(logits)): subtract it from a logit to get the token's log probability. -inf where
// every logit is; NaN where one is.
[[nodiscard]] f64 log_sum_exp(std::span<const f32> logits);

// Fills `out` with the most probable tokens, best first, the smaller id first among equals, and
// returns how many it filled. Meant for a few: the work is a pass plus insertions into `out`.
u32 log_softmax_top(std::span<const f32> logits, std::span<TokenLogProbability> out);

}  // namespace orrery::forward
