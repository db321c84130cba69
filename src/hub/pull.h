// pull: a published model, from its name (at "main" where it names no revision) to a snapshot in
// the cache.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "hub/names.h"
#include "hub/settings.h"

namespace orrery::hub {

struct Pulled {
  std::string commit;
  std::filesystem::path path;  // to open: the snapshot's folder or a .gguf file
  u64 files = 0, bytes = 0;
  u64 files_kept = 0;  // that were there already
  u64 bytes_fetched = 0;
  std::string quant;                // of a GGUF model
  std::vector<std::string> others;  // quantisations that were not taken
  bool by_default = false;          // `quant` was nobody's choice
};

[[nodiscard]] Result<Pulled> pull(const Settings& settings, const ModelName& model,
                                  Progress& progress);

}  // namespace orrery::hub
