// See reader.h.
#include "text/reader.h"

namespace orrery::text {

Result<void> MergeReader::add(std::string_view merge) {
  const auto space = merge.find(' ');
  if (space == std::string_view::npos || merge.find(' ', space + 1) != std::string_view::npos) {
    return fail("merge {} is not two tokens with a space between them", rank_);
  }
  return add(merge.substr(0, space), merge.substr(space + 1));
}

Result<void> MergeReader::add(std::string_view left, std::string_view right) {
  joined_.assign(left);
  joined_ += right;
  const auto left_id = vocabulary_.find(left), right_id = vocabulary_.find(right),
             joined_id = vocabulary_.find(joined_);
  if (!left_id || !right_id || !joined_id) {
    return fail("merge {} names a token that is not in the vocabulary", rank_);
  }
  if (!table_.put(u32(*left_id), u32(*right_id), {rank_++, u32(*joined_id)})) {
    return fail("the merges were made to collide");
  }
  return {};
}

}  // namespace orrery::text
