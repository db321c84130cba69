// Gated delta net (Yang, Kautz and Hatamizadeh 2024, "Gated Delta Networks", eq. 10). One order of
// steps for prompts and for single tokens (DeltaRun), so that cutting a prompt changes no bit.
#include <algorithm>
#include <cmath>

#include "forward/attend.h"
#include "forward/blocks.h"
#include "forward/watch.h"

namespace orrery::forward {
namespace {

using model::DeltaNet;
using model::Role;

f32 sigmoid(f32 x) { return 1 / (1 + std::exp(-x)); }
f32 softplus(f32 x) { return x > 20 ? x : std::log1p(std::exp(x)); }

// convolved[t, c] = silu(sum over j of weight[c, j] * mixed[t - width + 1 + j, c]); what stands
// before the run is in the state, what stands before the text is 0.
void convolve(const Step& step, u32 layer, const DeltaNet& d) {
  Scratch& s = step.scratch;
  const f32* weight = step.model.weights.layers[layer].vector(Role::kDeltaConv);
  const u32 channels = d.conv_channels(), width = d.conv_width;
  const Range share = step.worker.share(channels, 16);
  for (const Run& run : s.runs) {
    const f32* tail = step.cache.conv_tail(run.sequence, layer);
    for (u32 t = 0; t < run.count; ++t) {
      f32* out = s.convolved + u64(run.first + t) * channels;
      for (u64 c = share.begin; c < share.end; ++c) out[c] = 0;
      for (u32 j = 0; j < width; ++j) {
        const u32 back = width - 1 - j;  // tokens before this one
        if (back > run.position + t) continue;
        const f32* in = back <= t ? s.mixed + u64(run.first + t - back) * channels
                                  : tail + u64(width - 1 - (back - t)) * channels;
        for (u64 c = share.begin; c < share.end; ++c) out[c] += weight[c * width + j] * in[c];
      }
      step.kernels.silu(out + share.begin, u32(share.size()));
    }
  }
}

// The last width - 1 inputs of each run, for the next one. tail[width - 2] is the newest.
void keep_tails(const Step& step, u32 layer, const DeltaNet& d) {
  Scratch& s = step.scratch;
  const u32 channels = d.conv_channels(), kept = d.conv_width - 1;
  const Range share = step.worker.share(channels, 16);
  for (const Run& run : s.runs) {
    f32* tail = step.cache.conv_tail(run.sequence, layer);
    for (u32 i = 0; i < kept; ++i) {
      const u32 back = kept - 1 - i;  // tokens before the run's last
      const f32* in = back < run.count ? s.mixed + u64(run.first + run.count - 1 - back) * channels
                                       : tail + u64(kept - 1 - (back - run.count)) * channels;
      std::copy(in + share.begin, in + share.end, tail + u64(i) * channels + share.begin);
    }
  }
}

void normalize(const f32* x, u32 n, f32 scale, f32* out) {
  f32 square = 0;
  for (u32 i = 0; i < n; ++i) square += x[i] * x[i];
  const f32 r = scale / std::sqrt(square + 1e-6f);
  for (u32 i = 0; i < n; ++i) out[i] = x[i] * r;
}

// Tokens of a run that are made ready together.
constexpr u32 kReady = 8;

// One head over the tokens of a run.
void run_head(const Step& step, u32 layer, const DeltaNet& d, const Run& run, u32 head) {
  Scratch& s = step.scratch;
  const model::RoleTable& w = step.model.weights.layers[layer];
  f32* state = step.cache.delta_state(run.sequence, layer) + u64(head) * d.key_dim * d.value_dim;
  if (run.position == 0) std::fill_n(state, u64(d.key_dim) * d.value_dim, 0.0f);
  f32 q[kReady * model::kHeadDimMax], k[kReady * model::kHeadDimMax], decay[kReady], beta[kReady];
  const u32 key_head = d.key_head(head);
  const u64 channels = d.conv_channels(), values = d.value_size();
  for (u32 first = run.first; first < run.first + run.count; first += kReady) {
    const u32 count = std::min(kReady, run.first + run.count - first);
    for (u32 i = 0; i < count; ++i) {
      const u64 t = first + i;
      const f32* row = s.convolved + t * channels;
      normalize(row + key_head * d.key_dim, d.key_dim, 1 / std::sqrt(f32(d.key_dim)),
                q + i * d.key_dim);
      normalize(row + d.key_size() + key_head * d.key_dim, d.key_dim, 1, k + i * d.key_dim);
      const f32 step_size =
          softplus(s.delta_step[t * d.value_heads + head] + w.vector(Role::kDeltaStepBias)[head]);
      decay[i] = std::exp(w.vector(Role::kDeltaRate)[head] * step_size);
      beta[i] = sigmoid(s.delta_beta[t * d.value_heads + head]);
    }
    f32* out = s.attended + u64(first) * values + head * d.value_dim;
    step.kernels.delta(
        {.tokens = count,
         .key_dim = d.key_dim,
         .value_dim = d.value_dim,
         .q = q,
         .k = k,
         .v = s.convolved + u64(first) * channels + 2 * d.key_size() + head * d.value_dim,
         .v_stride = channels,
         .decay = decay,
         .beta = beta,
         .state = state,
         .out = out,
         .out_stride = values});
    for (u32 i = 0; i < count; ++i, out += values) {
      norm_in_place(step, out, w.vector(Role::kDeltaNorm), d.value_dim, step.model.spec.norm_eps);
      const f32* gate = s.gate + u64(first + i) * values + head * d.value_dim;
      step.kernels.swiglu(gate, out, out, d.value_dim);
    }
  }
}

}  // namespace

template <typename Tap>
void delta_net(const Step& step, u32 layer, const DeltaNet& d, Tap& tap) {
  const model::RoleTable& w = step.model.weights.layers[layer];
  Scratch& s = step.scratch;
  const u32 dim = step.model.spec.dim, keys = d.key_size(), channels = d.conv_channels();
  const f32* norm = w.vector(Role::kAttentionNorm);
  watch_norm(step, tap, trace::Point::kAttentionNorm, layer, norm);
  const ActivationSet& normed = convert(
      step, {.values = s.residual, .stride = dim, .depth = dim, .norm = norm}, step.tokens());
  const Product in[] = {
      {&w.matrix(Role::kDeltaQuery), nullptr, s.mixed, channels},
      {&w.matrix(Role::kDeltaKey), nullptr, s.mixed + keys, channels},
      {&w.matrix(Role::kDeltaValue), nullptr, s.mixed + 2 * keys, channels},
      {&w.matrix(Role::kDeltaGate), nullptr, s.gate, d.value_size()},
      {&w.matrix(Role::kDeltaBeta), nullptr, s.delta_beta, d.value_heads},
      {&w.matrix(Role::kDeltaStep), nullptr, s.delta_step, d.value_heads},
  };
  multiply(step, normed, in);
  step.worker.barrier();
  convolve(step, layer, d);
  step.worker.barrier();
  keep_tails(step, layer, d);
  const u64 heads = s.runs.size() * u64(d.value_heads);
  const Range share = step.worker.share(heads);
  for (u64 i = share.begin; i < share.end; ++i)
    run_head(step, layer, d, s.runs[i / d.value_heads], u32(i % d.value_heads));
  step.worker.barrier();
  watch_rows(step, tap, trace::Point::kAttentionOutput, layer, s.attended, d.value_size());
  project(step, w.matrix(Role::kDeltaOutput), nullptr, s.attended, d.value_size());
  watch_rows(step, tap, trace::Point::kResidualAttention, layer, s.residual, dim);
}

template void delta_net(const Step&, u32, const DeltaNet&, trace::TapOff&);
template void delta_net(const Step&, u32, const DeltaNet&, trace::TapOn&);

}  // namespace orrery::forward
