// Gated feed-forward (Shazeer 2020, "GLU Variants").
#include "forward/blocks.h"
#include "forward/gated_unit.h"
#include "forward/watch.h"

namespace orrery::forward {

using model::Role;

template <typename Tap>
void dense_ffn(const Step& step, u32 layer, const model::DenseFfn& f, Tap& tap) {
  const model::RoleTable& w = step.model.weights.layers[layer];
  Scratch& s = step.scratch;
  const u32 dim = step.model.spec.dim;
  const f32* norm = w.vector(Role::kFfnNorm);
  watch_norm(step, tap, trace::Point::kFfnNorm, layer, norm);
  const ActivationSet& normed = convert(
      step, {.values = s.residual, .stride = dim, .depth = dim, .norm = norm}, step.tokens());
  const GatedPair pair{w.matrix(Role::kGate), w.matrix(Role::kUp), w.vector(Role::kGateBias),
                       w.vector(Role::kUpBias), f.unit};
  step.worker.pieces(pair.gate.panels(), panels_least(step.tokens()), [&](Range panels) {
    gate_and_up(step, pair, normed, panels, s.hidden, f.width);
  });
  step.worker.barrier();
  watch_rows(step, tap, trace::Point::kFfnHidden, layer, s.hidden, f.width);
  project(step, w.matrix(Role::kDown), w.vector(Role::kDownBias), s.hidden, f.width);
  watch_rows(step, tap, trace::Point::kResidual, layer, s.residual, dim);
}

template void dense_ffn(const Step&, u32, const model::DenseFfn&, trace::TapOff&);
template void dense_ffn(const Step&, u32, const model::DenseFfn&, trace::TapOn&);

}  // namespace orrery::forward
