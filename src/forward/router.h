// The router of a mixture: which experts a token visits, and with which weights (spec.h, Router).
#pragma once

#include "model/spec.h"

namespace orrery::forward {

// `scores` [experts]: the router's logits in, its scores out. `selection_bias` [experts] or null.
// Fills chosen and weights [active], best first. Of equal experts the lower one is taken.
void route(const model::ExpertFfn& f, f32* scores, const f32* selection_bias, u32* chosen,
           f32* weights);

}  // namespace orrery::forward
