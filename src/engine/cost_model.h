// CostModel: how long a step of so many tokens will take, learnt from the steps that were made.
//
// A step costs a constant (the weights are read once), something for each token, for each row of
// logits, and for each key that attention meets: non-negative least squares of relative errors over
// the last steps of each size, so that an hour of small steps does not make it forget the large
// ones. What is left over, as small steps cost more than in proportion, is a factor for each size.
#pragma once

#include <array>
#include <vector>

#include "base/types.h"

namespace orrery::engine {

// What a step has to do.
struct StepWork {
  u32 tokens = 0;
  u32 rows = 0;      // of logits
  u64 attended = 0;  // keys met, summed over tokens
};

class CostModel {
 public:
  void learn(const StepWork& work, f64 seconds);
  // 0 as long as nothing has been learnt.
  [[nodiscard]] f64 seconds(const StepWork& work) const;
  [[nodiscard]] bool knows() const { return learnt_ > 0; }
  // Seconds of computing `count` tokens of a text from position `begin` on, as part of large steps.
  [[nodiscard]] f64 seconds_of_prompt(u32 begin, u32 count) const;

 private:
  static constexpr u32 kFeatures = 4, kSizes = 14, kRemembered = 12;
  using Features = std::array<f64, kFeatures>;
  struct Step {
    Features features;
    f64 seconds;
  };
  struct Size {  // steps of 2^i to 2^(i+1) - 1 tokens
    std::vector<Step> steps;
    u32 next = 0;
    f64 factor = 1;
  };
  [[nodiscard]] static Features features(const StepWork& work);
  [[nodiscard]] static u32 size_of(u32 tokens);
  [[nodiscard]] f64 linear(const Features& features) const;
  void fit();

  std::array<Size, kSizes> sizes_;
  Features weights_ = {};
  u64 learnt_ = 0;
};

}  // namespace orrery::engine
