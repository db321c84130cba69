// Batch: a flat list of tokens to be computed together, each with its sequence and position.
//
// Prefill, chunked prefill, decode of many sequences and checking of drafts are the same call with
// different lists; nothing below knows which it is. Tokens of one sequence stand together, in
// order.
#pragma once

#include <vector>

#include "base/types.h"

namespace orrery::forward {

struct BatchToken {
  i32 token;
  u32 sequence;         // the KvCache's number of the sequence
  u32 position;         // from 0
  bool logits = false;  // whether the logits after this token are wanted
  u32 length = 0;       // of the text that is known to come, where rope scaling asks for it;
                        // at least position + 1 is taken
};

struct Batch {
  std::vector<BatchToken> tokens;
  [[nodiscard]] u32 size() const { return u32(tokens.size()); }
};

}  // namespace orrery::forward
