// Character classes as Hugging Face tokenizers 0.23.3 has them, where that is not what Unicode 16
// says.
//
// The library's parts were built with tables of different years. A tokenizer that is to give the
// same ids must make the same distinctions, so its answers are tables here
// (tools/unicode_library_tables.py).
#pragma once

#include <string>

#include "base/types.h"

namespace orrery::text::library {

[[nodiscard]] bool is_word(u32 code);  // \w of added tokens and of the Whitespace splitter
[[nodiscard]] bool is_oniguruma_word(u32 code);  // \w of patterns
[[nodiscard]] bool is_punctuation(u32 code);     // of the Punctuation splitter: ASCII symbols too
[[nodiscard]] bool is_number(u32 code);          // of the Digits splitter
[[nodiscard]] bool is_accent(u32 code);          // what StripAccents removes

// Characters newer than the library's normal forms: nothing happens to them or across them.
[[nodiscard]] bool is_inert(u32 code);
// NFC leaves this character as it is, whatever stands before it.
[[nodiscard]] bool is_trivial_in_nfc(u32 code);

void append_lower_case(std::string& out, u32 code);

}  // namespace orrery::text::library
