// The router of a mixture: which experts a token visits, and with which weights (spec.h, Router).
#pragma once

#include <span>
#include <vector>

#include "model/spec.h"

namespace orrery::forward {

// `scores` [experts]: the router's logits in, its scores out. `selection_bias` [experts] or null.
// Fills chosen and weights [active], best first. Of equal experts the lower one is taken.
void route(const model::ExpertFfn& f, f32* scores, const f32* selection_bias, u32* chosen,
           f32* weights);

// Why a token was routed as it was, for those who watch.
struct RouteReason {
  f32 margin = 0;           // of the last chosen above the best that was not and could have been
  std::vector<f32> biased;  // [experts] what the choice goes by; empty without a selection bias
  std::vector<u8> kept;     // [groups] whether a group may be chosen from; empty with one group
};
// `scores` [experts] are the router's scores, `chosen` [active] what route() made of them.
[[nodiscard]] RouteReason reason_of(const model::ExpertFfn& f, const f32* scores,
                                    const f32* selection_bias, std::span<const u32> chosen);
// The weights of the chosen experts, as route() makes them.
void mixing_weights(const model::ExpertFfn& f, const f32* scores, std::span<const u32> chosen,
                    f32* weights);

}  // namespace orrery::forward
