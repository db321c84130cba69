// See vocabulary.h.
#include "text/vocabulary.h"

#include <algorithm>
#include <utility>

#include "text/hash.h"

namespace orrery::text {

namespace {

constexpr u64 kNameBytesMax = u64(1) << 30;

}  // namespace

void Vocabulary::reserve(u64 tokens, u64 name_bytes) {
  tokens = std::min(tokens, kIdsMax);
  spans_.reserve(tokens);
  names_.reserve(std::min(name_bytes, kNameBytesMax));
  u64 slots = 64;
  while (slots < tokens * 2) slots *= 2;
  if (slots > slot_count_) (void)resize(slots);  // put() tries again and says so if it cannot
}

bool Vocabulary::resize(u64 slots) {
  auto memory = HugeBuffer::allocate(slots * sizeof(Slot));
  if (!memory) return false;
  const HugeBuffer old = std::exchange(memory_, std::move(*memory));
  const Slot* const from = reinterpret_cast<const Slot*>(old.data());
  const u64 old_count = std::exchange(slot_count_, slots);
  for (u64 k = 0; k < old_count; ++k) {
    if (from[k].id_plus == 0) continue;
    u64 i = hash_of(name(TokenId(from[k].id_plus - 1))) & (slot_count_ - 1);
    while (this->slots()[i].id_plus != 0) i = (i + 1) & (slot_count_ - 1);
    this->slots()[i] = from[k];
  }
  return true;
}

Result<void> Vocabulary::add(u64 id, std::string_view name) {
  return put(id, name, hash_of(name), true);
}
Result<void> Vocabulary::add(u64 id, std::string_view name, u64 hash) {
  return put(id, name, hash, true);
}
Result<void> Vocabulary::add_alias(u64 id, std::string_view name) {
  return put(id, name, hash_of(name), false);
}

Result<void> Vocabulary::put(u64 id, std::string_view name, u64 hash, bool unique) {
  if (id >= kIdsMax) return fail("token id {} is out of range (at most {})", id, kIdsMax - 1);
  if (names_.size() + name.size() > kNameBytesMax) return fail("the token names are too long");
  if (id < spans_.size() && spans_[id].length != Span::kNone) {
    return fail("token id {} is given twice", id);
  }
  if ((count_ + 1) * u64(2) > slot_count_ && !resize(std::max<u64>(64, slot_count_ * 2))) {
    return fail("out of memory for {} tokens", count_);
  }
  const u64 mask = slot_count_ - 1;
  u64 i = hash & mask;
  bool known = false;
  for (u32 probes = 0; slots()[i].id_plus != 0; i = (i + 1) & mask) {
    if (++probes > kProbesMax) return fail("the token names were made to collide");
    if (holds(slots()[i], hash, name)) {
      known = true;
      break;
    }
  }
  if (known && unique) {
    return fail("token id {} has the name of token {}", id, slots()[i].id_plus - 1);
  }
  if (id >= spans_.size()) spans_.resize(id + 1);
  spans_[id] = {u32(names_.size()), u32(name.size())};
  names_ += name;
  if (!known) slots()[i] = {u32(hash >> 32), u32(id + 1), spans_[id]};
  ++count_;
  return {};
}

std::optional<TokenId> Vocabulary::find(std::string_view name) const {
  return find(name, hash_of(name));
}

std::optional<TokenId> Vocabulary::find(std::string_view name, u64 hash) const {
  if (slot_count_ == 0) return std::nullopt;
  const u64 mask = slot_count_ - 1;
  for (u64 i = hash & mask; slots()[i].id_plus != 0; i = (i + 1) & mask) {
    if (holds(slots()[i], hash, name)) return TokenId(slots()[i].id_plus - 1);
  }
  return std::nullopt;
}

bool Vocabulary::has(TokenId id) const {
  return id >= 0 && u32(id) < spans_.size() && spans_[u32(id)].length != Span::kNone;
}

std::string_view Vocabulary::name(TokenId id) const {
  if (!has(id)) return {};
  const Span span = spans_[u32(id)];
  return std::string_view(names_).substr(span.begin, span.length);
}

}  // namespace orrery::text
