#include "forward/ffn.h"

#include "forward/watch.h"

namespace orrery::forward {
namespace {

// hidden = silu(gate) * up for this member's rows, kUpRows at a time: the gate goes straight to its
// place, the up part into a small buffer that stays in the cache, and is folded in at once.
void gate_and_up(const Step& step, const model::FfnWeights& w, const ActivationSet& input,
                 u32 width) {
  constexpr u32 kPanels = kUpRows / kernels::kPanelRows;
  Scratch& s = step.scratch;
  f32* up = step.mine().up;
  const auto& gate_input = input[kernels::activation_kind(w.gate.layout)];
  const auto& up_input = input[kernels::activation_kind(w.up.layout)];
  const Range share = step.worker.share(w.gate.panels());
  for (u32 p = u32(share.begin); p < share.end; p += kPanels) {
    const u32 end = std::min(u32(share.end), p + kPanels);
    const u32 row = p * kernels::kPanelRows;
    const u32 rows = std::min(width, end * kernels::kPanelRows) - row;
    step.kernels.matmul[u8(w.gate.layout)](w.gate, gate_input, p, end, s.hidden, width, false);
    // The kernel writes row r of a column at out[r]: the buffer holds rows from `row` on.
    step.kernels.matmul[u8(w.up.layout)](w.up, up_input, p, end, up - row, kUpRows, false);
    for (u32 t = 0; t < step.tokens(); ++t) {
      f32* gate_row = s.hidden + u64(t) * width + row;
      f32* up_row = up + u64(t) * kUpRows;
      if (w.gate_bias) step.kernels.add(w.gate_bias + row, gate_row, rows);
      if (w.up_bias) step.kernels.add(w.up_bias + row, up_row, rows);
      step.kernels.swiglu(gate_row, up_row, gate_row, rows);
    }
  }
}

}  // namespace

template <typename Tap>
void ffn_block(const Step& step, u32 layer, Tap& tap) {
  const u32 width = std::get<model::DenseFfn>(step.model.spec.layers[layer].ffn).width;
  const model::FfnWeights& w = step.model.weights.layers[layer].ffn;
  Scratch& s = step.scratch;
  const u32 dim = step.model.spec.dim;

  watch_norm(step, tap, trace::Point::kFfnNorm, layer, w.norm);
  const ActivationSet& normed = convert(
      step, {.values = s.residual, .stride = dim, .depth = dim, .norm = w.norm}, step.tokens());
  gate_and_up(step, w, normed, width);
  step.worker.barrier();
  watch_rows(step, tap, trace::Point::kFfnHidden, layer, s.hidden, width);
  const ActivationSet& hidden =
      convert(step, {.values = s.hidden, .stride = width, .depth = width}, step.tokens());
  const Product down[] = {{w.down, w.down_bias, s.residual, dim, true}};
  multiply(step, hidden, down);
  step.worker.barrier();
  watch_rows(step, tap, trace::Point::kResidual, layer, s.residual, dim);
}

template void ffn_block(const Step&, u32, trace::TapOff&);
template void ffn_block(const Step&, u32, trace::TapOn&);

}  // namespace orrery::forward
