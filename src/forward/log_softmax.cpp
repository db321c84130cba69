// Log probabilities: sums in double, so that 100,000 terms lose nothing that a float would show.
#include "forward/log_softmax.h"

#include <algorithm>
#include <cmath>

namespace orrery::forward {

f64 log_sum_exp(std::span<const f32> logits) {
  f32 greatest = -INFINITY;
  for (const f32 logit : logits) greatest = std::max(greatest, logit);
  if (greatest == -INFINITY) {
    for (const f32 logit : logits)
      if (std::isnan(logit)) return NAN;
    return -INFINITY;
  }
  f64 sum = 0;
  for (const f32 logit : logits) sum += f64(std::exp(logit - greatest));
  return f64(greatest) + std::log(sum);
}

u32 log_softmax_top(std::span<const f32> logits, std::span<TokenLogProbability> out) {
  u32 count = 0;
  for (u64 id = 0; id < logits.size() && !out.empty(); ++id) {
    if (count == out.size() && !(logits[id] > out[count - 1].log_probability)) continue;
    u32 at = count < out.size() ? count++ : count - 1;
    for (; at > 0 && logits[id] > out[at - 1].log_probability; --at) out[at] = out[at - 1];
    out[at] = {i32(id), logits[id]};
  }
  const f64 all = log_sum_exp(logits);
  for (TokenLogProbability& entry : out.first(count))
    entry.log_probability = f32(f64(entry.log_probability) - all);
  return count;
}

}  // namespace orrery::forward
