// The common spellings of every role, in both checkpoint worlds. A family adds its own only where
// one name means different things (families/families.cpp).
#pragma once

#include <span>

#include "model/stored.h"

namespace orrery::model {

[[nodiscard]] std::span<const Spelling> common_spellings(checkpoint::Kind kind);

}  // namespace orrery::model
