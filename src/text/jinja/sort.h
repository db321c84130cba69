// A stable merge sort. std::sort and std::stable_sort may do anything when the comparison is not an
// order, and Python's values have such comparisons (NaN); this one only ever moves items about.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "base/types.h"

namespace orrery::text::jinja {

// Sorted so that less(later, earlier) is false where `less` is an order. `less` may throw.
template <typename Item, typename Less>
void merge_sort(std::vector<Item>& items, Less less) {
  std::vector<Item> merged;
  merged.reserve(items.size());
  for (u64 run = 1; run < items.size(); run *= 2) {
    merged.clear();
    for (u64 begin = 0; begin < items.size(); begin += 2 * run) {
      const u64 middle = std::min(begin + run, items.size()),
                end = std::min(begin + 2 * run, items.size());
      u64 left = begin, right = middle;
      while (left < middle && right < end) {
        const bool takes_right = less(items[right], items[left]);
        merged.push_back(std::move(takes_right ? items[right++] : items[left++]));
      }
      while (left < middle) merged.push_back(std::move(items[left++]));
      while (right < end) merged.push_back(std::move(items[right++]));
    }
    items.swap(merged);
  }
}

}  // namespace orrery::text::jinja
