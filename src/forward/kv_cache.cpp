#include "forward/kv_cache.h"

#include <algorithm>
#include <cstring>

#include "base/half.h"

namespace orrery::forward {

void KvCache::add(const model::GroupedAttention& a) {
  const u64 keys = kPageTokens / kernels::kKeyTile * kernels::key_tile_bytes(format_, a.head_dim);
  const u64 values = kPageTokens * kernels::kv_row_bytes(format_, a.head_dim);
  const u64 stride = round_up(keys + values, u64(64));
  layers_.push_back({.offset = page_bytes_, .stride = stride, .values = keys});
  page_bytes_ += a.kv_heads * stride;
}

void KvCache::add(const model::LatentAttention& a) {
  const u64 element = latent_element_bytes();
  const u64 index = a.indexer.chooses() ? a.indexer.head_dim * sizeof(f32) : 0;
  layers_.push_back({.offset = page_bytes_,
                     .latent = a.kv_rank * element,
                     .rotary = a.rope_dim * element,
                     .index = index});
  page_bytes_ += kPageTokens * (a.cached_dim() * element + index);
}

void KvCache::add(const model::DeltaNet& d) {
  const u64 tail = u64(d.conv_width - 1) * d.conv_channels();
  layers_.push_back({.offset = page_bytes_, .state = state_floats_, .tail = tail});
  state_floats_ += tail + u64(d.value_heads) * d.key_dim * d.value_dim;
}

Result<KvCache> KvCache::make(const model::ModelSpec& spec, kernels::KvFormat format, u64 tokens,
                              u32 sequences_max, u32 states_kept) {
  KvCache cache;
  cache.format_ = format;
  for (const model::LayerSpec& layer : spec.layers) {
    const auto* a = std::get_if<model::GroupedAttention>(&layer.attention);
    if (a && a->head_dim % kernels::kv_dim_grain(format))
      return fail(
          "keys and values in {} need heads of a multiple of {} values, and these have {}; take "
          "f16",
          kernels::name(format), kernels::kv_dim_grain(format), a->head_dim);
  }
  for (const model::LayerSpec& layer : spec.layers)
    std::visit([&](const auto& a) { cache.add(a); }, layer.attention);
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
  const auto state_bytes = checked_mul(cache.state_floats_ * sizeof(f32), u64(sequences_max));
  if (!state_bytes) return fail("states of {} sequences are too large to address", sequences_max);
  TRY(cache.states_, HugeBuffer::allocate(*state_bytes));
  const auto kept_bytes = checked_mul(cache.state_floats_ * sizeof(f32), u64(states_kept));
  if (!kept_bytes) return fail("{} kept states are too large to address", states_kept);
  TRY(cache.kept_, HugeBuffer::allocate(*kept_bytes));
  cache.states_kept_ = states_kept;
  cache.pool_ = PagePool(u32(pages), sequences_max);
  return cache;
}

Result<u32> KvCache::open_sequence() {
  if (const auto sequence = pool_.open_sequence()) return *sequence;
  return fail("all {} sequences of the cache are in use", pool_.sequences_max());
}

void KvCache::close_sequence(u32 sequence) { pool_.close_sequence(sequence); }

Result<void> KvCache::reserve(u32 sequence, u32 length) {
  if (pool_.reserve(sequence, length)) return {};
  return fail("the context is full: {} positions do not fit the {} of the key/value cache", length,
              tokens_max());
}

void KvCache::truncate(u32 sequence, u32 length) { pool_.truncate(sequence, length); }

void KvCache::save_states(u32 sequence, u32 kept) {
  std::copy_n(states_floats() + sequence * state_floats_, state_floats_, kept_floats(kept));
}

void KvCache::load_states(u32 kept, u32 sequence) {
  std::copy_n(kept_floats(kept), state_floats_, states_floats() + sequence * state_floats_);
}

void KvCache::store_row(const f32* from, u32 n, u8* to) const {
  if (latent_format() == kernels::KvFormat::kF32) {
    std::memcpy(to, from, n * sizeof(f32));
    return;
  }
  for (u32 i = 0; i < n; ++i) {
    const u16 bits =
        latent_format() == kernels::KvFormat::kF16 ? f16_from_f32(from[i]) : bf16_from_f32(from[i]);
    std::memcpy(to + 2 * u64(i), &bits, 2);
  }
}

}  // namespace orrery::forward
