// A Hugging Face folder: config.json beside model.safetensors, or beside
// model.safetensors.index.json and the shards that it names.
#pragma once

#include "checkpoint/contents.h"

namespace orrery::checkpoint {

// True when the folder has weights that read_hugging_face() can read.
[[nodiscard]] bool has_safetensors(const std::filesystem::path& folder);

[[nodiscard]] Result<Contents> read_hugging_face(const std::filesystem::path& folder);

// A text file of the folder, by a plain name.
[[nodiscard]] Result<std::string> read_folder_text(const std::filesystem::path& folder,
                                                   std::string_view name);

}  // namespace orrery::checkpoint
