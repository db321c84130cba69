// Wrapping a line as Python's textwrap.wrap does, without expanding tabs or replacing white space.
#pragma once

#include "text/jinja/text_ops.h"

namespace orrery::text::jinja {

struct WrapStyle {
  i64 width;
  bool break_long_words, break_on_hyphens;
};

// The wrapped lines of one line, as parts of the text.
[[nodiscard]] std::vector<Span> wrap(Heap& heap, std::string_view text, Span line,
                                     const WrapStyle& style);

}  // namespace orrery::text::jinja
