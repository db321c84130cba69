// Values as text: str(), repr() and HTML-escaped, each with the origins of the strings inside.
#pragma once

#include "text/jinja/value.h"

namespace orrery::text::jinja {

void print(Builder& out, const Value& value);                         // str(value)
void print_repr(Builder& out, const Value& value);                    // repr(value)
void print_escaped(Builder& out, const Value& value);                 // markupsafe.escape(value)
[[nodiscard]] Ref<String> to_string(Heap& heap, const Value& value);  // a string stays what it is
[[nodiscard]] std::string repr(Heap& heap, const Value& value);
[[nodiscard]] std::string repr(std::string_view string);

}  // namespace orrery::text::jinja
