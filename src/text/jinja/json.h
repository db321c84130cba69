// JSON in and out: the caller's variables as values, and json.dumps for the filter tojson.
#pragma once

#include <nlohmann/json.hpp>

#include "text/jinja/value.h"

namespace orrery::text::jinja {

// Strings inside get `origin`. Raises for what no value can hold (integers above 64 bits, depth).
[[nodiscard]] Value from_json(Heap& heap, const nlohmann::ordered_json& json,
                              Origin origin = kTemplate);
// The variable `messages`: each message's strings have its index as origin, except a `role` that is
// one of the roles that templates know, because some templates build the role's token from it.
[[nodiscard]] Value messages_from_json(Heap& heap, const nlohmann::ordered_json& json);

struct JsonStyle {
  bool ascii = false, sort_keys = false;
  std::optional<MarkedText> indent;  // one level
  MarkedText item_separator{", ", {}}, key_separator{": ", {}};
};
void write_json(Builder& out, const Value& value, const JsonStyle& style);

}  // namespace orrery::text::jinja
