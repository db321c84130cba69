// Splitter: finds where a pre-tokenizer's pattern matches, so that BPE sees one word at a time.
//
// A handful of patterns is used by nearly every model; those are recognised by their exact text and
// matched by hand-written code (word_splitter.cpp). Any other pattern is compiled with PCRE2
// (regex_splitter.cpp), which is exact but several times slower.
#pragma once

#include <memory>
#include <string_view>

#include "base/error.h"
#include "base/types.h"

namespace orrery::text {

struct Match {
  u64 begin = 0, end = 0;
};

class Splitter {
 public:
  virtual ~Splitter() = default;
  // The first match at or after `from`; never empty. False: there is none.
  [[nodiscard]] virtual bool find(std::string_view text, u64 from, Match& match) const = 0;
};

// The hand-written splitter of this very pattern, or null.
[[nodiscard]] std::unique_ptr<Splitter> known_splitter(std::string_view pattern);

// A splitter for a regular expression in the dialect that tokenizer.json files use (Oniguruma's).
[[nodiscard]] Result<std::unique_ptr<Splitter>> regex_splitter(std::string_view pattern);

// The known splitter where there is one, else the regular expression.
[[nodiscard]] Result<std::unique_ptr<Splitter>> make_splitter(std::string_view pattern);

// Matches one character, or a run of up to `max`, of those that `is_in` accepts.
[[nodiscard]] std::unique_ptr<Splitter> predicate_splitter(bool (*is_in)(u32 code), u32 max = 1);
// Rust's \w+|[^\w\s]+, Hugging Face's Whitespace.
[[nodiscard]] std::unique_ptr<Splitter> word_or_symbols_splitter();
[[nodiscard]] bool is_space(u32 code);

// Matches the text `literal`.
[[nodiscard]] std::unique_ptr<Splitter> literal_splitter(std::string literal);

}  // namespace orrery::text
