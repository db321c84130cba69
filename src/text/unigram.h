// Unigram: of all ways to write a word as pieces, the one with the best sum of scores (Kudo 2018).
//
// One pass from left to right keeps, for each place, the best way to get there (Viterbi). A
// character that no piece covers is unknown, at a score below every piece's. SentencePiece adds in
// 32-bit floats and Hugging Face in 64-bit ones; near ties are decided by that, so the width is an
// option.
#pragma once

#include "text/model.h"

namespace orrery::text {

struct UnigramOptions {
  bool single_precision = false;
  bool byte_fallback = false;
  std::optional<TokenId> unknown;
  f64 unknown_score = 0;
};

class UnigramModel final : public Model {
 public:
  UnigramModel(const Vocabulary& vocabulary, const UnigramOptions& options);
  // A piece that may be used, with its score. False: the pieces were made to collide or are too
  // many.
  [[nodiscard]] bool add(std::string_view piece, TokenId id, f64 score);

  void encode(std::string_view word, Scratch& scratch, std::vector<TokenId>& ids) const override;
  void spell(std::string_view word, std::vector<TokenId>& ids) const override;

 private:
  static constexpr TokenId kNone = -1;
  struct Node {
    TokenId id = kNone;
    f64 score = 0;
  };
  struct Edge {
    u64 key = kEmpty;  // node << 8 | byte
    u32 target = 0;
  };
  static constexpr u64 kEmpty = ~u64(0);
  static constexpr u64 kNodesMax = u64(1) << 24;
  [[nodiscard]] u32 child(u32 node, u8 byte) const;
  [[nodiscard]] bool put(u32 node, u8 byte, u32 target);
  template <typename Score>
  void find_best_path(std::string_view word, Scratch& scratch) const;
  void append_unknown(std::string_view text, std::vector<TokenId>& ids) const;

  UnigramOptions options_;
  TokenId byte_ids_[256];
  const Vocabulary* vocabulary_;
  std::vector<Node> nodes_{Node{}};
  std::vector<Edge> edges_;
  u64 edge_count_ = 0;
};

}  // namespace orrery::text
