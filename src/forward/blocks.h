// The blocks that a layer is made of, one file each. Each adds its result to the residual stream
// and ends with a barrier.
#pragma once

#include "forward/step.h"

namespace orrery::forward {

// x += output(attend(query(norm(x)), keys, values)).
template <typename Tap>
void grouped_attention(const Step& step, u32 layer, const model::GroupedAttention& a, Tap& tap);

// The same over keys and values that are expanded from latents.
template <typename Tap>
void latent_attention(const Step& step, u32 layer, const model::LatentAttention& a, Tap& tap);

// The same with a state instead of a cache.
template <typename Tap>
void delta_net(const Step& step, u32 layer, const model::DeltaNet& d, Tap& tap);

// x += down(unit(gate(norm(x)), up(norm(x)))).
template <typename Tap>
void dense_ffn(const Step& step, u32 layer, const model::DenseFfn& f, Tap& tap);

// x += sum over the chosen experts of weight * expert(norm(x)), + shared(norm(x)).
template <typename Tap>
void expert_ffn(const Step& step, u32 layer, const model::ExpertFfn& f, Tap& tap);

}  // namespace orrery::forward
