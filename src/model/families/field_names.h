// The names of settings in both checkpoint worlds.
#pragma once

#include <span>
#include <string_view>

namespace orrery::model {

struct FieldNames {
  // Several names are separated by bars: years and publishers differ, the first one present counts.
  // GGUF keys stand without the architecture's prefix.
  std::string_view field, hugging_face, gguf;
};
[[nodiscard]] std::span<const FieldNames> field_names();

// Keys of config.json that change nothing in the forward pass of a trained model: how it was
// trained, initialised, saved or tokenized, or what follows from others.
[[nodiscard]] std::span<const std::string_view> keys_without_effect();

}  // namespace orrery::model
