// Settings: where the hub is, who we are there, and where models are kept, from the environment
// variables that other tools read, too.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/types.h"

namespace orrery::hub {

struct Settings {
  std::string endpoint;  // "http://HOST:PORT", without a slash at the end
  std::string token;     // empty: none
  std::filesystem::path folder;
  // A transfer that brings next to nothing for so long is given up and retried.
  u32 stall_seconds = 30;
};

// ${HF_HUB_CACHE:-${HF_HOME:-${XDG_CACHE_HOME:-~/.cache}/huggingface}/hub}
[[nodiscard]] std::filesystem::path hub_folder();

// An error when HF_ENDPOINT is not set, is no address, or HF_HUB_OFFLINE forbids to ask it.
[[nodiscard]] Result<Settings> settings_from_environment();

}  // namespace orrery::hub
