#include "model/spec.h"

#include <cmath>

#include "model/tensors.h"

namespace orrery::model {
namespace {

// Far above any published model, low enough that no product of two of them overflows 64 bits.
constexpr u32 kDimMax = 1u << 17, kVocabMax = 1u << 22, kLayersMax = 4096, kHeadsMax = 4096;

Result<void> check_attention(const GroupedAttention& a) {
  if (a.heads == 0 || a.heads > kHeadsMax) return fail("{} attention heads", a.heads);
  if (a.kv_heads == 0 || a.heads % a.kv_heads != 0)
    return fail("{} attention heads cannot share {} key/value heads", a.heads, a.kv_heads);
  if (a.head_dim == 0 || a.head_dim % 8 != 0 || a.head_dim > 1024)
    return fail("a head of {} values (a multiple of 8 up to 1024 is supported)", a.head_dim);
  return {};
}

}  // namespace

Result<void> check(const ModelSpec& spec) {
  if (spec.dim == 0 || spec.dim > kDimMax) return fail("a model width of {}", spec.dim);
  if (spec.vocab == 0 || spec.vocab > kVocabMax) return fail("a vocabulary of {}", spec.vocab);
  if (spec.context == 0) return fail("a context of 0 positions");
  if (!(spec.norm_eps > 0 && spec.norm_eps < 1)) return fail("a norm epsilon of {}", spec.norm_eps);
  if (spec.layers.empty() || spec.layers.size() > kLayersMax)
    return fail("{} layers", spec.layers.size());
  const Rope& rope = spec.rope;
  if (!(rope.base > 0 && std::isfinite(rope.base))) return fail("a rope base of {}", rope.base);
  if (!(rope.factor > 0 && std::isfinite(rope.factor)))
    return fail("a rope scaling factor of {}", rope.factor);
  if (rope.scaling == Rope::Scaling::kByWavelength &&
      !(rope.low_frequency_factor > 0 && rope.high_frequency_factor > rope.low_frequency_factor &&
        rope.original_context > 0))
    return fail("rope frequency factors {} to {} over {} positions", rope.low_frequency_factor,
                rope.high_frequency_factor, rope.original_context);
  for (const LayerSpec& layer : spec.layers) {
    const auto& a = std::get<GroupedAttention>(layer.attention);
    CHECK_OK(check_attention(a));
    if (a.rope && (rope.dim == 0 || rope.dim % 2 != 0 || rope.dim > a.head_dim))
      return fail("{} rotary values of a head of {}", rope.dim, a.head_dim);
    const u32 width = std::get<DenseFfn>(layer.ffn).width;
    if (width == 0 || width > (1u << 20)) return fail("a feed-forward width of {}", width);
  }
  return {};
}

u64 parameter_count(const ModelSpec& spec) {
  u64 count = 0;
  for (const TensorNeed& need : needed_tensors(spec)) {
    if (need.role == Role::kRopeDivisors) continue;  // computed, not learned
    u64 values = 1;
    for (u64 n : need.shape) values *= n;
    count += values;
  }
  return count;
}

}  // namespace orrery::model
