// Vocabulary: token names by id and ids by name.
//
// All names lie one after another in one string; the index is a flat hash table. Ids may have holes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/types.h"

namespace orrery::text {

using TokenId = i32;

class Vocabulary {
 public:
  // More than any tokenizer has, and few enough that the tables of a hostile file stay small.
  static constexpr u64 kIdsMax = u64(1) << 22;

  void reserve(u64 tokens, u64 name_bytes);
  // An error when the id is out of range or taken, or the name is there already.
  [[nodiscard]] Result<void> add(u64 id, std::string_view name);
  // The same for a name that need not be unique (the id keeps it, find() gives the first).
  [[nodiscard]] Result<void> add_alias(u64 id, std::string_view name);

  [[nodiscard]] std::optional<TokenId> find(std::string_view name) const;
  [[nodiscard]] bool has(TokenId id) const;
  [[nodiscard]] std::string_view name(TokenId id) const;  // empty for an id that nobody has
  [[nodiscard]] u32 size() const { return u32(spans_.size()); }  // one more than the largest id
  [[nodiscard]] u32 count() const { return count_; }

 private:
  struct Span {
    u32 begin = 0;
    u32 length = kNone;
    static constexpr u32 kNone = ~u32(0);
  };
  [[nodiscard]] Result<void> put(u64 id, std::string_view name, bool unique);
  void grow();

  std::string names_;
  std::vector<Span> spans_;  // [ids]
  std::vector<u64> slots_;   // upper half of the hash, id + 1; 0: empty
  u32 count_ = 0;
};

}  // namespace orrery::text
