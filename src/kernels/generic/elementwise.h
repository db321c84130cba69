// Norm, rotation, activation function and the like, 16 lanes at a time (scalar/elementwise.cpp).
#pragma once

#include "kernels/exp_constants.h"
#include "kernels/generic/inline.h"

namespace orrery::kernels {
namespace {

constexpr u32 kLanes = 16;

// Calls step(i, count) for 0, 16, 32, ... with the number of lanes that are in use.
template <class Step>
ORRERY_INLINE void in_lanes(u32 n, const Step& step) {
  u32 i = 0;
  for (; i + kLanes <= n; i += kLanes) step(i, kLanes);
  if (i < n) step(i, n - i);
}
ORRERY_INLINE F32x16 load_some(const f32* from, u32 count) {
  return count == kLanes ? load(from) : load_first(from, count);
}
ORRERY_INLINE void store_some(f32* to, F32x16 v, u32 count) {
  if (count == kLanes) return store(to, v);
  store_first(to, v, count);
}

ORRERY_INLINE F32x16 exp(F32x16 x) {
  const F32x16 shift = splat(kRoundingShift);
  const F32x16 clamped = min(splat(kExpMax), x);
  const F32x16 shifted = fma(clamped, splat(kLog2E), shift);
  const F32x16 n = shifted - shift;
  F32x16 r = fnma(n, splat(kLn2High), clamped);
  r = fnma(n, splat(kLn2Low), r);
  F32x16 p = splat(kExpPolynomial[0]);
  ORRERY_UNROLL
  for (u32 i = 1; i < kExpTerms; ++i) p = fma(p, r, splat(kExpPolynomial[i]));
  return zero_where_less(p * power_of_two(shifted), x, splat(kExpMin));
}

void rms_norm(const f32* x, const f32* weight, f32* out, u32 n, f32 eps) {
  F32x16 squares = splat(0);
  in_lanes(n, [&](u32 i, u32 count) ORRERY_INLINE_LAMBDA {
    const F32x16 v = load_some(x + i, count);
    squares = fma(v, v, squares);
  });
  const f32 mean = reduce_add(squares) / f32(n);
  const F32x16 r = splat(1 / __builtin_sqrtf(mean + eps));
  in_lanes(n, [&](u32 i, u32 count) ORRERY_INLINE_LAMBDA {
    store_some(out + i, load_some(x + i, count) * r * load_some(weight + i, count), count);
  });
}

void rope(f32* x, u32 heads, u32 head_dim, u32 rotary_dim, const f32* cos, const f32* sin) {
  const u32 half = rotary_dim / 2;
  for (u32 head = 0; head < heads; ++head, x += head_dim)
    in_lanes(half, [&](u32 i, u32 count) ORRERY_INLINE_LAMBDA {
      const F32x16 c = load_some(cos + i, count), s = load_some(sin + i, count);
      const F32x16 first = load_some(x + i, count), second = load_some(x + half + i, count);
      store_some(x + i, fnma(second, s, first * c), count);
      store_some(x + half + i, fma(first, s, second * c), count);
    });
}

void swiglu(const f32* gate, const f32* up, f32* out, u32 n) {
  in_lanes(n, [&](u32 i, u32 count) ORRERY_INLINE_LAMBDA {
    const F32x16 g = load_some(gate + i, count);
    const F32x16 silu = g / (splat(1) + exp(negate(g)));
    store_some(out + i, silu * load_some(up + i, count), count);
  });
}

void silu(f32* x, u32 n) {
  in_lanes(n, [&](u32 i, u32 count) ORRERY_INLINE_LAMBDA {
    const F32x16 v = load_some(x + i, count);
    store_some(x + i, v / (splat(1) + exp(negate(v))), count);
  });
}

// `kParts` times 16 columns of the state, or `count` of the last 16, for all tokens: they stay in
// the first-level cache, and the chains of several parts hide each other's latency.
template <u32 kParts>
ORRERY_INLINE void delta_columns(const DeltaRun& run, u32 first, u32 count) {
  const u64 n = run.value_dim;
  for (u32 t = 0; t < run.tokens; ++t) {
    const f32 *q = run.q + u64(t) * run.key_dim, *k = run.k + u64(t) * run.key_dim;
    const F32x16 decay = splat(run.decay[t]), beta = splat(run.beta[t]);
    F32x16 known[kParts], out[kParts], change[kParts];
    ORRERY_UNROLL
    for (u32 p = 0; p < kParts; ++p) known[p] = out[p] = splat(0);
    f32* row = run.state + first;
    for (u32 i = 0; i < run.key_dim; ++i, row += n) {
      const F32x16 key = splat(k[i]);
      ORRERY_UNROLL
      for (u32 p = 0; p < kParts; ++p) {
        const F32x16 s = load_some(row + kLanes * p, count) * decay;
        store_some(row + kLanes * p, s, count);
        known[p] = fma(s, key, known[p]);
      }
    }
    const f32* v = run.v + t * run.v_stride + first;
    ORRERY_UNROLL
    for (u32 p = 0; p < kParts; ++p)
      change[p] = (load_some(v + kLanes * p, count) - known[p]) * beta;
    row = run.state + first;
    for (u32 i = 0; i < run.key_dim; ++i, row += n) {
      const F32x16 key = splat(k[i]), query = splat(q[i]);
      ORRERY_UNROLL
      for (u32 p = 0; p < kParts; ++p) {
        const F32x16 s = fma(key, change[p], load_some(row + kLanes * p, count));
        store_some(row + kLanes * p, s, count);
        out[p] = fma(s, query, out[p]);
      }
    }
    f32* to = run.out + t * run.out_stride + first;
    ORRERY_UNROLL
    for (u32 p = 0; p < kParts; ++p) store_some(to + kLanes * p, out[p], count);
  }
}

void delta(const DeltaRun& run) {
  u32 j = 0;
  for (; j + 2 * kLanes <= run.value_dim; j += 2 * kLanes) delta_columns<2>(run, j, kLanes);
  for (; j < run.value_dim; j += kLanes)
    delta_columns<1>(run, j, run.value_dim - j < kLanes ? run.value_dim - j : kLanes);
}

void add(const f32* x, f32* to, u32 n) {
  in_lanes(n, [&](u32 i, u32 count) ORRERY_INLINE_LAMBDA {
    store_some(to + i, load_some(to + i, count) + load_some(x + i, count), count);
  });
}

void scale(f32 factor, f32* x, u32 n) {
  in_lanes(n, [&](u32 i, u32 count) ORRERY_INLINE_LAMBDA {
    store_some(x + i, load_some(x + i, count) * splat(factor), count);
  });
}

f32 max(const f32* x, u32 n) {
  F32x16 lanes = splat(-__builtin_inff());
  in_lanes(n, [&](u32 i, u32 count) ORRERY_INLINE_LAMBDA {
    const F32x16 v = load_some(x + i, count);
    lanes = max(count == kLanes ? v : select_lanes(0, count, v, lanes), lanes);
  });
  return reduce_max(lanes);
}

f32 exp_sum(f32* x, u32 n, f32 largest) {
  F32x16 sum = splat(0);
  in_lanes(n, [&](u32 i, u32 count) ORRERY_INLINE_LAMBDA {
    const F32x16 v = exp(load_some(x + i, count) - splat(largest));
    store_some(x + i, v, count);
    sum = sum + (count == kLanes ? v : select_lanes(0, count, v, splat(0)));
  });
  return reduce_add(sum);
}

void install_elementwise(Kernels& kernels) {
  kernels.rms_norm = rms_norm;
  kernels.rope = rope;
  kernels.swiglu = swiglu;
  kernels.silu = silu;
  kernels.delta = delta;
  kernels.add = add;
  kernels.scale = scale;
  kernels.max = max;
  kernels.exp_sum = exp_sum;
}

}  // namespace
}  // namespace orrery::kernels
