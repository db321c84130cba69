// What a sampler tells of its chain to those who watch: reads what the steps left, changes nothing.
#include <algorithm>
#include <cmath>
#include <limits>

#include "forward/sampler.h"

namespace orrery::forward {

void Sampler::note_begin(std::span<const f32> logits) {
  const SamplerSettings& s = settings_;
  record_->stages.clear();
  record_->uniform = std::numeric_limits<f64>::quiet_NaN();
  const auto note = [&](SamplerStage stage, f64 value) {
    record_->stages.push_back({stage, u32(logits.size()), 1, f32(value)});
  };
  note(SamplerStage::kRaw, 0);
  if (s.repetition_penalty != 1) note(SamplerStage::kRepetitionPenalty, s.repetition_penalty);
  if (s.presence_penalty != 0) note(SamplerStage::kPresencePenalty, s.presence_penalty);
  if (s.frequency_penalty != 0) note(SamplerStage::kFrequencyPenalty, s.frequency_penalty);
  if (s.temperature != 0 && s.temperature != 1) note(SamplerStage::kTemperature, s.temperature);
  for (SamplerRecord::Watched& watched : record_->watched)
    watched = {.id = watched.id, .dropped_by = kDroppedNever};
}

// What a step that drops has left; kept_ is in order of id.
void Sampler::note_stage(SamplerStage stage, f64 value) {
  if (whole_mass_ == 0) whole_mass_ = mass(kept_);
  const u32 index = u32(record_->stages.size());
  record_->stages.push_back(
      {stage, u32(kept_.size()), f32(std::min(1.0, mass(kept_) / whole_mass_)), f32(value)});
  for (SamplerRecord::Watched& watched : record_->watched) {
    if (watched.dropped_by != kDroppedNever) continue;
    const auto at = std::lower_bound(kept_.begin(), kept_.end(), watched.id,
                                     [](const Entry& entry, i32 id) { return entry.id < id; });
    if (at == kept_.end() || at->id != watched.id) watched.dropped_by = index;
  }
}

// Where the watched tokens and the drawn one lie on the bar: the mass between two of them is summed
// as a whole, so that a list of all tokens costs one pass.
void Sampler::note_draw(f64 uniform, i32 id) {
  record_->uniform = uniform;
  std::vector<SamplerRecord::Watched*> order;
  SamplerRecord::Watched drawn{.id = id};
  for (SamplerRecord::Watched& watched : record_->watched) order.push_back(&watched);
  order.push_back(&drawn);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->id < b->id; });
  f64 before = 0, weight_of_drawn = 0;
  auto from = kept_.begin();
  std::vector<f64> weights(order.size());
  for (u64 i = 0; i < order.size(); ++i) {
    const auto at = std::lower_bound(from, kept_.end(), order[i]->id,
                                     [](const Entry& entry, i32 one) { return entry.id < one; });
    before += mass({from, at});
    from = at;
    order[i]->bar_begin = before;
    if (at != kept_.end() && at->id == order[i]->id) weights[i] = at->weight;
    if (order[i] == &drawn) weight_of_drawn = weights[i];
  }
  const f64 all = before + mass({from, kept_.end()});
  for (u64 i = 0; i < order.size(); ++i) {
    order[i]->bar_begin /= all;
    order[i]->probability = f32(weights[i] / all);
  }
  record_->bar_begin = drawn.bar_begin;
  record_->bar_end = drawn.bar_begin + weight_of_drawn / all;
  record_->probability = drawn.probability;
}

}  // namespace orrery::forward
