// Grouped-query attention over the paged cache (Ainslie et al. 2023).
#include <cmath>

#include "forward/attend.h"
#include "forward/blocks.h"
#include "forward/watch.h"

namespace orrery::forward {
namespace {

using kernels::kKeyTile;
using model::GroupedAttention;
using model::QkNorm;
using model::Role;

// A head of queries or keys as attention takes it: normed, turned by its position.
void turn(const Step& step, const GroupedAttention& a, f32* head, const f32* weight, u32 t) {
  const f32 eps = step.model.spec.norm_eps;
  if (a.qk_norm == QkNorm::kBeforeRope) norm_in_place(step, head, weight, a.head_dim, eps);
  if (a.rope) {
    const u32 rotary = step.model.spec.rope.dim;
    step.kernels.rope(head, 1, a.head_dim, rotary, step.scratch.cos + u64(t) * (rotary / 2),
                      step.scratch.sin + u64(t) * (rotary / 2));
  }
  if (a.qk_norm == QkNorm::kPlainAfterRope) norm_in_place(step, head, nullptr, a.head_dim, eps);
}

// Prepares queries, and keys and values on their way into the cache. A unit of work is one head of
// one token.
void turn_and_store(const Step& step, u32 layer, const GroupedAttention& a) {
  Scratch& s = step.scratch;
  const model::RoleTable& w = step.model.weights.layers[layer];
  const u32 units = a.heads + a.kv_heads;
  const u64 q_stride = u64(a.heads) * a.head_dim, kv_stride = u64(a.kv_heads) * a.head_dim;
  const kernels::KvFormat format = step.cache.format();
  const bool rotated = is_rounded(format);  // undone in what the queries read (attend_item)
  const u64 tile_bytes = kernels::key_tile_bytes(format, a.head_dim);
  const u64 row_bytes = kernels::kv_row_bytes(format, a.head_dim);
  const Range share = step.worker.share(u64(step.tokens()) * units);
  for (u64 i = share.begin; i < share.end; ++i) {
    const u32 t = u32(i / units), unit = u32(i % units);
    const BatchToken& token = step.batch.tokens[t];
    if (unit < a.heads) {
      f32* q = s.query + t * q_stride + u64(unit) * a.head_dim;
      turn(step, a, q, w.vector(Role::kQueryNorm), t);
      if (a.temperature.scale != 0)
        step.kernels.scale(temperature_at(a.temperature, token.position), q, a.head_dim);
      if (rotated) kernels::hadamard(q, a.head_dim);
      continue;
    }
    const u32 head = unit - a.heads, page = token.position / kPageTokens;
    const u32 within = token.position % kPageTokens;
    f32* k = s.key + t * kv_stride + u64(head) * a.head_dim;
    f32* v = s.value + t * kv_stride + u64(head) * a.head_dim;
    turn(step, a, k, w.vector(Role::kKeyNorm), t);
    if (rotated) {
      kernels::hadamard(k, a.head_dim);
      kernels::hadamard(v, a.head_dim);
    }
    u8* k_tile =
        step.cache.keys(token.sequence, page, layer, head) + within / kKeyTile * tile_bytes;
    u8* v_row = step.cache.values(token.sequence, page, layer, head) + within * row_bytes;
    step.kernels.store_kv(format, k, v, a.head_dim, a.head_dim, k_tile, v_row, within % kKeyTile);
  }
}

void attend_item(const Step& step, u32 layer, const Item& item, const GroupedAttention& a) {
  const u64 stride = u64(a.heads) * a.head_dim;
  const f32* sinks = step.model.weights.layers[layer].vector(Role::kSinks);
  Queries queries;
  for (u32 t = item.token_begin; t < item.token_end; ++t)
    for (u32 h = item.head_begin; h < item.head_end; ++h) {
      const u64 at = (item.run.first + t) * stride + u64(h) * a.head_dim;
      queries.add(step.scratch.query + at, step.scratch.attended + at, a.head_dim,
                  visible_keys(item.run.position + t, a.window, a.chunk),
                  sinks ? sinks + h : nullptr);
    }
  const kernels::KvFormat format = step.cache.format();
  attend(step, queries, {a.head_dim, a.head_dim, 1.0f / std::sqrt(f32(a.head_dim)), format},
         [&](u64 start, u32 pages, ChunkPages& to) {
           for (u32 p = 0; p < pages; ++p) {
             const u32 page = u32(start / kPageTokens) + p;
             to.keys[p] = step.cache.keys(item.run.sequence, page, layer, item.kv_head);
             to.values[p] = step.cache.values(item.run.sequence, page, layer, item.kv_head);
           }
         });
  if (is_rounded(format))
    for (u32 i = 0; i < queries.count; ++i) kernels::hadamard(queries.value[i], a.head_dim);
}

// attended *= sigmoid(gate).
void apply_gate(const Step& step, u32 width) {
  Scratch& s = step.scratch;
  const Range share = step.worker.share(u64(step.tokens()) * width, 16);
  for (u64 i = share.begin; i < share.end; ++i) s.attended[i] *= 1 / (1 + std::exp(-s.gate[i]));
}

}  // namespace

template <typename Tap>
void grouped_attention(const Step& step, u32 layer, const GroupedAttention& a, Tap& tap) {
  const model::RoleTable& w = step.model.weights.layers[layer];
  Scratch& s = step.scratch;
  const u32 dim = step.model.spec.dim, q = a.heads * a.head_dim, kv = a.kv_heads * a.head_dim;
  const f32* norm = w.vector(Role::kAttentionNorm);

  watch_norm(step, tap, trace::Point::kAttentionNorm, layer, norm);
  const ActivationSet& normed = convert(
      step, {.values = s.residual, .stride = dim, .depth = dim, .norm = norm}, step.tokens());
  const Product in[] = {{&w.matrix(Role::kQuery), w.vector(Role::kQueryBias), s.query, q},
                        {&w.matrix(Role::kKey), w.vector(Role::kKeyBias), s.key, kv},
                        {&w.matrix(Role::kValue), w.vector(Role::kValueBias), s.value, kv},
                        {a.gate ? &w.matrix(Role::kAttentionGate) : nullptr,
                         w.vector(Role::kAttentionGateBias), s.gate, q}};
  multiply(step, normed, {in, a.gate ? 4u : 3u});
  step.worker.barrier();
  turn_and_store(step, layer, a);
  step.worker.barrier();
  watch_rows(step, tap, trace::Point::kQuery, layer, s.query, q);
  watch_rows(step, tap, trace::Point::kKey, layer, s.key, kv);
  watch_rows(step, tap, trace::Point::kValue, layer, s.value, kv);
  for_my_items(step, a.heads, a.kv_heads, ~0u,
               [&](const Item& item) { attend_item(step, layer, item, a); });
  step.worker.barrier();
  if (a.gate) {
    apply_gate(step, q);
    step.worker.barrier();
  }
  watch_rows(step, tap, trace::Point::kAttentionOutput, layer, s.attended, q);
  project_attended(step, w, s.attended, q);
  watch_rows(step, tap, trace::Point::kResidualAttention, layer, s.residual, dim);
}

template void grouped_attention(const Step&, u32, const GroupedAttention&, trace::TapOff&);
template void grouped_attention(const Step&, u32, const GroupedAttention&, trace::TapOn&);

}  // namespace orrery::forward
