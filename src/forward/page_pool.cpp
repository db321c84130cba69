#include "forward/page_pool.h"

#include <algorithm>

namespace orrery::forward {

PagePool::PagePool(u32 pages, u32 sequences_max) : tables_(sequences_max), state_(pages) {
  for (Table& table : tables_) table.pages.reserve(pages);
  free_.reserve(pages);
  for (u32 i = pages; i > 0; --i) free_.push_back(i - 1);
}

std::optional<u32> PagePool::open_sequence() {
  for (u32 i = 0; i < tables_.size(); ++i) {
    if (tables_[i].open) continue;
    tables_[i].open = true;
    return i;
  }
  return std::nullopt;
}

void PagePool::close_sequence(u32 sequence) {
  truncate(sequence, 0);
  tables_[sequence].open = false;
}

u32 PagePool::sequences_open() const {
  return u32(std::count_if(tables_.begin(), tables_.end(), [](const Table& t) { return t.open; }));
}

void PagePool::use(u32 page) {
  State& state = state_[page];
  if (state.kept && state.users == 0) --idle_;
  ++state.users;
}

void PagePool::release(u32 page) {
  State& state = state_[page];
  if (--state.users > 0) return;
  if (state.kept)
    ++idle_;
  else
    free_.push_back(page);
}

bool PagePool::reserve(u32 sequence, u32 length) {
  std::vector<u32>& pages = tables_[sequence].pages;
  const u64 needed = divide_up(u64(length), u64(kPageTokens));
  if (needed > pages.size() + free_.size()) return false;
  while (pages.size() < needed) {
    const u32 page = free_.back();
    free_.pop_back();
    use(page);
    pages.push_back(page);
  }
  return true;
}

void PagePool::truncate(u32 sequence, u32 length) {
  std::vector<u32>& pages = tables_[sequence].pages;
  while (pages.size() > divide_up(u64(length), u64(kPageTokens))) {
    release(pages.back());
    pages.pop_back();
  }
}

void PagePool::share(u32 sequence, u32 page) {
  use(page);
  tables_[sequence].pages.push_back(page);
}

void PagePool::replace(u32 sequence, u32 index, u32 page) {
  u32& mine = tables_[sequence].pages[index];
  if (mine == page) return;
  use(page);
  release(mine);
  mine = page;
}

void PagePool::keep(u32 page) {
  State& state = state_[page];
  state.kept = true;
  if (state.users == 0) ++idle_;
}

void PagePool::drop(u32 page) {
  State& state = state_[page];
  state.kept = false;
  if (state.users > 0) return;
  --idle_;
  free_.push_back(page);
}

std::optional<u32> PagePool::keep_new() {
  if (free_.empty()) return std::nullopt;
  const u32 page = free_.back();
  free_.pop_back();
  keep(page);
  return page;
}

}  // namespace orrery::forward
