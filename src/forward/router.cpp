#include "forward/router.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace orrery::forward {
namespace {

using model::Router;

constexpr f32 kLowest = -std::numeric_limits<f32>::infinity();

void to_scores(Router::Score score, f32* x, u32 n) {
  if (score == Router::Score::kSigmoid) {
    for (u32 i = 0; i < n; ++i) x[i] = 1 / (1 + std::exp(-x[i]));
    return;
  }
  const f32 max = *std::max_element(x, x + n);
  f32 sum = 0;
  for (u32 i = 0; i < n; ++i) sum += x[i] = std::exp(x[i] - max);
  for (u32 i = 0; i < n; ++i) x[i] /= sum;
}

// What the choice goes by: scores, biased, and lowest where the group is not kept.
class Preference {
 public:
  Preference(const model::ExpertFfn& f, const f32* scores, const f32* bias)
      : scores_(scores), bias_(bias), group_size_(f.experts / f.router.groups) {
    const Router& r = f.router;
    kept_all_ = r.groups_kept == r.groups;
    for (u32 kept = 0; !kept_all_ && kept < r.groups_kept; ++kept) {
      u32 best = ~0u;
      f32 best_score = kLowest;
      for (u32 g = 0; g < r.groups && g < kGroupsMax; ++g) {
        if (kept_[g]) continue;
        const f32 score = group_score(r.group_score, g);
        if (best == ~0u || score > best_score) {
          best = g;
          best_score = score;
        }
      }
      if (best != ~0u) kept_[best] = true;
    }
  }

  [[nodiscard]] bool keeps(u32 group) const { return kept_all_ || kept_[group]; }
  [[nodiscard]] f32 operator()(u32 expert) const {
    return kept_all_ || kept_[expert / group_size_] ? biased(expert) : kLowest;
  }

 private:
  static constexpr u32 kGroupsMax = 4096;

  [[nodiscard]] f32 biased(u32 expert) const {
    return scores_[expert] + (bias_ ? bias_[expert] : 0);
  }
  [[nodiscard]] f32 group_score(Router::GroupScore kind, u32 group) const {
    f32 first = kLowest, second = kLowest;
    for (u32 e = group * group_size_; e < (group + 1) * group_size_; ++e) {
      const f32 score = biased(e);
      if (score > first) {
        second = first;
        first = score;
      } else if (score > second) {
        second = score;
      }
    }
    return kind == Router::GroupScore::kBest || group_size_ == 1 ? first : first + second;
  }

  const f32* scores_;
  const f32* bias_;
  u32 group_size_;
  bool kept_all_;
  bool kept_[kGroupsMax] = {};
};

}  // namespace

void route(const model::ExpertFfn& f, f32* scores, const f32* selection_bias, u32* chosen,
           f32* weights) {
  const Router& r = f.router;
  // Without bias and groups the choice goes by the logits: of large ones the scores are equal.
  const bool by_logits = !selection_bias && r.groups_kept == r.groups;
  if (!by_logits) to_scores(r.score, scores, f.experts);
  const Preference preference(f, scores, selection_bias);
  for (u32 k = 0; k < f.active; ++k) {
    u32 best = ~0u;
    f32 best_score = kLowest;
    for (u32 e = 0; e < f.experts; ++e) {
      if (std::find(chosen, chosen + k, e) != chosen + k) continue;
      const f32 score = preference(e);
      if (best == ~0u || score > best_score) {
        best = e;
        best_score = score;
      }
    }
    chosen[k] = best;
  }
  if (by_logits) to_scores(r.score, scores, f.experts);
  mixing_weights(f, scores, {chosen, f.active}, weights);
}

void mixing_weights(const model::ExpertFfn& f, const f32* scores, std::span<const u32> chosen,
                    f32* weights) {
  const u32 active = u32(chosen.size());
  for (u32 k = 0; k < active; ++k) weights[k] = scores[chosen[k]];
  f32 sum = 0;
  for (u32 k = 0; k < active; ++k) sum += weights[k];
  const f32 factor = (f.router.renormalize ? 1 / (sum + 1e-20f) : 1) * f.router.scale;
  for (u32 k = 0; k < active; ++k) weights[k] *= factor;
}

RouteReason reason_of(const model::ExpertFfn& f, const f32* scores, const f32* selection_bias,
                      std::span<const u32> chosen) {
  RouteReason reason;
  const Preference preference(f, scores, selection_bias);
  const auto is_chosen = [&](u32 e) {
    return std::find(chosen.begin(), chosen.end(), e) != chosen.end();
  };
  f32 last = std::numeric_limits<f32>::infinity(), best = kLowest;
  for (const u32 e : chosen) last = std::min(last, preference(e));
  for (u32 e = 0; e < f.experts; ++e)
    if (!is_chosen(e)) best = std::max(best, preference(e));
  reason.margin = last - best;
  if (selection_bias)
    for (u32 e = 0; e < f.experts; ++e) reason.biased.push_back(scores[e] + selection_bias[e]);
  if (f.router.groups > 1)
    for (u32 g = 0; g < f.router.groups; ++g) reason.kept.push_back(preference.keeps(g));
  return reason;
}

}  // namespace orrery::forward
