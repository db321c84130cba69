#include "model/spec.h"

#include <cmath>

#include "model/tensors.h"

namespace orrery::model {
namespace {

// Far above any published model, low enough that no product of two of them overflows 64 bits.
constexpr u32 kDimMax = 1u << 17, kVocabMax = 1u << 22, kLayersMax = 4096, kHeadsMax = 4096;
constexpr u32 kExpertsMax = 4096, kActiveMax = 64;

constexpr u32 kWidthMax = 1u << 20;

Result<void> check_heads(const GroupedAttention& a, const Rope& rope) {
  if (a.heads == 0 || a.heads > kHeadsMax) return fail("{} attention heads", a.heads);
  if (a.kv_heads == 0 || a.heads % a.kv_heads != 0)
    return fail("{} attention heads cannot share {} key/value heads", a.heads, a.kv_heads);
  if (a.head_dim == 0 || a.head_dim % 8 != 0 || a.head_dim > kHeadDimMax)
    return fail("a head of {} values (a multiple of 8 up to {} is supported)", a.head_dim,
                kHeadDimMax);
  if (a.rope && (rope.dim == 0 || rope.dim % 2 != 0 || rope.dim > a.head_dim))
    return fail("{} rotary values of a head of {}", rope.dim, a.head_dim);
  return {};
}

Result<void> check_heads(const LatentAttention& a, const Rope& rope) {
  if (a.heads == 0 || a.heads > kHeadsMax) return fail("{} attention heads", a.heads);
  if (a.rope_dim == 0 || a.rope_dim % 8 != 0 || a.rope_dim != rope.dim)
    return fail("{} rotary values of a latent key, {} of the model", a.rope_dim, rope.dim);
  for (u32 size : {a.kv_rank, a.nope_dim, a.value_dim, a.cached_dim()})
    if (size == 0 || size % 8 != 0 || size > 4096)
      return fail("latent attention with a size of {} (multiples of 8 up to 4096 are supported)",
                  size);
  if (a.query_rank > kDimMax) return fail("a query rank of {}", a.query_rank);
  if (!(a.scale > 0 && std::isfinite(a.scale))) return fail("a softmax scale of {}", a.scale);
  const KeyIndexer& x = a.indexer;
  if (x.heads == 0) return {};
  if (a.query_rank == 0) return fail("an indexer of keys needs a query rank");
  if (x.heads > kHeadsMax || x.keys_max == 0 || x.head_dim % 8 != 0 || x.head_dim > kHeadDimMax ||
      x.head_dim < rope.dim)
    return fail("an indexer of {} heads of {} values that keeps {} keys", x.heads, x.head_dim,
                x.keys_max);
  return {};
}

Result<void> check_heads(const DeltaNet& d, const Rope&) {
  if (d.key_heads == 0 || d.key_heads > kHeadsMax || d.value_heads > kHeadsMax ||
      d.value_heads == 0 || d.value_heads % d.key_heads != 0)
    return fail("{} value heads cannot share {} key heads", d.value_heads, d.key_heads);
  if (d.key_dim == 0 || d.key_dim > kHeadDimMax || d.value_dim == 0 || d.value_dim > kHeadDimMax ||
      d.conv_width == 0 || d.conv_width > 64)
    return fail("a delta net with keys of {}, values of {} and a convolution of {}", d.key_dim,
                d.value_dim, d.conv_width);
  return {};
}

Result<void> check_temperature(const QueryTemperature& t) {
  if (t.length == 0 || !std::isfinite(t.scale))
    return fail("a query temperature of {} every {} positions", t.scale, t.length);
  return {};
}

Result<void> check_ffn(const DenseFfn& f) {
  if (f.width == 0 || f.width > kWidthMax) return fail("a feed-forward width of {}", f.width);
  return {};
}

Result<void> check_ffn(const ExpertFfn& f) {
  if (f.experts == 0 || f.experts > kExpertsMax) return fail("{} experts", f.experts);
  if (f.active == 0 || f.active > f.experts || f.active > kActiveMax)
    return fail("{} active experts of {}", f.active, f.experts);
  if (f.width == 0 || f.width > kWidthMax || f.shared_width > kWidthMax)
    return fail("experts of width {}, a shared one of {}", f.width, f.shared_width);
  const Router& r = f.router;
  if (r.groups == 0 || f.experts % r.groups != 0 || r.groups_kept == 0 || r.groups_kept > r.groups)
    return fail("{} of {} groups of {} experts", r.groups_kept, r.groups, f.experts);
  if (f.experts / r.groups * r.groups_kept < f.active)
    return fail("{} active experts do not fit {} groups of {}", f.active, r.groups_kept,
                f.experts / r.groups);
  if (!std::isfinite(r.scale)) return fail("a routed scaling factor of {}", r.scale);
  return {};
}

Result<void> check_rope(const Rope& rope) {
  if (!(rope.base > 0 && std::isfinite(rope.base))) return fail("a rope base of {}", rope.base);
  if (!(rope.factor > 0 && std::isfinite(rope.factor)))
    return fail("a rope scaling factor of {}", rope.factor);
  if (!(rope.magnitude > 0 && std::isfinite(rope.magnitude)))
    return fail("a rope attention factor of {}", rope.magnitude);
  if (rope.scaling != Rope::Scaling::kNone && rope.scaling != Rope::Scaling::kLinear &&
      rope.original_context == 0)
    return fail("a rope scaling from a context of 0 positions");
  if (rope.scaling == Rope::Scaling::kByWavelength &&
      !(rope.low_frequency_factor > 0 && rope.high_frequency_factor >= rope.low_frequency_factor))
    return fail("rope frequency factors {} to {}", rope.low_frequency_factor,
                rope.high_frequency_factor);
  if (rope.scaling == Rope::Scaling::kYarn && !(rope.beta_fast > 0 && rope.beta_slow > 0))
    return fail("rope ramps from {} to {} turns", rope.beta_fast, rope.beta_slow);
  if (rope.scaling == Rope::Scaling::kByLength && rope.dim <= 2)
    return fail("a rope base that grows needs more than one rotary pair");
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
  CHECK_OK(check_rope(spec.rope));
  const auto* first = std::get_if<LatentAttention>(&spec.layers.front().attention);
  if (first && first->indexer.reuses) return fail("the first layer cannot reuse a choice of keys");
  for (const LayerSpec& layer : spec.layers) {
    CHECK_OK(std::visit([&](const auto& a) { return check_heads(a, spec.rope); }, layer.attention));
    CHECK_OK(std::visit(
        [](const auto& a) -> Result<void> {
          if constexpr (requires { a.temperature; }) return check_temperature(a.temperature);
          return {};
        },
        layer.attention));
    CHECK_OK(std::visit([](const auto& f) { return check_ffn(f); }, layer.ffn));
  }
  return {};
}

namespace {

u64 count(const ModelSpec& spec, bool met_only) {
  u64 sum = 0;
  for (const TensorNeed& need : needed_tensors(spec)) {
    if (need.role == Role::kRopeDivisors) continue;  // computed, not learned
    // Exact: the values of all experts are a multiple of their number.
    const f64 met = met_only ? share_met(spec, need.role, need.layer) : 1;
    sum += met == 1 ? need.values() : u64(std::llround(f64(need.values()) * met));
  }
  return sum;
}

}  // namespace

u64 parameter_count(const ModelSpec& spec) { return count(spec, false); }
u64 active_parameter_count(const ModelSpec& spec) { return count(spec, true); }

}  // namespace orrery::model
