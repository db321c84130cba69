// pprint.pformat: a value's repr in lines of at most 80 columns.
#pragma once

#include "text/jinja/value.h"

namespace orrery::text::jinja {

void print_pretty(Builder& out, const Value& value);

}  // namespace orrery::text::jinja
