// Multi-head latent attention (DeepSeek-V2, 2024, section 2.1), absorbed: instead of expanding
// every cached latent into keys and values of all heads, a query is turned into the space of
// latents (latent_key), attends to the latents themselves, and what it read is turned into values
// (latent_value). Prompts and single tokens take the same way, so they give the same bits.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "forward/attend.h"
#include "forward/blocks.h"
#include "forward/key_indexer.h"
#include "forward/watch.h"

namespace orrery::forward {
namespace {

using kernels::kKeyChunk;
using kernels::kKeyTile;
using model::LatentAttention;
using model::Role;

// out[t, h] = matrix h of the stack x in[t, h], for the heads of this member.
void multiply_heads(const Step& step, Role role, u32 layer, u32 heads, const f32* in, u64 in_stride,
                    u64 in_head, f32* out, u64 out_stride, u64 out_head) {
  const model::RoleTable& w = step.model.weights.layers[layer];
  const u32 tokens = step.tokens();
  const Range share = step.worker.share(heads);
  for (u32 h = u32(share.begin); h < share.end; ++h) {
    const model::Matrix& m = w.matrix(role, h);
    const kernels::Activations x = kernels::place_activations(
        kernels::activation_kind(m.layout), m.cols, tokens, step.mine().head_input);
    step.kernels.quantize(in + h * in_head, in_stride, x, 0, tokens);
    step.kernels.matmul[u8(m.layout)](m, x, 0, m.panels(), out + h * out_head, out_stride, false);
  }
}

// Turns the rotary parts of queries and of the shared key, norms the latent, and stores it.
void turn_and_store(const Step& step, u32 layer, const LatentAttention& a) {
  Scratch& s = step.scratch;
  const model::RoleTable& w = step.model.weights.layers[layer];
  const u64 q_stride = u64(a.heads) * a.query_dim();
  const u64 absorbed_stride = u64(a.heads) * a.cached_dim();
  const u32 half = a.rope_dim / 2, units = a.heads + 1;
  const Range share = step.worker.share(u64(step.tokens()) * units);
  for (u64 i = share.begin; i < share.end; ++i) {
    const u32 t = u32(i / units), unit = u32(i % units);
    const BatchToken& token = step.batch.tokens[t];
    const f32* cos = s.cos + u64(t) * half;
    const f32* sin = s.sin + u64(t) * half;
    if (unit < a.heads) {
      f32* to = s.absorbed + t * absorbed_stride + u64(unit) * a.cached_dim();
      f32* turned = to + a.kv_rank;
      std::memcpy(turned, s.query + t * q_stride + u64(unit) * a.query_dim() + a.nope_dim,
                  a.rope_dim * sizeof(f32));
      step.kernels.rope(turned, 1, a.rope_dim, a.rope_dim, cos, sin);
      if (a.temperature.scale != 0)
        step.kernels.scale(temperature_at(a.temperature, token.position), to, a.cached_dim());
      continue;
    }
    f32* latent = s.key + u64(t) * a.cached_dim();
    norm_in_place(step, latent, w.vector(Role::kLatentNorm), a.kv_rank, model::kLatentNormEps);
    step.kernels.rope(latent + a.kv_rank, 1, a.rope_dim, a.rope_dim, cos, sin);
    step.cache.store_row(latent, a.kv_rank,
                         step.cache.latents(token.sequence, token.position, layer));
    step.cache.store_row(latent + a.kv_rank, a.rope_dim,
                         step.cache.rotary_keys(token.sequence, token.position, layer));
  }
}

// Key tiles of a chunk are made for each item: the cache holds a latent once, as the row that
// values are read from. `key_at(n)` is the position of the n-th key.
template <typename KeyAt>
void gather_keys(const Step& step, u32 layer, const LatentAttention& a, u32 sequence, u32 count,
                 KeyAt key_at) {
  const u32 element = step.cache.latent_element_bytes();
  u8* tile = step.mine().key_tiles;
  for (u32 first = 0; first < count; first += kKeyTile) {
    const void *latents[kKeyTile], *rotary[kKeyTile];
    for (u32 n = 0; n < kKeyTile; ++n) {
      // Behind the last key it stands again; no query sees those.
      const u32 position = key_at(std::min(first + n, count - 1));
      latents[n] = step.cache.latents(sequence, position, layer);
      rotary[n] = step.cache.rotary_keys(sequence, position, layer);
    }
    step.kernels.tile_rows(latents, a.kv_rank, element, tile);
    tile += u64(a.kv_rank) * kKeyTile * element;
    step.kernels.tile_rows(rotary, a.rope_dim, element, tile);
    tile += u64(a.rope_dim) * kKeyTile * element;
  }
}

void add_queries(const Step& step, const Item& item, const LatentAttention& a, Queries& queries,
                 Range chosen) {
  Scratch& s = step.scratch;
  for (u32 t = item.token_begin; t < item.token_end; ++t)
    for (u32 h = item.head_begin; h < item.head_end; ++h) {
      const u64 row = item.run.first + t;
      queries.add(s.absorbed + (row * a.heads + h) * a.cached_dim(),
                  s.attended + (row * a.heads + h) * a.kv_rank, a.kv_rank,
                  chosen.end ? chosen : visible_keys(item.run.position + t, 0), nullptr);
    }
}

void attend_item(const Step& step, u32 layer, const Item& item, const LatentAttention& a) {
  Queries queries;
  add_queries(step, item, a, queries, {});
  const u64 last = queries.visible[queries.count - 1].end;
  const u64 page_bytes = u64(kPageTokens) * a.cached_dim() * step.cache.latent_element_bytes();
  attend(
      step, queries, {a.cached_dim(), a.kv_rank, a.scale, step.cache.latent_format()},
      [&](u64 start, u32 pages, ChunkPages& to) {
        gather_keys(step, layer, a, item.run.sequence, u32(std::min<u64>(last - start, kKeyChunk)),
                    [&](u32 n) { return u32(start) + n; });
        for (u32 p = 0; p < pages; ++p) {
          to.keys[p] = step.mine().key_tiles + p * page_bytes;
          to.values[p] = step.cache.latents(item.run.sequence, u32(start) + p * kPageTokens, layer);
        }
      });
}

// The same over the keys that the indexer chose for one token; their latents are copied together.
void attend_chosen(const Step& step, u32 layer, const Item& item, const LatentAttention& a) {
  const u64 row = item.run.first + item.token_begin;
  const u32* chosen = step.scratch.index_chosen + row * a.indexer.keys_max;
  const u32 count = step.scratch.index_counts[row];
  Queries queries;
  add_queries(step, item, a, queries, {0, count});
  const u64 element = step.cache.latent_element_bytes();
  const u64 page_bytes = u64(kPageTokens) * a.cached_dim() * element;
  const u64 row_bytes = a.kv_rank * element;
  attend(step, queries, {a.cached_dim(), a.kv_rank, a.scale, step.cache.latent_format()},
         [&](u64 start, u32 pages, ChunkPages& to) {
           const u32 here = u32(std::min<u64>(count - start, kKeyChunk));
           const auto key_at = [&](u32 n) { return chosen[start + n]; };
           gather_keys(step, layer, a, item.run.sequence, here, key_at);
           u8* values = step.mine().value_rows;
           for (u32 n = 0; n < here; ++n)
             std::memcpy(values + n * row_bytes,
                         step.cache.latents(item.run.sequence, key_at(n), layer), row_bytes);
           for (u32 p = 0; p < pages; ++p) {
             to.keys[p] = step.mine().key_tiles + p * page_bytes;
             to.values[p] = values + p * kPageTokens * row_bytes;
           }
         });
}

// Queries and latents from the residual stream, and what the indexer needs.
void project_in(const Step& step, u32 layer, const LatentAttention& a) {
  const model::RoleTable& w = step.model.weights.layers[layer];
  Scratch& s = step.scratch;
  const u32 dim = step.model.spec.dim, q = a.heads * a.query_dim(), tokens = step.tokens();
  const model::KeyIndexer& x = a.indexer;
  const ActivationSet& normed = convert(
      step,
      {.values = s.residual, .stride = dim, .depth = dim, .norm = w.vector(Role::kAttentionNorm)},
      tokens);
  Product in[4] = {
      {&w.matrix(Role::kLatentDown), w.vector(Role::kLatentDownBias), s.key, a.cached_dim()}};
  u32 count = 1;
  if (a.query_rank)
    in[count++] = {&w.matrix(Role::kQueryDown), w.vector(Role::kQueryDownBias), s.query_latent,
                   a.query_rank};
  else
    in[count++] = {&w.matrix(Role::kQuery), nullptr, s.query, q};
  if (x.chooses()) {
    in[count++] = {&w.matrix(Role::kIndexKey), nullptr, s.index_key, x.head_dim};
    in[count++] = {&w.matrix(Role::kIndexWeights), nullptr, s.index_weights, x.heads};
  }
  multiply(step, normed, {in, count});
  step.worker.barrier();
  if (!a.query_rank) return;
  const ActivationSet& latents = convert(step,
                                         {.values = s.query_latent,
                                          .stride = a.query_rank,
                                          .depth = a.query_rank,
                                          .norm = w.vector(Role::kQueryDownNorm),
                                          .norm_eps = model::kLatentNormEps},
                                         tokens);
  const Product up[] = {{&w.matrix(Role::kQueryUp), nullptr, s.query, q},
                        {x.chooses() ? &w.matrix(Role::kIndexQuery) : nullptr, nullptr,
                         s.index_query, u64(x.heads) * x.head_dim}};
  multiply(step, latents, {up, x.chooses() ? 2u : 1u});
  step.worker.barrier();
}

}  // namespace

template <typename Tap>
void latent_attention(const Step& step, u32 layer, const LatentAttention& a, Tap& tap) {
  const model::RoleTable& w = step.model.weights.layers[layer];
  Scratch& s = step.scratch;
  const u32 dim = step.model.spec.dim, values = a.heads * a.value_dim;
  watch_norm(step, tap, trace::Point::kAttentionNorm, layer, w.vector(Role::kAttentionNorm));
  project_in(step, layer, a);
  multiply_heads(step, Role::kLatentKey, layer, a.heads, s.query, u64(a.heads) * a.query_dim(),
                 a.query_dim(), s.absorbed, u64(a.heads) * a.cached_dim(), a.cached_dim());
  step.worker.barrier();
  turn_and_store(step, layer, a);
  if (a.indexer.chooses()) store_index_keys(step, layer, a);
  step.worker.barrier();
  if (a.indexer.chooses()) {
    choose_keys(step, layer, a);
    step.worker.barrier();
  }
  watch_rows(step, tap, trace::Point::kQuery, layer, s.absorbed, a.heads * a.cached_dim());
  watch_rows(step, tap, trace::Point::kKey, layer, s.key, a.cached_dim());
  for_my_items(step, a.heads, 1, a.indexer.heads ? 1 : ~0u, [&](const Item& item) {
    const u32 position = item.run.position + item.token_begin;
    if (a.indexer.heads && position >= a.indexer.keys_max)
      attend_chosen(step, layer, item, a);
    else
      attend_item(step, layer, item, a);
  });
  step.worker.barrier();
  // The queries are not needed any more: their place takes the values.
  multiply_heads(step, Role::kLatentValue, layer, a.heads, s.attended, u64(a.heads) * a.kv_rank,
                 a.kv_rank, s.query, values, a.value_dim);
  step.worker.barrier();
  watch_rows(step, tap, trace::Point::kAttentionOutput, layer, s.query, values);
  project_attended(step, w, s.query, values);
  watch_rows(step, tap, trace::Point::kResidualAttention, layer, s.residual, dim);
}

template void latent_attention(const Step&, u32, const LatentAttention&, trace::TapOff&);
template void latent_attention(const Step&, u32, const LatentAttention&, trace::TapOn&);

}  // namespace orrery::forward
