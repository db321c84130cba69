// Exact bytes that a model needs, from its spec alone: before a file is opened, and for machines
// that are not here.
//
// Bytes of numbers, not of allocations: a cache is made of whole pages, so it may take a little
// more.
#pragma once

#include "kernels/kernels.h"
#include "model/spec.h"

namespace orrery::plan {

// One more position in the key/value cache, over all layers.
[[nodiscard]] u64 kv_bytes_per_token(const model::ModelSpec& spec, kernels::KvFormat format);

// The states of a sequence, which do not grow with it.
[[nodiscard]] u64 state_bytes_per_sequence(const model::ModelSpec& spec);

// The weights as the binder packs them, when every matrix has this layout; vectors are float32.
// Rows are padded to panels of 16 and depths to 32.
[[nodiscard]] u64 packed_weights_bytes(const model::ModelSpec& spec, kernels::Layout layout);

}  // namespace orrery::plan
