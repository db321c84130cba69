#include "plan/memory.h"

#include "model/tensors.h"

namespace orrery::plan {

namespace {

using kernels::KvFormat;

u64 bytes_per_token(const model::GroupedAttention& a, KvFormat format) {
  return 2 * u64(a.kv_heads) * kernels::kv_row_bytes(format, a.head_dim);
}
u64 bytes_per_token(const model::LatentAttention& a, KvFormat format) {  // never below f16
  return a.cached_dim() * u64(format == KvFormat::kF32 ? 4 : 2);
}
u64 bytes_per_token(const model::DeltaNet&, KvFormat) { return 0; }

u64 index_values_per_token(const model::LayerSpec& layer) {
  const auto* a = std::get_if<model::LatentAttention>(&layer.attention);
  return a && a->indexer.chooses() ? a->indexer.head_dim : 0;
}

}  // namespace

u64 kv_bytes_per_token(const model::ModelSpec& spec, kernels::KvFormat format) {
  u64 bytes = 0;
  for (const model::LayerSpec& layer : spec.layers) {
    bytes += std::visit([&](const auto& a) { return bytes_per_token(a, format); }, layer.attention);
    bytes += index_values_per_token(layer) * sizeof(f32);
  }
  return bytes;
}

u64 state_bytes_per_sequence(const model::ModelSpec& spec) {
  u64 values = 0;
  for (const model::LayerSpec& layer : spec.layers)
    if (const auto* d = std::get_if<model::DeltaNet>(&layer.attention))
      values += u64(d->conv_width - 1) * d->conv_channels() +
                u64(d->value_heads) * d->key_dim * d->value_dim;
  return values * sizeof(f32);
}

u64 packed_weights_bytes(const model::ModelSpec& spec, kernels::Layout layout) {
  u64 bytes = 0;
  for (const model::TensorNeed& need : model::needed_tensors(spec)) {
    if (need.is_vector())
      bytes += need.values() * sizeof(f32);
    else
      bytes += need.count() *
               kernels::packed_bytes(model::keeps_f32(need.role) ? kernels::Layout::kF32 : layout,
                                     need.rows(), need.cols());
  }
  return bytes;
}

}  // namespace orrery::plan
