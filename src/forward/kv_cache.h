// KvCache: keys and values of all sequences, in pages.
//
// A page holds kPageTokens positions of one sequence, for all layers and heads: per layer and KV
// head first the keys, [tiles of 16][head_dim][16], so that a query meets 16 keys with one
// multiply-add, then the values, [position][head_dim]. A sequence is a list of pages; page size is
// no part of any result. Kwon et al. 2023, "PagedAttention".
#pragma once

#include <vector>

#include "base/huge_buffer.h"
#include "kernels/kernels.h"
#include "model/spec.h"

namespace orrery::forward {

inline constexpr u32 kPageTokens = 64;  // 8 pages a chunk of 512; 16 KiB of f16 a head of 64
static_assert(kernels::kKeyChunk % kPageTokens == 0 && kPageTokens % kernels::kKeyTile == 0);

class KvCache {
 public:
  // Room for `tokens` positions over all sequences, rounded up to pages for each.
  [[nodiscard]] static Result<KvCache> make(const model::ModelSpec& spec, kernels::KvFormat format,
                                            u64 tokens, u32 sequences_max);

  // A new empty sequence; an error when all numbers are taken.
  [[nodiscard]] Result<u32> open_sequence();
  void close_sequence(u32 sequence);
  // Makes room for positions below `length`; an error when the pages are used up.
  [[nodiscard]] Result<void> reserve(u32 sequence, u32 length);
  // Forgets positions from `length` on and gives their pages back.
  void truncate(u32 sequence, u32 length);

  [[nodiscard]] kernels::KvFormat format() const { return format_; }
  [[nodiscard]] u32 pages_free() const { return u32(free_.size()); }
  [[nodiscard]] u64 tokens_max() const { return u64(page_count_) * kPageTokens; }

  // Where page `index` of the sequence keeps the keys / values of one layer and KV head.
  [[nodiscard]] u8* keys(u32 sequence, u32 index, u32 layer, u32 kv_head) const {
    return memory_.data() + u64(tables_[sequence].pages[index]) * page_bytes_ +
           layer_offsets_[layer] + u64(kv_head) * layer_strides_[layer];
  }
  [[nodiscard]] u8* values(u32 sequence, u32 index, u32 layer, u32 kv_head) const {
    return keys(sequence, index, layer, kv_head) + layer_strides_[layer] / 2;
  }

 private:
  struct Table {
    std::vector<u32> pages;  // reserved for all pages, so growing allocates nothing
    bool open = false;
  };
  kernels::KvFormat format_ = kernels::KvFormat::kF16;
  u64 page_bytes_ = 0;
  u32 page_count_ = 0;
  std::vector<u64> layer_offsets_;  // bytes into a page
  std::vector<u64> layer_strides_;  // bytes of one KV head's keys and values in a page
  std::vector<Table> tables_;
  std::vector<u32> free_;
  HugeBuffer memory_;
};

// Bytes that one more position takes in the cache, over all layers.
[[nodiscard]] u64 kv_bytes_per_token(const model::ModelSpec& spec, kernels::KvFormat format);

}  // namespace orrery::forward
