// The small language of a field's format, as Python's format() has it: fill, align, sign, width,
// grouping, precision and type.
#pragma once

#include "text/jinja/format.h"

namespace orrery::text::jinja {

struct FormatSpec {
  std::string fill = " ";
  Origin fill_origin = kTemplate;
  char align = '\0';  // < > ^ =
  char sign = '-';
  bool alternate = false;
  char grouping = '\0';
  i64 width = 0;
  i64 precision = -1;
  char type = '\0';
};

// The digits of a number in base 2, 8, 10 or 16, without sign.
[[nodiscard]] std::string digits_of(i64 value, char type);
[[nodiscard]] std::string_view sign_of(bool negative, char sign);
// Text, or a number as sign and digits, in its field; `otherwise` is the align of its kind.
void pad(Builder& out, const MarkedText& body, std::string_view sign, const FormatSpec& spec,
         char otherwise);

}  // namespace orrery::text::jinja
