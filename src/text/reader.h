// What the readers of tokenizer files share.
#pragma once

#include <string>
#include <string_view>

#include "text/bpe.h"

namespace orrery::text {

// Adds tokens in batches: the memory for all of a batch is asked for before the first is added.
class VocabularyReader {
 public:
  explicit VocabularyReader(Vocabulary& vocabulary) : vocabulary_(vocabulary) {}
  // The text of `name` must stay where it is until flush().
  [[nodiscard]] Result<void> add(u64 id, std::string_view name);
  [[nodiscard]] Result<void> flush();

 private:
  static constexpr u32 kBatch = 64;
  struct Entry {
    u64 id, hash;
    std::string_view name;
  };
  Vocabulary& vocabulary_;
  Entry batch_[kBatch];
  u32 count_ = 0;
};

// Collects a list of merges in order of rank.
//
// A list has some hundred thousand merges and each is three look-ups in tables larger than the
// cache, so they are taken in batches: the memory of all look-ups of a batch is asked for before
// the first is made.
class MergeReader {
 public:
  MergeReader(const Vocabulary& vocabulary, u64 count) : vocabulary_(vocabulary) {
    table_.reserve(count);
  }
  // "left right"; the text must stay where it is until finish().
  [[nodiscard]] Result<void> add(std::string_view merge);
  [[nodiscard]] Result<void> add(std::string_view left, std::string_view right);
  [[nodiscard]] Result<MergeTable> finish();

 private:
  static constexpr u32 kBatch = 64;
  struct Entry {
    std::string_view left, right;
    u64 left_hash, right_hash;
    TokenId left_id, right_id, joined_id;
  };
  [[nodiscard]] Result<void> flush();
  [[nodiscard]] std::optional<TokenId> find_joined(const Entry& entry);

  const Vocabulary& vocabulary_;
  MergeTable table_;
  u32 rank_ = 0;
  Entry batch_[kBatch];
  u32 count_ = 0;
  TokenId last_joined_ = -1;
  std::string joined_;
};

}  // namespace orrery::text
