// Configurations of published models, kept as data, so that models can be compared and planned for
// without their weights.
#pragma once

#include <span>
#include <string_view>

#include "model/spec.h"

namespace orrery::model {

struct Published {
  std::string_view name;    // "Llama-3-8B"
  std::string_view source;  // the repository on the hub
  std::string_view date;    // of release, "2024-04"
  std::string_view config;  // config.json, reduced to what describes the model
};
[[nodiscard]] std::span<const Published> published();

// By name, whatever the case; null when there is none.
[[nodiscard]] const Published* find_published(std::string_view name);
[[nodiscard]] Result<ModelSpec> describe(const Published& model);

}  // namespace orrery::model
