// See vocabulary.h.
#include "text/vocabulary.h"

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
  if (slots_.empty()) slots_.resize(slots);
}

void Vocabulary::grow() {
  std::vector<Slot> old = std::move(slots_);
  slots_ = std::vector<Slot>(std::max<u64>(64, old.size() * 2));
  const u64 mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.id_plus == 0) continue;
    u64 i = hash_of(name(TokenId(slot.id_plus - 1))) & mask;
    while (slots_[i].id_plus != 0) i = (i + 1) & mask;
    slots_[i] = slot;
  }
}

Result<void> Vocabulary::add(u64 id, std::string_view name) { return put(id, name, true); }
Result<void> Vocabulary::add_alias(u64 id, std::string_view name) { return put(id, name, false); }

Result<void> Vocabulary::put(u64 id, std::string_view name, bool unique) {
  if (id >= kIdsMax) return fail("token id {} is out of range (at most {})", id, kIdsMax - 1);
  if (names_.size() + name.size() > kNameBytesMax) return fail("the token names are too long");
  if (id < spans_.size() && spans_[id].length != Span::kNone) {
    return fail("token id {} is given twice", id);
  }
  if ((count_ + 1) * u64(2) > slots_.size()) grow();
  const u64 hash = hash_of(name), mask = slots_.size() - 1;
  u64 i = hash & mask;
  bool known = false;
  for (u32 probes = 0; slots_[i].id_plus != 0; i = (i + 1) & mask) {
    if (++probes > kProbesMax) return fail("the token names were made to collide");
    if (holds(slots_[i], hash, name)) {
      known = true;
      break;
    }
  }
  if (known && unique) {
    return fail("token id {} has the name of token {}", id, slots_[i].id_plus - 1);
  }
  if (id >= spans_.size()) spans_.resize(id + 1);
  spans_[id] = {u32(names_.size()), u32(name.size())};
  names_ += name;
  if (!known) slots_[i] = {u32(hash >> 32), u32(id + 1), spans_[id]};
  ++count_;
  return {};
}

std::optional<TokenId> Vocabulary::find(std::string_view name) const {
  return find(name, hash_of(name));
}

std::optional<TokenId> Vocabulary::find(std::string_view name, u64 hash) const {
  if (slots_.empty()) return std::nullopt;
  const u64 mask = slots_.size() - 1;
  for (u64 i = hash & mask; slots_[i].id_plus != 0; i = (i + 1) & mask) {
    if (holds(slots_[i], hash, name)) return TokenId(slots_[i].id_plus - 1);
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
