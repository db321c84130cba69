// From what a user calls a model to its path: a file, a folder, or a name in the cache folder.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"

namespace orrery::apps {

// ${XDG_CACHE_HOME:-~/.cache}/orrery/models
[[nodiscard]] std::filesystem::path models_folder();
// ${XDG_CACHE_HOME:-~/.cache}/orrery/packs
[[nodiscard]] std::filesystem::path packs_folder();
// ${XDG_STATE_HOME:-~/.local/state}/orrery: what the program remembers (chat history)
[[nodiscard]] std::filesystem::path state_folder();

// A path that exists is taken as it is; else the name of a model in the cache (exact, or the only
// one that begins with it, in any case of letters) or of one that `orrery pull` or another tool
// brought into the Hugging Face cache: ORG/NAME, ORG/NAME:QUANT or NAME. Empty: the default model.
// An error lists near names.
[[nodiscard]] Result<std::filesystem::path> find_model(const std::string& name);

}  // namespace orrery::apps
