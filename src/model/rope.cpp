// The frequencies of rotary positions and their scalings, in the float32 steps of the reference
// implementation (transformers' modeling_rope_utils), because every later angle is their multiple.
#include <cmath>
#include <numbers>

#include "model/weights.h"

namespace orrery::model {
namespace {

// Three bands by wavelength (Llama 3.1's scaling): waves longer than original / low are stretched
// by factor, those shorter than original / high are kept, between them the two are blended.
f32 scale_by_wavelength(f32 frequency, const Rope& rope) {
  const f32 wavelength = 2 * std::numbers::pi_v<f32> / frequency;
  const f32 original = f32(rope.original_context);
  const f32 low = f32(rope.low_frequency_factor), high = f32(rope.high_frequency_factor);
  if (wavelength > original / low) return frequency / f32(rope.factor);
  if (wavelength < original / high) return frequency;
  const f32 smooth = (original / wavelength - low) / (high - low);
  return (1 - smooth) * frequency / f32(rope.factor) + smooth * frequency;
}

}  // namespace

std::vector<f32> rope_frequencies(const Rope& rope, const f32* divisors) {
  std::vector<f32> out(rope.dim / 2);
  for (u32 i = 0; i < out.size(); ++i) {
    const f32 exponent = f32(2 * i) / f32(rope.dim);
    f32 frequency = 1.0f / f32(std::pow(rope.base, f64(exponent)));
    if (rope.scaling == Rope::Scaling::kLinear) frequency /= f32(rope.factor);
    if (rope.scaling == Rope::Scaling::kByWavelength)
      frequency = scale_by_wavelength(frequency, rope);
    if (divisors) frequency /= divisors[i];
    out[i] = frequency;
  }
  return out;
}

}  // namespace orrery::model
