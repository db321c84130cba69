// safetensors: one file of the format that Hugging Face keeps weights in. A JSON header names each
// tensor's dtype, shape and place; the values follow. docs/formats/safetensors.md has the layout.
#pragma once

#include <vector>

#include "base/error.h"
#include "checkpoint/checkpoint.h"

namespace orrery::checkpoint {

// The tensors of a file, parsed where it lies in memory, in the order of the data. The views point
// into `file`. "__metadata__" is checked and dropped: it is for people.
[[nodiscard]] Result<std::vector<TensorView>> parse_safetensors(Bytes file);

}  // namespace orrery::checkpoint
