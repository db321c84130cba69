// Model: what turns one word into ids (BPE, unigram). Words come from the pre-tokenizer.
//
// A model is immutable and shared; what it needs while it works lies in a Scratch that the caller
// lends.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "text/vocabulary.h"
#include "text/word_cache.h"

namespace orrery::text {

struct Scratch {
  WordCache cache;
  std::vector<u32> symbols;                // of the word at hand
  std::vector<u32> next, previous, ranks;  // linked list over symbols, for long words
  std::vector<u32> merged;
  std::vector<u64> heap;
  std::vector<f64> scores;  // unigram: best score up to each byte
  std::vector<u32> begins;
};

class Model {
 public:
  virtual ~Model() = default;
  // Appends the ids of `word`, which is not empty.
  virtual void encode(std::string_view word, Scratch& scratch, std::vector<TokenId>& ids) const = 0;
  // The same without merging: character by character, as `word` is spelled at the start. For user
  // text that happens to spell a control token.
  virtual void spell(std::string_view word, std::vector<TokenId>& ids) const = 0;
};

}  // namespace orrery::text
