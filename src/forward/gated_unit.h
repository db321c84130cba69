// The two products of a gated feed-forward and the unit that folds them into one.
#pragma once

#include "forward/step.h"

namespace orrery::forward {

struct GatedPair {
  const model::Matrix &gate, &up;  // [width, depth]
  const f32 *gate_bias, *up_bias;  // [width] or null
  const model::GatedUnit& unit;
};

// hidden[column, rows of the panels] = unit(gate x input, up x input). No barrier.
void gate_and_up(const Step& step, const GatedPair& pair, const ActivationSet& input, Range panels,
                 f32* hidden, u64 hidden_stride);

}  // namespace orrery::forward
