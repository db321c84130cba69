// JSON from a checkpoint (config.json, shard indexes) as an Object, with every limit that a hostile
// file calls for: depth, number of values, duplicate keys, integers that do not fit.
//
// The grammar is nlohmann/json's, read as events, so that nothing is built before it is counted.
// The safetensors header has a reader of its own (safetensors.cpp): it is large and has one fixed
// form.
#pragma once

#include <string_view>

#include "base/error.h"
#include "checkpoint/config.h"

namespace orrery::checkpoint {

// A text whose root is an object. Arrays of one kind become Strings, Integers or Floats (integers
// and floats mixed: Floats); an empty array is an empty Array.
[[nodiscard]] Result<Object> parse_json_object(std::string_view text);

}  // namespace orrery::checkpoint
