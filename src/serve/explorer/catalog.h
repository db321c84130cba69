// The catalogue: a model block by block, as numbers that follow from its spec and, where it is
// loaded, from its tensors. The same function describes a published config that nobody has loaded.
#pragma once

#include "serve/model_host.h"

namespace orrery::serve {

// Of the loaded model, with what the page needs to know of the engine.
[[nodiscard]] Json catalog_json(const ModelHost& host, const std::string& version);

// Two models side by side; a name is the loaded model's (or empty) or a published config's.
[[nodiscard]] Checked<Json> compare_json(const ModelHost& host, const Json& catalog,
                                         std::string_view a, std::string_view b);

}  // namespace orrery::serve
