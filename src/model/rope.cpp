// The frequencies of rotary positions and their scalings, in the float32 steps of the reference
// implementation (transformers' modeling_rope_utils), because every later angle is their multiple.
#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace orrery::model {
namespace {

// Three bands by wavelength (Llama 3.1's scaling): waves longer than original / low are stretched
// by factor, those shorter than original / high are kept, between them the two are blended.
f32 scale_by_wavelength(f32 frequency, const Rope& rope) {
  const f32 wavelength = 2 * std::numbers::pi_v<f32> / frequency;
  const f32 original = f32(rope.original_context);
  const f32 low = f32(rope.low_frequency_factor), high = f32(rope.high_frequency_factor);
  if (wavelength > original / low) return frequency / f32(rope.factor);
  if (wavelength < original / high || low == high) return frequency;
  const f32 smooth = (original / wavelength - low) / (high - low);
  return (1 - smooth) * frequency / f32(rope.factor) + smooth * frequency;
}

// The base that stretches the longest wave to `length` (bloc97 2023, "NTK-aware" scaling).
f64 base_for_length(const Rope& rope, u32 length) {
  const f64 size = std::max(length, rope.original_context);
  const f64 stretch = rope.factor * size / rope.original_context - (rope.factor - 1);
  return rope.base * std::pow(stretch, f64(rope.dim) / (rope.dim - 2));
}

// Peng et al. 2023, section 3.2: pairs that turn often within the trained length are kept, those
// that turn less than once are divided by factor, with a ramp between.
class YarnRamp {
 public:
  explicit YarnRamp(const Rope& rope) {
    const auto pair_at = [&](f64 turns) {
      return rope.dim * std::log(rope.original_context / (turns * 2 * std::numbers::pi)) /
             (2 * std::log(rope.base));
    };
    f64 low = pair_at(rope.beta_fast), high = pair_at(rope.beta_slow);
    if (rope.whole_pairs) {
      low = std::floor(low);
      high = std::ceil(high);
    }
    low_ = std::max(low, 0.0);
    high_ = std::min(high, f64(rope.dim) - 1);
    if (low_ == high_) high_ += 0.001;
  }
  [[nodiscard]] f32 kept(u32 pair) const {
    return 1 - std::clamp((f32(pair) - f32(low_)) / f32(high_ - low_), 0.0f, 1.0f);
  }

 private:
  f64 low_, high_;
};

}  // namespace

void rope_frequencies(const Rope& rope, const f32* divisors, u32 length, std::span<f32> out) {
  const f64 base =
      rope.scaling == Rope::Scaling::kByLength ? base_for_length(rope, length) : rope.base;
  const std::vector<f64>& table =
      length > rope.original_context ? rope.long_divisors : rope.short_divisors;
  for (u32 i = 0; i < out.size(); ++i) {
    const f32 exponent = f32(2 * i) / f32(rope.dim);
    const f32 power = f32(std::pow(base, f64(exponent)));
    f32 frequency = 1.0f / power;
    switch (rope.scaling) {
      case Rope::Scaling::kNone:
      case Rope::Scaling::kByLength:
        break;
      case Rope::Scaling::kLinear:
        frequency /= f32(rope.factor);
        break;
      case Rope::Scaling::kByWavelength:
        frequency = scale_by_wavelength(frequency, rope);
        break;
      case Rope::Scaling::kYarn: {
        const f32 kept = YarnRamp(rope).kept(i);
        frequency = 1.0f / (f32(rope.factor) * power) * (1 - kept) + frequency * kept;
        break;
      }
      case Rope::Scaling::kTwoTables:
        frequency = 1.0f / (f32(table[i]) * power);
        break;
    }
    out[i] = divisors ? frequency / divisors[i] : frequency;
  }
}

}  // namespace orrery::model
