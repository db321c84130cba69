// BPE: byte pair encoding (Sennrich et al. 2016). A word starts as its characters (byte-level: its
// bytes), and the pair of neighbours that stands first in the list of merges becomes one token,
// until no pair is in the list.
//
// One engine for byte-level BPE (GPT-2) and for SentencePiece's: they differ in the alphabet, in
// what happens to unknown characters, and in how the list is ordered (equal ranks: leftmost first).
#pragma once

#include <array>
#include <optional>

#include "text/model.h"

namespace orrery::text {

// (left, right) -> rank and id of the merged token: a flat hash table.
class MergeTable {
 public:
  static constexpr u32 kNoRank = ~u32(0);
  struct Merge {
    u32 rank = kNoRank;
    u32 id = 0;
  };

  void reserve(u64 merges);
  // A pair given again takes the later rank. False: the pairs were made to collide.
  [[nodiscard]] bool put(u32 left, u32 right, Merge merge);
  [[nodiscard]] Merge find(u32 left, u32 right) const;
  void prefetch(u32 left, u32 right) const;
  // Calls visit(left, right) for every pair, in no order.
  template <typename Visit>
  void each_pair(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.pair != kEmpty) visit(u32(slot.pair >> 32), u32(slot.pair));
    }
  }

 private:
  struct Slot {
    u64 pair = kEmpty;
    Merge merge;
  };
  static constexpr u64 kEmpty = ~u64(0);
  void grow();
  std::vector<Slot> slots_;
  u64 size_ = 0;
};

// What a character is before any merge: an id of the vocabulary.
struct BpeOptions {
  bool byte_level = false;         // words are bytes, not characters
  bool ignore_merges = false;      // a whole word that is a token is that token
  bool byte_fallback = false;      // an unknown character is spelled by <0x..> tokens
  bool fuse_unknown = false;       // unknown characters in a row are one unknown token
  std::optional<TokenId> unknown;  // without it unknown characters vanish
};

class BpeModel final : public Model {
 public:
  // `vocabulary` must outlive the model. Control tokens that words must not become by ignore_merges
  // are the caller's to weed out.
  BpeModel(const Vocabulary& vocabulary, MergeTable merges, const BpeOptions& options);

  void encode(std::string_view word, Scratch& scratch, std::vector<TokenId>& ids) const override;
  void spell(std::string_view word, std::vector<TokenId>& ids) const override;

 private:
  static constexpr TokenId kNone = -1;
  [[nodiscard]] TokenId id_of_character(u32 code, std::string_view bytes) const;
  [[nodiscard]] std::optional<TokenId> whole_word(std::string_view word) const;
  template <typename Id>
  void append_symbols(std::string_view word, std::vector<Id>& symbols) const;
  void find_cuts();
  [[nodiscard]] u64 end_of_part(std::string_view word, u64 from) const;
  void encode_part(std::string_view word, Scratch& scratch, std::vector<TokenId>& ids) const;
  void merge_short(Scratch& scratch) const;
  void merge_long(Scratch& scratch) const;

  const Vocabulary* vocabulary_;
  MergeTable merges_;
  BpeOptions options_;
  std::array<TokenId, 256> byte_ids_;   // byte-level: the token of each byte; else of its <0x..>
  std::vector<TokenId> character_ids_;  // [0x10000], for characters of the Basic Multilingual Plane
  // SentencePiece's words are whole texts. Where a space mark follows a character that no merge
  // joins to one, the text can be cut without changing the result, and its parts fit the cache.
  bool cuts_at_marks_ = false;
  std::vector<u32>
      joined_to_marks_;  // characters that some merge joins to a mark after them, sorted
};

}  // namespace orrery::text
