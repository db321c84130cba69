// Handing values to the tap, when there is one.
//
// Called after a barrier and before anyone overwrites the buffer; member 0 alone speaks, the others
// wait. Watching reads what exists, or computes beside it, and cannot change a bit. With TapOff
// nothing of it is compiled.
#pragma once

#include "forward/step.h"
#include "trace/tap.h"

namespace orrery::forward {

// Every row of [tokens, width].
template <typename Tap>
void watch_rows(const Step& step, Tap& tap, trace::Point point, u32 layer, const f32* rows,
                u32 width) {
  if constexpr (Tap::kOn) {
    if (!tap.watches(point)) return;  // the same for all members, so nobody waits for nobody
    if (step.worker.index() == 0)
      for (u32 t = 0; t < step.tokens(); ++t)
        tap.values(point, layer, t, rows + u64(t) * width, width);
    step.worker.barrier();
  }
}

// Every row of the residual stream after the RMS norm with these weights. The pass itself norms
// rows one by one on their way into a product and keeps none, so they are computed again for the
// viewer.
template <typename Tap>
void watch_norm(const Step& step, Tap& tap, trace::Point point, u32 layer, model::Vector norm) {
  if constexpr (Tap::kOn) {
    if (!tap.watches(point)) return;
    const u32 dim = step.model.spec.dim;
    if (step.worker.index() == 0)
      for (u32 t = 0; t < step.tokens(); ++t) {
        if (!tap.wants(point, t)) continue;
        f32* row = step.mine().row;
        step.kernels.rms_norm(step.scratch.residual + u64(t) * dim, norm, row, dim,
                              step.model.spec.norm_eps);
        tap.values(point, layer, t, row, dim);
      }
    step.worker.barrier();
  }
}

}  // namespace orrery::forward
