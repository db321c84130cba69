// Catalog: a model block by block, as numbers that follow from its spec and, where it is loaded,
// from its tensors: shapes, parameters, bytes, operations, bytes of the cache. The same code
// describes a published config that nobody has loaded. As JSON, in the words of
// docs/formats/feed.md, for those who draw it.
#pragma once

#include "engine/engine.h"

namespace orrery::engine {

// "hash", "spec", "totals", "blocks", "engine", "stages".
[[nodiscard]] text::Json describe_loaded(Engine& engine);

// "model", "spec", "totals", "blocks" of a config that is known by name.
[[nodiscard]] Result<text::Json> describe_published(std::string_view name);
[[nodiscard]] text::Json list_published();

}  // namespace orrery::engine
