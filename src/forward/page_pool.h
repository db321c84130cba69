// PagePool: which page of the KvCache belongs to whom: tables of sequences, counts, the free list.
//
// A page is free, or used by one or more sequences, or kept for later by one keeper (the prefix
// cache), or both. Whoever shares pages sees to it that only whole pages are shared, so that nobody
// writes into a page that others read. Numbers only, no memory: a simulation can own one.
#pragma once

#include <optional>
#include <vector>

#include "base/types.h"

namespace orrery::forward {

inline constexpr u32 kPageTokens = 64;  // 8 pages a chunk of 512; 16 KiB of f16 a head of 64

class PagePool {
 public:
  PagePool() = default;
  PagePool(u32 pages, u32 sequences_max);

  // A new empty sequence; nothing when all numbers are taken.
  [[nodiscard]] std::optional<u32> open_sequence();
  void close_sequence(u32 sequence);
  // Makes room for positions below `length`; false, and nothing changed, when too few are free.
  [[nodiscard]] bool reserve(u32 sequence, u32 length);
  // Gives up the pages that hold only positions from `length` on.
  void truncate(u32 sequence, u32 length);
  [[nodiscard]] const std::vector<u32>& pages_of(u32 sequence) const {
    return tables_[sequence].pages;
  }
  [[nodiscard]] u32 page(u32 sequence, u32 index) const { return tables_[sequence].pages[index]; }

  // Puts a page that is used or kept behind the sequence's last.
  void share(u32 sequence, u32 page);
  // Uses another page with the same content in the place of the sequence's own.
  void replace(u32 sequence, u32 index, u32 page);
  void keep(u32 page);  // at most once at a time
  void drop(u32 page);
  // A free page, kept at once; nothing when none is free.
  [[nodiscard]] std::optional<u32> keep_new();
  [[nodiscard]] u32 users(u32 page) const { return state_[page].users; }
  [[nodiscard]] bool kept(u32 page) const { return state_[page].kept; }

  [[nodiscard]] u32 count() const { return u32(state_.size()); }
  [[nodiscard]] u32 free() const { return u32(free_.size()); }
  [[nodiscard]] u32 idle() const { return idle_; }  // kept and used by nobody
  [[nodiscard]] u32 sequences_max() const { return u32(tables_.size()); }
  [[nodiscard]] u32 sequences_open() const;

 private:
  struct Table {
    std::vector<u32> pages;  // reserved for all pages, so growing allocates nothing
    bool open = false;
  };
  struct State {
    u32 users = 0;
    bool kept = false;
  };
  void use(u32 page);
  void release(u32 page);

  std::vector<Table> tables_;
  std::vector<State> state_;
  std::vector<u32> free_;
  u32 idle_ = 0;
};

}  // namespace orrery::forward
