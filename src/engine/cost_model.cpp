#include "engine/cost_model.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace orrery::engine {
namespace {

// One step that waited for another program must not change what we think of all steps.
constexpr f64 kSurpriseMax = 4;
constexpr u64 kSurprisedFrom = 16;  // steps; before that every one counts as it is
constexpr f64 kFactorShare = 0.2;   // of a new step in a size's factor
constexpr u32 kPromptStep = 128;    // tokens of a "large step"

}  // namespace

CostModel::Features CostModel::features(const StepWork& work) {
  return {1, f64(work.tokens), f64(work.rows), f64(work.attended) / 1024};
}

u32 CostModel::size_of(u32 tokens) {
  return std::min(u32(std::bit_width(std::max(tokens, 1u))) - 1, kSizes - 1);
}

f64 CostModel::linear(const Features& x) const {
  f64 sum = 0;
  for (u32 i = 0; i < kFeatures; ++i) sum += weights_[i] * x[i];
  return sum;
}

f64 CostModel::seconds(const StepWork& work) const {
  if (work.tokens == 0) return 0;
  return linear(features(work)) * sizes_[size_of(work.tokens)].factor;
}

f64 CostModel::seconds_of_prompt(u32 begin, u32 count) const {
  if (count == 0) return 0;
  const StepWork work{
      .tokens = kPromptStep, .rows = 1, .attended = u64(kPromptStep) * (u64(begin) + count / 2)};
  return seconds(work) * count / kPromptStep;
}

void CostModel::learn(const StepWork& work, f64 seconds) {
  if (work.tokens == 0 || !(seconds > 0) || !std::isfinite(seconds)) return;
  if (learnt_ >= kSurprisedFrom) seconds = std::min(seconds, kSurpriseMax * this->seconds(work));
  ++learnt_;
  Size& size = sizes_[size_of(work.tokens)];
  const Step step{features(work), seconds};
  if (size.steps.size() < kRemembered)
    size.steps.push_back(step);
  else
    size.steps[size.next++ % kRemembered] = step;
  fit();
  const f64 expected = linear(step.features);
  const f64 ratio = expected > 0 ? std::clamp(seconds / expected, 0.25, 4.0) : 1;
  size.factor += (ratio - size.factor) * kFactorShare;
}

// Normal equations, solved by Gauss; a weight that comes out negative is left out, then again.
void CostModel::fit() {
  f64 a[kFeatures][kFeatures + 1] = {};
  for (const Size& size : sizes_)
    for (const Step& step : size.steps) {
      const f64 scale = 1 / (step.seconds * step.seconds);
      for (u32 i = 0; i < kFeatures; ++i) {
        for (u32 j = 0; j < kFeatures; ++j) a[i][j] += step.features[i] * step.features[j] * scale;
        a[i][kFeatures] += step.features[i] * step.seconds * scale;
      }
    }
  bool out[kFeatures] = {};
  for (u32 round = 0; round < kFeatures; ++round) {
    f64 m[kFeatures][kFeatures + 1];
    for (u32 i = 0; i < kFeatures; ++i) {
      std::copy(std::begin(a[i]), std::end(a[i]), m[i]);
      m[i][i] *= 1 + 1e-6;  // features that always came together share what they explain
      if (!out[i] && a[i][i] > 0) continue;
      for (u32 j = 0; j <= kFeatures; ++j) m[i][j] = 0;
      m[i][i] = 1;
    }
    for (u32 i = 0; i < kFeatures; ++i)  // positive definite: no pivoting
      for (u32 k = 0; k < kFeatures; ++k) {
        if (k == i) continue;
        const f64 by = m[k][i] / m[i][i];
        for (u32 j = i; j <= kFeatures; ++j) m[k][j] -= by * m[i][j];
      }
    u32 worst = kFeatures;
    for (u32 i = 0; i < kFeatures; ++i) {
      weights_[i] = m[i][kFeatures] / m[i][i];
      if (weights_[i] < 0 && (worst == kFeatures || weights_[i] < weights_[worst])) worst = i;
    }
    if (worst == kFeatures) return;
    weights_[worst] = 0;
    out[worst] = true;
  }
}

}  // namespace orrery::engine
