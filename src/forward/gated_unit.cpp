#include "forward/gated_unit.h"

#include <algorithm>
#include <cmath>

namespace orrery::forward {
namespace {

// gate = gate * sigmoid(alpha * gate) * (up + shift), both clamped first.
void fold(const Step& step, const model::GatedUnit& unit, f32* gate, const f32* up, u32 n) {
  if (unit.is_swiglu()) {
    step.kernels.swiglu(gate, up, gate, n);
    return;
  }
  for (u32 i = 0; i < n; ++i) {
    f32 g = gate[i], u = up[i];
    if (unit.limit > 0) {
      g = std::min(g, unit.limit);
      u = std::clamp(u, -unit.limit, unit.limit);
    }
    gate[i] = g / (1 + std::exp(-unit.alpha * g)) * (u + unit.shift);
  }
}

}  // namespace

// kUpRows at a time: the gate goes straight to its place, the up part into a small buffer that
// stays in the cache, and is folded in at once.
void gate_and_up(const Step& step, const GatedPair& pair, const ActivationSet& input, Range panels,
                 f32* hidden, u64 hidden_stride) {
  constexpr u32 kPanels = kUpRows / kernels::kPanelRows;
  f32* up = step.mine().up;
  const auto& gate_input = input[kernels::activation_kind(pair.gate.layout)];
  const auto& up_input = input[kernels::activation_kind(pair.up.layout)];
  for (u32 p = u32(panels.begin); p < panels.end; p += kPanels) {
    const u32 end = std::min(u32(panels.end), p + kPanels);
    const u32 row = p * kernels::kPanelRows;
    const u32 rows = std::min(pair.gate.rows, end * kernels::kPanelRows) - row;
    step.kernels.matmul[u8(pair.gate.layout)](pair.gate, gate_input, p, end, hidden, hidden_stride,
                                              false);
    // The kernel writes row r of a column at out[r]: the buffer holds rows from `row` on.
    step.kernels.matmul[u8(pair.up.layout)](pair.up, up_input, p, end, up - row, kUpRows, false);
    for (u32 t = 0; t < gate_input.columns; ++t) {
      f32* gate_row = hidden + t * hidden_stride + row;
      f32* up_row = up + u64(t) * kUpRows;
      if (pair.gate_bias) step.kernels.add(pair.gate_bias + row, gate_row, rows);
      if (pair.up_bias) step.kernels.add(pair.up_bias + row, up_row, rows);
      fold(step, pair.unit, gate_row, up_row, rows);
    }
  }
}

}  // namespace orrery::forward
