// What a tokenizer must do whatever file it was read from: take any bytes, and put its pieces
// together.
#pragma once

#include <cstdlib>

#include "text/detokenizer.h"
#include "text/tokenizer.h"

namespace orrery::fuzz {

inline void require(bool promise) {
  if (!promise) std::abort();
}

inline void exercise(const Result<std::unique_ptr<text::Tokenizer>>& tokenizer) {
  using namespace text;
  if (!tokenizer) return require(tokenizer.error().message.find('\n') == std::string::npos);
  const Tokenizer& t = **tokenizer;
  for (const std::string_view text :
       {"", " Hello, world! 123", "你好\n\n", "a\xff\xc3 <s></s>[INST]",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    for (const Special special : {Special::kParse, Special::kText, Special::kNative}) {
      const auto ids = t.encode(text, special, true);
      Detokenizer stream(t, true);
      std::string pieces;
      for (const TokenId id : ids) {
        require(id >= 0 && u32(id) < t.vocab_size());
        pieces += stream.push(id);
      }
      require(pieces + stream.finish() == t.decode(ids, true));
    }
  }
  (void)t.decode(std::vector<TokenId>{-1, 0, 1 << 30}, false);
  (void)t.token_name(0);
  (void)t.find("a");
}

}  // namespace orrery::fuzz
