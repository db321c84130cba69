// A checkpoint without weights: a config.json alone, for describing models that are not here.
#pragma once

#include "checkpoint/checkpoint.h"

namespace orrery::checkpoint {

// `path` is what messages call it. Its kind is kHuggingFace; it has no tensors and no text files.
[[nodiscard]] Result<std::unique_ptr<Checkpoint>> open_config(std::string_view json,
                                                              std::filesystem::path path);

}  // namespace orrery::checkpoint
