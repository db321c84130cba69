// Detokenizer: a reply's text as it grows, token by token, in whole UTF-8 characters.
//
// Tokens may end inside a character; those bytes wait until the rest has come. At the end, what is
// still incomplete becomes U+FFFD. The pieces put together equal decode() of all ids.
#pragma once

#include <string>

#include "text/tokenizer.h"

namespace orrery::text {

class Detokenizer {
 public:
  explicit Detokenizer(const Tokenizer& tokenizer, bool keep_special = false)
      : tokenizer_(&tokenizer), keep_special_(keep_special) {}

  // The characters that this token completes; empty while a character is still open.
  [[nodiscard]] std::string push(TokenId id);
  // What is left at the end of the reply.
  [[nodiscard]] std::string finish();

 private:
  const Tokenizer* tokenizer_;
  bool keep_special_;
  DecodeState state_;
};

}  // namespace orrery::text
