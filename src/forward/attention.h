// Attention block: x += output(attend(query(norm(x)), keys, values)).
//
// Grouped-query attention over the paged cache with an online softmax, so no score matrix is ever
// stored (Dao et al. 2022, "FlashAttention"; Ainslie et al. 2023 for the groups). THE SLIDING
// WINDOW IS ENFORCED HERE, in visible_keys(): a query at position p sees keys p - window + 1 .. p,
// window in all.
#pragma once

#include "base/thread_team.h"
#include "forward/step.h"

namespace orrery::forward {

// The positions that a query at `position` may look at. `window` 0: all up to itself.
[[nodiscard]] constexpr Range visible_keys(u32 position, u32 window) {
  const u64 end = u64(position) + 1;
  return {window == 0 || end <= window ? 0 : end - window, end};
}

// Adds the attention of one layer to the residual stream. Ends with a barrier.
template <typename Tap>
void attention_block(const Step& step, u32 layer, Tap& tap);

}  // namespace orrery::forward
