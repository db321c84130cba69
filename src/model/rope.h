// Frequencies of the rotary pairs.
#pragma once

#include <span>

#include "model/spec.h"

namespace orrery::model {

// Radians a position for each rotary pair [rope.dim / 2], from the spec and, where the file has
// them, its divisors (else null). `length`: positions of the text, which some scalings read.
void rope_frequencies(const Rope& rope, const f32* divisors, u32 length, std::span<f32> out);

}  // namespace orrery::model
