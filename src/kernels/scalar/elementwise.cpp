// Norm, rotation, activation function and the other operations that touch each value once.
#include "kernels/scalar/arithmetic.h"
#include "kernels/scalar/scalar.h"

namespace orrery::kernels::scalar {
namespace {

void rms_norm(const f32* x, const f32* weight, f32* out, u32 n, f32 eps) {
  f32 lanes[16] = {};
  for (u32 i = 0; i < n; ++i) lanes[i % 16] = fma(x[i], x[i], lanes[i % 16]);
  const f32 mean = reduce16(lanes) / f32(n);
  const f32 r = 1 / std::sqrt(mean + eps);
  for (u32 i = 0; i < n; ++i) out[i] = x[i] * r * weight[i];
}

void rope(f32* x, u32 heads, u32 head_dim, u32 rotary_dim, const f32* cos, const f32* sin) {
  const u32 half = rotary_dim / 2;
  for (u32 head = 0; head < heads; ++head, x += head_dim)
    for (u32 i = 0; i < half; ++i) {
      const f32 first = x[i], second = x[i + half];
      x[i] = fma(-second, sin[i], first * cos[i]);
      x[i + half] = fma(first, sin[i], second * cos[i]);
    }
}

void swiglu(const f32* gate, const f32* up, f32* out, u32 n) {
  for (u32 i = 0; i < n; ++i) out[i] = gate[i] / (1 + exp(-gate[i])) * up[i];
}

void silu(f32* x, u32 n) {
  for (u32 i = 0; i < n; ++i) x[i] = x[i] / (1 + exp(-x[i]));
}

void delta(const DeltaRun& run) {
  const u32 n = run.value_dim;
  for (u32 t = 0; t < run.tokens; ++t) {
    const f32 *q = run.q + u64(t) * run.key_dim, *k = run.k + u64(t) * run.key_dim;
    for (u32 j = 0; j < n; ++j) {
      f32* column = run.state + j;
      f32 known = 0, out = 0;
      for (u32 i = 0; i < run.key_dim; ++i) {
        f32& s = column[u64(i) * n];
        s = s * run.decay[t];
        known = fma(s, k[i], known);
      }
      const f32 change = (run.v[t * run.v_stride + j] - known) * run.beta[t];
      for (u32 i = 0; i < run.key_dim; ++i) {
        f32& s = column[u64(i) * n];
        s = fma(k[i], change, s);
        out = fma(s, q[i], out);
      }
      run.out[t * run.out_stride + j] = out;
    }
  }
}

void add(const f32* x, f32* to, u32 n) {
  for (u32 i = 0; i < n; ++i) to[i] = to[i] + x[i];
}

void scale(f32 factor, f32* x, u32 n) {
  for (u32 i = 0; i < n; ++i) x[i] = x[i] * factor;
}

f32 max(const f32* x, u32 n) { return max_in_lanes(x, 0, n); }

f32 exp_sum(f32* x, u32 n, f32 max) {
  f32 lanes[16] = {};
  for (u32 i = 0; i < n; ++i) {
    x[i] = exp(x[i] - max);
    lanes[i % 16] = lanes[i % 16] + x[i];
  }
  return reduce16(lanes);
}

}  // namespace

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

}  // namespace orrery::kernels::scalar
