#include "plan/memory.h"

#include "model/tensors.h"

namespace orrery::plan {

u64 kv_bytes_per_token(const model::ModelSpec& spec, kernels::KvFormat format) {
  u64 values = 0;  // keys and values alike
  for (const model::LayerSpec& layer : spec.layers) {
    const auto& a = std::get<model::GroupedAttention>(layer.attention);
    values += 2 * u64(a.kv_heads) * a.head_dim;
  }
  return values * kernels::kv_element_bytes(format);
}

u64 packed_weights_bytes(const model::ModelSpec& spec, kernels::Layout layout) {
  u64 bytes = 0;
  for (const model::TensorNeed& need : model::needed_tensors(spec))
    bytes += need.is_matrix()
                 ? kernels::packed_bytes(layout, u32(need.shape[0]), u32(need.shape[1]))
                 : need.shape[0] * sizeof(f32);
  return bytes;
}

}  // namespace orrery::plan
