// Vocabulary: token names by id and ids by name.
//
// All names lie one after another in one string; the index is a flat hash table. Ids may have
// holes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/huge_buffer.h"
#include "base/types.h"

namespace orrery::text {

using TokenId = i32;

class Vocabulary {
 public:
  // More than any tokenizer has, and few enough that the tables of a hostile file stay small.
  static constexpr u64 kIdsMax = u64(1) << 21;

  void reserve(u64 tokens, u64 name_bytes);
  // An error when the id is out of range or taken, or the name is there already.
  [[nodiscard]] Result<void> add(u64 id, std::string_view name);
  [[nodiscard]] Result<void> add(u64 id, std::string_view name, u64 hash);  // hash_of(name)
  // The same for a name that need not be unique (the id keeps it, find() gives the first).
  [[nodiscard]] Result<void> add_alias(u64 id, std::string_view name);

  [[nodiscard]] std::optional<TokenId> find(std::string_view name) const;
  // The same in steps, for readers that look up many names and can ask for the memory ahead: the
  // slot, then the name that it points at.
  [[nodiscard]] std::optional<TokenId> find(std::string_view name, u64 hash) const;
  void prefetch(u64 hash) const {
    if (slot_count_) __builtin_prefetch(&slots()[hash & (slot_count_ - 1)]);
  }
  void prefetch_name(u64 hash) const {
    if (slot_count_ == 0) return;
    const Slot& slot = slots()[hash & (slot_count_ - 1)];
    if (slot.id_plus != 0) __builtin_prefetch(names_.data() + slot.span.begin);
  }
  [[nodiscard]] bool has(TokenId id) const;
  [[nodiscard]] std::string_view name(TokenId id) const;         // empty for an id that nobody has
  [[nodiscard]] u32 size() const { return u32(spans_.size()); }  // one more than the largest id
  [[nodiscard]] u32 count() const { return count_; }

 private:
  struct Span {
    u32 begin = 0;
    u32 length = kNone;
    static constexpr u32 kNone = ~u32(0);
  };
  // A place of the index. The name's place stands here too, so that a look-up reads the slot and
  // the name and nothing else.
  struct Slot {
    u32 tag = 0;      // the upper half of the hash
    u32 id_plus = 0;  // id + 1; 0: empty
    Span span;
  };
  [[nodiscard]] Result<void> put(u64 id, std::string_view name, u64 hash, bool unique);
  [[nodiscard]] bool holds(const Slot& slot, u64 hash, std::string_view name) const {
    return slot.tag == u32(hash >> 32) && slot.span.length == name.size() &&
           std::string_view(names_).substr(slot.span.begin, slot.span.length) == name;
  }
  [[nodiscard]] Slot* slots() const { return reinterpret_cast<Slot*>(memory_.data()); }
  [[nodiscard]] bool resize(u64 slots);

  std::string names_;
  std::vector<Span> spans_;  // [ids]
  HugeBuffer memory_;        // Slots; zero bytes are an empty one
  u64 slot_count_ = 0;
  u32 count_ = 0;
};

}  // namespace orrery::text
