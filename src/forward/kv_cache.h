// KvCache: what attention keeps of all sequences: keys and values in pages, and states.
//
// A page holds kPageTokens positions of one sequence, for all layers. Grouped attention: per KV
// head first the keys in tiles of 16, so that a query meets 16 keys with one multiply-add, then
// the values, [position][head_dim] (kernels/kv_format.h). Latent attention: the latents,
// [position][kv_rank], then the rotary keys, [position][rope_dim], then the index keys in float32,
// [position][head_dim]. A sequence is a list of pages; page size is no part of any result. Kwon et
// al. 2023, "PagedAttention". A delta net has no pages but one state a sequence, in float32, which
// cannot be rewound.
#pragma once

#include <span>
#include <vector>

#include "base/huge_buffer.h"
#include "forward/page_pool.h"
#include "kernels/kernels.h"
#include "model/spec.h"

namespace orrery::forward {

static_assert(kernels::kKeyChunk % kPageTokens == 0 && kPageTokens % kernels::kKeyTile == 0);

class KvCache {
 public:
  // Room for `tokens` positions over all sequences, rounded up to pages for each, and for
  // `states_kept` copies of a sequence's states.
  [[nodiscard]] static Result<KvCache> make(const model::ModelSpec& spec, kernels::KvFormat format,
                                            u64 tokens, u32 sequences_max, u32 states_kept = 0);

  // A new empty sequence; an error when all numbers are taken.
  [[nodiscard]] Result<u32> open_sequence();
  void close_sequence(u32 sequence);
  // Makes room for positions below `length`; an error when the pages are used up.
  [[nodiscard]] Result<void> reserve(u32 sequence, u32 length);
  // Forgets positions from `length` on and gives their pages back. With states (see rewinds())
  // `length` must be 0 or all.
  void truncate(u32 sequence, u32 length);
  // False when the model has states, which know no way back.
  [[nodiscard]] bool rewinds() const { return state_floats_ == 0; }

  [[nodiscard]] kernels::KvFormat format() const { return format_; }
  // Latents are small already: they are not rounded below f16.
  [[nodiscard]] kernels::KvFormat latent_format() const {
    return kernels::is_rounded(format_) ? kernels::KvFormat::kF16 : format_;
  }
  [[nodiscard]] u32 latent_element_bytes() const {
    return kernels::kv_value_bits(latent_format()) / 8;
  }
  [[nodiscard]] u32 pages_free() const { return pool_.free(); }
  [[nodiscard]] u64 tokens_max() const { return u64(pool_.count()) * kPageTokens; }
  // Who has which page; for those that share pages between sequences.
  [[nodiscard]] PagePool& pool() { return pool_; }
  [[nodiscard]] const std::vector<u32>& pages_of(u32 sequence) const {
    return pool_.pages_of(sequence);
  }
  // All layers of a page. With states a page alone is not enough to go on from.
  [[nodiscard]] std::span<u8> page_bytes(u32 page) const {
    return {memory_.data() + u64(page) * page_bytes_, page_bytes_};
  }

  // Where page `index` of the sequence keeps the keys / values of one layer and KV head.
  [[nodiscard]] u8* keys(u32 sequence, u32 index, u32 layer, u32 kv_head) const {
    return page(sequence, index, layer) + u64(kv_head) * layers_[layer].stride;
  }
  [[nodiscard]] u8* values(u32 sequence, u32 index, u32 layer, u32 kv_head) const {
    return keys(sequence, index, layer, kv_head) + layers_[layer].values;
  }
  // Rows of latent attention; those of one page follow each other.
  [[nodiscard]] u8* latents(u32 sequence, u32 position, u32 layer) const {
    return row(sequence, position, layer, 0, layers_[layer].latent);
  }
  [[nodiscard]] u8* rotary_keys(u32 sequence, u32 position, u32 layer) const {
    const Layer& l = layers_[layer];
    return row(sequence, position, layer, kPageTokens * l.latent, l.rotary);
  }
  [[nodiscard]] f32* index_key(u32 sequence, u32 position, u32 layer) const {
    const Layer& l = layers_[layer];
    return reinterpret_cast<f32*>(
        row(sequence, position, layer, kPageTokens * (l.latent + l.rotary), l.index));
  }
  // Copies a sequence's states to a kept one, and back: the only way to go on from an earlier
  // place.
  [[nodiscard]] u32 states_kept() const { return states_kept_; }
  void save_states(u32 sequence, u32 kept);
  void load_states(u32 kept, u32 sequence);
  // Writes n floats in the latents' format.
  void store_row(const f32* from, u32 n, u8* to) const;
  // States of a delta net: the last inputs of its convolution [conv_width - 1, channels], and
  // [value_heads, key_dim, value_dim].
  [[nodiscard]] f32* conv_tail(u32 sequence, u32 layer) const {
    return states_floats() + sequence * state_floats_ + layers_[layer].state;
  }
  [[nodiscard]] f32* delta_state(u32 sequence, u32 layer) const {
    return conv_tail(sequence, layer) + layers_[layer].tail;
  }

 private:
  struct Layer {
    u64 offset = 0;                         // bytes into a page
    u64 stride = 0;                         // bytes of one KV head's keys and values in a page
    u64 values = 0;                         // bytes of them that are keys
    u64 latent = 0, rotary = 0, index = 0;  // bytes of a row
    u64 state = 0, tail = 0;                // floats: where the state begins, length of its tail
  };
  void add(const model::GroupedAttention& a);
  void add(const model::LatentAttention& a);
  void add(const model::DeltaNet& d);
  [[nodiscard]] u8* page(u32 sequence, u32 index, u32 layer) const {
    return memory_.data() + u64(pool_.page(sequence, index)) * page_bytes_ + layers_[layer].offset;
  }
  [[nodiscard]] u8* row(u32 sequence, u32 position, u32 layer, u64 begin, u64 bytes) const {
    return page(sequence, position / kPageTokens, layer) + begin + position % kPageTokens * bytes;
  }
  [[nodiscard]] f32* kept_floats(u32 kept) const {
    return reinterpret_cast<f32*>(kept_.data()) + kept * state_floats_;
  }
  [[nodiscard]] f32* states_floats() const { return reinterpret_cast<f32*>(states_.data()); }

  kernels::KvFormat format_ = kernels::KvFormat::kF16;
  u64 page_bytes_ = 0, state_floats_ = 0;  // of all layers
  u32 states_kept_ = 0;
  std::vector<Layer> layers_;
  PagePool pool_;
  HugeBuffer memory_, states_, kept_;
};

}  // namespace orrery::forward
