// WordCache: the ids of words seen lately. Text repeats its words, and copying a few ids is many
// times quicker than merging. Direct-mapped: a word has one place and takes it from whoever was
// there, so there is nothing to keep in order. Only short words; one cache line each.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "text/hash.h"
#include "text/vocabulary.h"

namespace orrery::text {

class WordCache {
 public:
  static constexpr u64 kWordBytesMax = 30;

  // The ids of `word`, or an empty span. `hash` is hash_of(word).
  [[nodiscard]] std::span<const TokenId> find(std::string_view word, u64 hash) const {
    if (entries_.empty()) return {};
    const Entry& entry = entries_[hash % kEntries];
    if (entry.length != word.size() || std::memcmp(entry.word, word.data(), word.size()) != 0)
      return {};
    return {entry.ids, entry.count};
  }

  void put(std::string_view word, u64 hash, std::span<const TokenId> ids) {
    if (word.empty() || word.size() > kWordBytesMax || ids.size() > kIdsMax) return;
    if (entries_.empty()) entries_.resize(kEntries);
    Entry& entry = entries_[hash % kEntries];
    entry.length = u8(word.size());
    entry.count = u8(ids.size());
    std::memcpy(entry.word, word.data(), word.size());
    std::copy(ids.begin(), ids.end(), entry.ids);
  }

 private:
  static constexpr u64 kEntries = 1 << 14;  // 1 MiB: stays in the second-level cache
  static constexpr u64 kIdsMax = 8;
  struct alignas(64) Entry {
    u8 length = 0;
    u8 count = 0;
    char word[kWordBytesMax];
    TokenId ids[kIdsMax];
  };
  static_assert(sizeof(Entry) == 64);
  std::vector<Entry> entries_;
};

}  // namespace orrery::text
