#include "forward/kv_cache.h"

namespace orrery::forward {
namespace {

// Bytes of the keys and values of one KV head for `tokens` positions.
u64 head_bytes(const model::LayerSpec& layer, kernels::KvFormat format, u64 tokens) {
  const auto& a = std::get<model::GroupedAttention>(layer.attention);
  return 2 * tokens * a.head_dim * kernels::kv_element_bytes(format);
}

}  // namespace

u64 kv_bytes_per_token(const model::ModelSpec& spec, kernels::KvFormat format) {
  u64 bytes = 0;
  for (const model::LayerSpec& layer : spec.layers)
    bytes +=
        std::get<model::GroupedAttention>(layer.attention).kv_heads * head_bytes(layer, format, 1);
  return bytes;
}

Result<KvCache> KvCache::make(const model::ModelSpec& spec, kernels::KvFormat format, u64 tokens,
                              u32 sequences_max) {
  KvCache cache;
  cache.format_ = format;
  for (const model::LayerSpec& layer : spec.layers) {
    const auto& a = std::get<model::GroupedAttention>(layer.attention);
    cache.layer_offsets_.push_back(cache.page_bytes_);
    cache.layer_strides_.push_back(head_bytes(layer, format, kPageTokens));
    cache.page_bytes_ += a.kv_heads * cache.layer_strides_.back();
  }
  // Each sequence may leave its last page partly empty.
  const u64 pages = divide_up(tokens, u64(kPageTokens)) + sequences_max - 1;
  const auto bytes = checked_mul(pages, cache.page_bytes_);
  if (!bytes || pages > (u64(1) << 31))
    return fail("a key/value cache of {} positions is too large to address", tokens);
  auto memory = HugeBuffer::allocate(*bytes);
  if (!memory)
    return fail(
        "no memory for a key/value cache of {} positions ({} MiB); ask for a shorter context",
        tokens, *bytes >> 20);
  cache.memory_ = std::move(*memory);
  cache.page_count_ = u32(pages);
  cache.tables_.resize(sequences_max);
  for (Table& table : cache.tables_) table.pages.reserve(pages);
  for (u32 i = cache.page_count_; i > 0; --i) cache.free_.push_back(i - 1);
  return cache;
}

Result<u32> KvCache::open_sequence() {
  for (u32 i = 0; i < tables_.size(); ++i) {
    if (tables_[i].open) continue;
    tables_[i].open = true;
    return i;
  }
  return fail("all {} sequences of the cache are in use", tables_.size());
}

void KvCache::close_sequence(u32 sequence) {
  truncate(sequence, 0);
  tables_[sequence].open = false;
}

Result<void> KvCache::reserve(u32 sequence, u32 length) {
  std::vector<u32>& pages = tables_[sequence].pages;
  while (u64(pages.size()) * kPageTokens < length) {
    if (free_.empty())
      return fail("the context is full: {} positions do not fit the {} of the key/value cache",
                  length, tokens_max());
    pages.push_back(free_.back());
    free_.pop_back();
  }
  return {};
}

void KvCache::truncate(u32 sequence, u32 length) {
  std::vector<u32>& pages = tables_[sequence].pages;
  while (pages.size() > divide_up(length, kPageTokens)) {
    free_.push_back(pages.back());
    pages.pop_back();
  }
}

}  // namespace orrery::forward
