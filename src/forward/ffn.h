// Feed-forward block: x += down(silu(gate(norm(x))) * up(norm(x))). Shazeer 2020, "GLU Variants".
#pragma once

#include "forward/step.h"

namespace orrery::forward {

// Adds the feed-forward of one layer to the residual stream. Ends with a barrier.
template <typename Tap>
void ffn_block(const Step& step, u32 layer, Tap& tap);

}  // namespace orrery::forward
