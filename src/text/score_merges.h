// Merges of vocabularies that come with scores instead of a list of merges (SentencePiece BPE,
// tekken): two neighbours may merge when together they are a piece, and the better piece goes
// first.
//
// Which pairs that are is worked out when the file is read: every way to cut a piece into two
// pieces.
#pragma once

#include <span>

#include "text/bpe.h"

namespace orrery::text {

struct ScoredPiece {
  TokenId id;
  f32 score;  // higher is better; pieces of equal score merge from left to right
};

// `pieces`: those that may merge; their names are in `vocabulary`.
[[nodiscard]] Result<MergeTable> merges_from_scores(const Vocabulary& vocabulary,
                                                    std::span<const ScoredPiece> pieces);

}  // namespace orrery::text
