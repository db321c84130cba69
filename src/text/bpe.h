// BPE: byte pair encoding (Sennrich et al. 2016). A word starts as its characters (byte-level: its
// bytes), and the pair of neighbours that stands first in the list of merges becomes one token,
// until no pair is in the list.
//
// One engine for byte-level BPE (GPT-2) and for SentencePiece's: they differ in the alphabet, in
// what happens to unknown characters, and in how the list is ordered (equal ranks: leftmost first).
#pragma once

#include <array>
#include <optional>

#include "base/huge_buffer.h"
#include "text/hash.h"
#include "text/model.h"

namespace orrery::text {

// (left, right) -> rank and id of the merged token: a flat hash table.
//
// A slot holds the pair and the number of its merge in 64 bits: 21 for each id and 22 for the
// number. Most look-ups find nothing, and then one slot is all the memory they touch.
class MergeTable {
 public:
  static constexpr u32 kNoRank = ~u32(0);
  static constexpr u64 kMergesMax = (u64(1) << 22) - 1;
  struct Merge {
    u32 rank = kNoRank;
    u32 id = 0;
  };

  void reserve(u64 merges);
  // A pair given again takes the later rank. False: the pairs were made to collide, there are too
  // many or too little memory.
  [[nodiscard]] bool put(u32 left, u32 right, Merge merge);
  [[nodiscard]] Merge find(u32 left, u32 right) const;
  void prefetch(u32 left, u32 right) const;
  // Calls visit(left, right) for every pair, in no order.
  template <typename Visit>
  void each_pair(Visit visit) const {
    for (u64 i = 0; i < slot_count_; ++i) {
      const u64 pair = slots()[i] >> kNumberBits;
      if (slots()[i] != 0) visit(u32(pair >> kIdBits), u32(pair & kIdMask));
    }
  }

 private:
  static constexpr u32 kIdBits = 21, kNumberBits = 22;
  static constexpr u64 kIdMask = (u64(1) << kIdBits) - 1, kNumberMask = (u64(1) << kNumberBits) - 1;
  static_assert(Vocabulary::kIdsMax == u64(1) << kIdBits);

  [[nodiscard]] static u64 pair_of(u32 left, u32 right) { return u64(left) << kIdBits | right; }
  [[nodiscard]] u64* slots() const { return reinterpret_cast<u64*>(memory_.data()); }
  [[nodiscard]] u64 home(u64 pair) const { return mix(pair, 0) & (slot_count_ - 1); }
  [[nodiscard]] bool resize(u64 slots);

  HugeBuffer memory_;  // pair, number of the merge + 1; 0: empty
  u64 slot_count_ = 0;
  std::vector<Merge> merges_;
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
