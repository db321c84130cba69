// Figures of a model that follow from its spec alone: what it has, what it needs, what a token
// costs.
#pragma once

#include "base/format.h"
#include "model/spec.h"

namespace orrery::plan {

// All weights in a file's format, vectors in float32; a row that is no whole number of blocks
// counts as many bits a value as the others.
[[nodiscard]] u64 weights_bytes(const model::ModelSpec& spec, Format format);
// What one token reads of them: without the experts that it does not visit, and one row of an
// embedding that is not the output.
[[nodiscard]] u64 weights_bytes_met(const model::ModelSpec& spec, Format format);

// Keys, values and states of a text of `length` tokens in f16, windows and states as they are.
[[nodiscard]] u64 cache_bytes(const model::ModelSpec& spec, u64 length);

// Floating point operations of the token after `length` others.
[[nodiscard]] u64 operations_per_token(const model::ModelSpec& spec, u64 length);

}  // namespace orrery::plan
