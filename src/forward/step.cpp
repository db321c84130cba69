#include "forward/step.h"

#include <algorithm>

namespace orrery::forward {
namespace {

void add_bias(const Step& step, const Product& p, Range panels, u32 columns) {
  const u32 begin = u32(panels.begin) * kernels::kPanelRows;
  const u32 end = std::min(p.weights->rows, u32(panels.end) * kernels::kPanelRows);
  if (!p.bias || begin >= end) return;
  for (u32 t = 0; t < columns; ++t)
    step.kernels.add(p.bias + begin, p.out + t * p.out_stride + begin, end - begin);
}

}  // namespace

Range panels_in(Range units, u64 before, u64 count, u64 each) {
  const auto first_at = [&](u64 unit) {
    return unit <= before ? u64(0) : std::min(count, divide_up(unit - before, each));
  };
  return {first_at(units.begin), first_at(units.end)};
}

const ActivationSet& convert(const Step& step, const Rows& rows, u32 count) {
  const bool alone = count == 1;
  ThreadScratch& mine = step.mine();
  ActivationSet& to = alone ? mine.inputs : step.scratch.inputs;
  // Every member writes the same small headers into the shared set: harmless only if one does it.
  if (alone || step.worker.index() == 0)
    for (u8 kind = 0; kind < kernels::kActivationKindCount; ++kind)
      if (step.scratch.kinds[kind])
        to.of[kind] = kernels::place_activations(kernels::ActivationKind(kind), rows.depth, count,
                                                 to.memory[kind]);
  if (!alone) step.worker.barrier();
  const Range share = alone ? Range{0, 1} : step.worker.share(count);
  for (u32 c = u32(share.begin); c < share.end; ++c) {
    const f32* row = rows.values + (rows.indices ? rows.indices[c] : c) * rows.stride;
    if (rows.norm) {
      step.kernels.rms_norm(row, rows.norm, mine.row, rows.depth,
                            rows.norm_eps != 0 ? rows.norm_eps : step.model.spec.norm_eps);
      row = mine.row;
    }
    for (u8 kind = 0; kind < kernels::kActivationKindCount; ++kind)
      if (step.scratch.kinds[kind]) step.kernels.quantize(row, 0, to.of[kind], c, c + 1);
  }
  if (!alone) step.worker.barrier();
  return to;
}

void multiply(const Step& step, const ActivationSet& input, std::span<const Product> products) {
  u64 total = 0, panel_bytes = 0;
  for (const Product& p : products) {
    total += p.weights->panels() * p.weights->panel_bytes;
    panel_bytes = std::max(panel_bytes, p.weights->panel_bytes);
  }
  const auto work = [&](Range bytes) {
    u64 before = 0;
    for (const Product& p : products) {
      const model::Matrix& m = *p.weights;
      const Range panels = panels_in(bytes, before, m.panels(), m.panel_bytes);
      before += m.panels() * m.panel_bytes;
      if (panels.begin >= panels.end) continue;
      const kernels::Activations& x = input[kernels::activation_kind(m.layout)];
      step.kernels.matmul[u8(m.layout)](m, x, u32(panels.begin), u32(panels.end), p.out,
                                        p.out_stride, p.add);
      add_bias(step, p, panels, x.columns);
    }
  };
  step.worker.pieces(total, panel_bytes * panels_least(step.tokens()), work);
}

void project(const Step& step, const model::Matrix& weights, const f32* bias, const f32* rows,
             u32 width) {
  const ActivationSet& input =
      convert(step, {.values = rows, .stride = width, .depth = width}, step.tokens());
  const Product out[] = {{&weights, bias, step.scratch.residual, step.model.spec.dim, true}};
  multiply(step, input, out);
  step.worker.barrier();
}

void project_attended(const Step& step, const model::RoleTable& w, const f32* rows, u32 width) {
  using model::Role;
  project(step, w.matrix(Role::kAttentionOutput), w.vector(Role::kAttentionOutputBias), rows,
          width);
}

}  // namespace orrery::forward
