// See reader.h.
#include "text/reader.h"

#include "text/hash.h"

namespace orrery::text {

Result<void> VocabularyReader::add(u64 id, std::string_view name) {
  batch_[count_] = {id, hash_of(name), name};
  vocabulary_.prefetch(batch_[count_++].hash);
  return count_ == kBatch ? flush() : Result<void>{};
}

Result<void> VocabularyReader::flush() {
  for (u32 i = 0; i < count_; ++i) {
    CHECK_OK(vocabulary_.add(batch_[i].id, batch_[i].name, batch_[i].hash));
  }
  count_ = 0;
  return {};
}

Result<void> MergeReader::add(std::string_view merge) {
  const auto space = merge.find(' ');
  if (space == std::string_view::npos || merge.find(' ', space + 1) != std::string_view::npos) {
    return fail("merge {} is not two tokens with a space between them", rank_ + count_);
  }
  return add(merge.substr(0, space), merge.substr(space + 1));
}

Result<void> MergeReader::add(std::string_view left, std::string_view right) {
  Entry& entry = batch_[count_++];
  entry.left = left;
  entry.right = right;
  entry.left_hash = hash_of(left);
  entry.right_hash = hash_of(right);
  vocabulary_.prefetch(entry.left_hash);
  vocabulary_.prefetch(entry.right_hash);
  return count_ == kBatch ? flush() : Result<void>{};
}

// Lists are nearly always sorted by what their merges make: the same token as the merge before, or
// the next one, is a guess that saves most of the look-ups.
std::optional<TokenId> MergeReader::find_joined(const Entry& entry) {
  const auto fits = [&](TokenId id) {
    const std::string_view name = vocabulary_.name(id);
    return name.size() == entry.left.size() + entry.right.size() && name.starts_with(entry.left) &&
           name.ends_with(entry.right);
  };
  for (const TokenId guess : {last_joined_, last_joined_ + 1}) {
    if (vocabulary_.has(guess) && fits(guess)) return guess;
  }
  joined_.assign(entry.left);
  joined_ += entry.right;
  return vocabulary_.find(joined_);
}

Result<void> MergeReader::flush() {
  for (u32 i = 0; i < count_; ++i) {
    vocabulary_.prefetch_name(batch_[i].left_hash);
    vocabulary_.prefetch_name(batch_[i].right_hash);
  }
  for (u32 i = 0; i < count_; ++i) {
    Entry& entry = batch_[i];
    const auto left = vocabulary_.find(entry.left, entry.left_hash);
    const auto right = vocabulary_.find(entry.right, entry.right_hash);
    const auto joined = find_joined(entry);
    if (!left || !right || !joined) {
      return fail("merge {} names a token that is not in the vocabulary", rank_ + i);
    }
    entry.left_id = *left, entry.right_id = *right, entry.joined_id = *joined;
    last_joined_ = *joined;
    table_.prefetch(u32(*left), u32(*right));
  }
  for (u32 i = 0; i < count_; ++i) {
    const Entry& entry = batch_[i];
    if (!table_.put(u32(entry.left_id), u32(entry.right_id), {rank_++, u32(entry.joined_id)})) {
      return fail("the merges were made to collide");
    }
  }
  count_ = 0;
  return {};
}

Result<MergeTable> MergeReader::finish() {
  CHECK_OK(flush());
  return std::move(table_);
}

}  // namespace orrery::text
