#include "plan/figures.h"

#include <algorithm>

#include "model/tensors.h"

namespace orrery::plan {
namespace {

using model::Role;

constexpr u64 kHalf = 2;  // bytes of an f16

f64 bytes_of(const model::TensorNeed& need, Format format) {
  if (need.is_vector()) return f64(need.values()) * sizeof(f32);
  const FormatInfo& row = info(format);
  return f64(need.values()) * row.block_bytes / row.block_elements;
}

// Keys that a layer keeps of a text, and that its next query sees.
u64 keys_kept(const model::GroupedAttention& a, u64 length) {
  u64 keys = length;
  if (a.window) keys = std::min<u64>(keys, a.window);
  if (a.chunk) keys = std::min<u64>(keys, a.chunk);
  return keys;
}
u64 keys_seen(const model::LatentAttention& a, u64 length) {
  return a.indexer.heads ? std::min<u64>(length, a.indexer.keys_max) : length;
}

u64 cache_bytes(const model::GroupedAttention& a, u64 length) {
  return keys_kept(a, length) * 2 * a.kv_heads * a.head_dim * kHalf;
}
u64 cache_bytes(const model::LatentAttention& a, u64 length) {
  const u64 index = a.indexer.chooses() ? a.indexer.head_dim * sizeof(f32) : 0;
  return length * (a.cached_dim() * kHalf + index);
}
u64 cache_bytes(const model::DeltaNet& d, u64) {
  return (u64(d.conv_width - 1) * d.conv_channels() +
          u64(d.value_heads) * d.key_dim * d.value_dim) *
         sizeof(f32);
}

// Scores and sums over the keys that a query sees; matrices are counted elsewhere.
u64 operations(const model::GroupedAttention& a, u64 length) {
  return 4 * u64(a.heads) * a.head_dim * keys_kept(a, length + 1);
}
u64 operations(const model::LatentAttention& a, u64 length) {
  const u64 index =
      a.indexer.chooses() ? 2 * u64(a.indexer.heads) * a.indexer.head_dim * (length + 1) : 0;
  return 2 * u64(a.heads) * (a.cached_dim() + a.kv_rank) * keys_seen(a, length + 1) + index;
}
u64 operations(const model::DeltaNet& d, u64) {
  return 7 * u64(d.value_heads) * d.key_dim * d.value_dim +
         2 * u64(d.conv_channels()) * d.conv_width;
}

}  // namespace

u64 weights_bytes(const model::ModelSpec& spec, Format format) {
  f64 bytes = 0;
  for (const model::TensorNeed& need : model::needed_tensors(spec)) bytes += bytes_of(need, format);
  return u64(bytes);
}

u64 weights_bytes_met(const model::ModelSpec& spec, Format format) {
  f64 bytes = 0;
  for (const model::TensorNeed& need : model::needed_tensors(spec)) {
    if (need.role == Role::kEmbedding && !spec.tied_output) continue;
    bytes += bytes_of(need, format) * model::share_met(spec, need.role, need.layer);
  }
  return u64(bytes);
}

u64 cache_bytes(const model::ModelSpec& spec, u64 length) {
  u64 bytes = 0;
  for (const model::LayerSpec& layer : spec.layers)
    bytes += std::visit([&](const auto& a) { return cache_bytes(a, length); }, layer.attention);
  return bytes;
}

u64 operations_per_token(const model::ModelSpec& spec, u64 length) {
  f64 matrices = 0;
  u64 attention = 0;
  for (const model::TensorNeed& need : model::needed_tensors(spec)) {
    if (need.is_vector() || (need.role == Role::kEmbedding && !spec.tied_output)) continue;
    matrices += 2 * f64(need.values()) * model::share_met(spec, need.role, need.layer);
  }
  for (const model::LayerSpec& layer : spec.layers)
    attention += std::visit([&](const auto& a) { return operations(a, length); }, layer.attention);
  return u64(matrices) + attention;
}

}  // namespace orrery::plan
