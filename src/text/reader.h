// What the readers of tokenizer files share.
#pragma once

#include <string>
#include <string_view>

#include "text/bpe.h"

namespace orrery::text {

// Collects a list of merges in order of rank.
class MergeReader {
 public:
  MergeReader(const Vocabulary& vocabulary, u64 count) : vocabulary_(vocabulary) {
    table_.reserve(std::min(count, Vocabulary::kIdsMax));
  }
  // "left right"
  [[nodiscard]] Result<void> add(std::string_view merge);
  [[nodiscard]] Result<void> add(std::string_view left, std::string_view right);
  [[nodiscard]] MergeTable take() { return std::move(table_); }

 private:
  const Vocabulary& vocabulary_;
  MergeTable table_;
  u32 rank_ = 0;
  std::string joined_;
};

}  // namespace orrery::text
