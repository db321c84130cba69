// Decoder: ids to text.
//
// What each token contributes is worked out once, when the tokenizer is loaded; decoding is then
// copying bytes and watching for characters that are not complete.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace orrery::text {

struct DecodeRules {
  enum class Kind : u8 {
    kByteLevel,  // names spell bytes in GPT-2's alphabet
    kNames,      // names with a space between them (a tokenizer that has no decoder)
  };
  Kind kind = Kind::kByteLevel;
};

class Decoder {
 public:
  Decoder(const Vocabulary& vocabulary, const DecodeRules& rules);

  // Appends what `id` completes to `out`; ids that nobody has give nothing.
  void push(DecodeState& state, TokenId id, std::string& out) const;
  void finish(DecodeState& state, std::string& out) const;
  // The bytes of one token inside a running text.
  [[nodiscard]] std::string_view bytes(TokenId id) const;

 private:
  struct Span {
    u32 begin = 0, length = 0;
    bool known = false;
    bool valid = false;  // the bytes are whole characters
  };
  DecodeRules rules_;
  std::string text_;         // the bytes of all tokens
  std::vector<Span> spans_;  // [ids]
};

}  // namespace orrery::text
