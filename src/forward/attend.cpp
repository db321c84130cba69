#include "forward/attend.h"

#include <cmath>

namespace orrery::forward {

f32 temperature_at(const model::QueryTemperature& t, u32 position) {
  if (t.scale == 0) return 1;
  return 1 + t.scale * f32(std::log1p(f64((u64(position) + t.offset) / t.length)));
}

void norm_in_place(const Step& step, f32* x, const f32* weight, u32 n, f32 eps) {
  step.kernels.rms_norm(x, weight ? weight : step.scratch.ones, x, n, eps);
}

}  // namespace orrery::forward
