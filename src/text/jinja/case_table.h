// The letters whose upper or title case is several letters: a table, see case_table.cpp.
#pragma once

#include "base/types.h"

namespace orrery::text::jinja {

struct LongCase {
  u32 rune;
  const char* upper;
  const char* title;
};
// The row of `rune`, or nullptr.
[[nodiscard]] const LongCase* find_long_case(u32 rune);

}  // namespace orrery::text::jinja
