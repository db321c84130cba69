// See charsmap.h.
#include "text/charsmap.h"

#include <cstring>

namespace orrery::text {

namespace {

// The fields of a unit of the double array.
bool has_leaf(u32 unit) { return unit >> 8 & 1; }
u32 value_of(u32 unit) { return unit & 0x7FFFFFFF; }
u32 label_of(u32 unit) { return unit & 0x800000FF; }
u32 offset_of(u32 unit) { return unit >> 10 << (unit >> 6 & 8); }

}  // namespace

Result<Charsmap> Charsmap::parse(std::string_view blob) {
  u32 trie_bytes = 0;
  if (blob.size() <= sizeof(trie_bytes)) return fail("the charsmap is too short");
  std::memcpy(&trie_bytes, blob.data(), sizeof(trie_bytes));
  blob.remove_prefix(sizeof(trie_bytes));
  if (trie_bytes >= blob.size() || trie_bytes % 4 != 0 || trie_bytes == 0) {
    return fail("the charsmap's trie of {} bytes does not fit", trie_bytes);
  }
  Charsmap map;
  map.units_.resize(trie_bytes / 4);
  std::memcpy(map.units_.data(), blob.data(), trie_bytes);
  map.pool_ = blob.substr(trie_bytes);
  return map;
}

Charsmap::Hit Charsmap::search(std::string_view text, bool longest) const {
  Hit hit;
  u64 node = offset_of(units_[0]);
  for (u64 i = 0; i < text.size(); ++i) {
    const u32 byte = u8(text[i]);
    node ^= byte;
    if (node >= units_.size()) break;
    const u32 unit = units_[node];
    if (label_of(unit) != byte) break;
    node ^= offset_of(unit);
    if (!has_leaf(unit)) continue;
    if (node >= units_.size()) break;
    const u64 place = value_of(units_[node]);
    if (place >= pool_.size()) break;
    const std::string_view rest = std::string_view(pool_).substr(place);
    hit = {i + 1, rest.substr(0, rest.find('\0'))};
    if (!longest) break;
  }
  return hit;
}

}  // namespace orrery::text
