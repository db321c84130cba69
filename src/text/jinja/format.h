// Python's two ways to format text: "..." % values and "...".format(values), with their small
// languages for width, alignment and precision.
#pragma once

#include "text/jinja/callable.h"

namespace orrery::text::jinja {

[[nodiscard]] Value format_percent(const String& format, const Value& values);
[[nodiscard]] Value format_braces(const String& format, const Arguments& arguments);
// format(value, spec)
void format_value(Builder& out, const Value& value, const MarkedText& spec);

}  // namespace orrery::text::jinja
