#include "engine/counterfactual.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

#include "forward/log_softmax.h"

namespace orrery::engine {
namespace {

using Clock = std::chrono::steady_clock;
using model::ExpertFfn;
using model::GroupedAttention;
using model::Role;

// Tokens of a text that is computed anew together.
constexpr u32 kChunk = 64;

// A model with another spec over the same weights. It must not outlive the one it is made from.
struct Changed {
  model::Model model;
  std::vector<std::vector<f32>> biases;  // [layers] of the router's choice, where experts are out
};

bool drops(const Change& change, u32 layer) {
  return std::any_of(change.dropped.begin(), change.dropped.end(),
                     [&](const DroppedExpert& d) { return !d.layer || *d.layer == layer; });
}

void change_spec(model::ModelSpec& spec, const Change& change) {
  for (u32 l = 0; l < spec.layers.size(); ++l) {
    if (auto* a = std::get_if<GroupedAttention>(&spec.layers[l].attention)) {
      if (change.window) a->window = *change.window;
      if (change.sinks) a->pinned = *change.sinks;
    }
    if (auto* f = std::get_if<ExpertFfn>(&spec.layers[l].ffn)) {
      if (change.experts_active) f->active = *change.experts_active;
      if (drops(change, l)) f->router.selection_bias = true;
    }
  }
}

// An expert that is out is one whose score can never be the best: its bias is -infinity.
std::vector<f32> choice_bias(const ExpertFfn& f, model::Vector own, const Change& change,
                             u32 layer) {
  std::vector<f32> bias(f.experts, 0.0f);
  if (own) std::copy_n(own, f.experts, bias.begin());
  for (const DroppedExpert& d : change.dropped)
    if (!d.layer || *d.layer == layer) bias[d.expert] = -std::numeric_limits<f32>::infinity();
  return bias;
}

Changed changed_model(const model::Model& model, const Change& change) {
  Changed changed;
  changed.model.spec = model.spec;
  changed.model.rope_divisors = model.rope_divisors;
  change_spec(changed.model.spec, change);
  const u64 layers = model.spec.layers.size();
  changed.biases.resize(layers);
  for (u32 l = 0; l < layers; ++l)
    if (const auto* f = std::get_if<ExpertFfn>(&model.spec.layers[l].ffn); f && drops(change, l))
      changed.biases[l] =
          choice_bias(*f, model.weights.layers[l].vector(Role::kSelectionBias), change, l);
  model::WeightsBuilder builder(changed.model.spec);
  for (const model::TensorNeed& need : model::needed_tensors(changed.model.spec)) {
    const bool whole = need.role == Role::kEmbedding || need.role == Role::kOutput ||
                       need.role == Role::kOutputNorm || need.role == Role::kRopeDivisors;
    const model::RoleTable& from = whole ? model.weights.whole : model.weights.layers[need.layer];
    if (!need.is_vector())
      builder.add(need, {&from.matrix(need.role), need.count()});
    else if (need.role == Role::kSelectionBias && !changed.biases[need.layer].empty())
      builder.add(need, changed.biases[need.layer].data());
    else
      builder.add(need, from.vector(need.role));
  }
  changed.model.weights = builder.take();
  return changed;
}

// One computation of the text's end, with a model of its own over a sequence of its own.
struct Trial {
  Engine& engine;
  const model::Model& model;
  const WatchedRun& run;
  u32 tokens_max;  // of a pass

  // The logits after positions [first, last], each handed out in order.
  template <typename OnLogits>
  [[nodiscard]] Result<f64> compute(u32 sequence, u32 begin, u32 first, u32 last,
                                    OnLogits on_logits) const {
    forward::Scratch& scratch = engine.scratch();
    const u32 vocab = model.spec.vocab;
    forward::Batch batch;
    f64 seconds = 0;
    for (u32 next = begin; next <= last;) {
      batch.tokens.clear();
      u32 rows = 0;
      for (; next <= last && batch.size() < tokens_max && rows < scratch.logit_rows_max; ++next) {
        const bool wanted = next >= first;
        rows += wanted;
        batch.tokens.push_back(
            {run.tokens()[next], sequence, next, wanted, std::max(run.prompt_count(), next + 1)});
      }
      CHECK_OK(forward::check(model, batch, scratch));
      CHECK_OK(engine.cache().reserve(sequence, next));
      trace::TapOff off;
      const auto start = Clock::now();
      forward::forward(model, engine.kernels(), batch, engine.cache(), scratch, engine.team(), off);
      seconds += std::chrono::duration<f64>(Clock::now() - start).count();
      for (u32 i = 0; i < rows; ++i)
        on_logits(next - rows + i, std::span<const f32>(scratch.logits + u64(i) * vocab, vocab));
    }
    return seconds;
  }
};

Compared compare(u32 position, std::span<const f32> before, std::span<const f32> after) {
  Compared result{.position = position};
  const f64 sum_before = forward::log_sum_exp(before), sum_after = forward::log_sum_exp(after);
  f64 kl = 0;
  for (u64 i = 0; i < before.size(); ++i) {
    const f64 log_p = before[i] - sum_before, log_q = after[i] - sum_after;
    if (log_p > -60) kl += std::exp(log_p) * (log_p - log_q);
  }
  result.kl = f32(std::max(0.0, kl));
  const auto best = [](std::span<const f32> logits, f64 sum) {
    const auto at = std::max_element(logits.begin(), logits.end());
    return Compared::Top{text::TokenId(at - logits.begin()), f32(*at - sum)};
  };
  result.before = best(before, sum_before);
  result.after = best(after, sum_after);
  return result;
}

// Tokens that a pass may have: its scratch was laid out for the model's own number of experts.
u32 tokens_fitting(const Engine& engine, const model::ModelSpec& changed, u32 tokens_max) {
  u64 tokens = std::min(tokens_max, kChunk);
  for (u32 l = 0; l < changed.layers.size(); ++l)
    if (const auto* f = std::get_if<ExpertFfn>(&changed.layers[l].ffn)) {
      const auto& own = std::get<ExpertFfn>(engine.model().spec.layers[l].ffn);
      tokens = std::min(tokens, u64(tokens_max) * own.active / f->active);
    }
  return u32(tokens);
}

Result<void> check_experts(const model::ModelSpec& spec, const Change& change) {
  bool any = false;
  for (u32 l = 0; l < spec.layers.size(); ++l) {
    const auto* f = std::get_if<ExpertFfn>(&spec.layers[l].ffn);
    if (!f) continue;
    any = true;
    const u32 active = change.experts_active.value_or(f->active);
    const u32 eligible = f->experts / f->router.groups * f->router.groups_kept;
    u32 out = 0;
    for (const DroppedExpert& d : change.dropped) {
      if (d.layer && *d.layer != l) continue;
      if (d.expert >= f->experts)
        return fail("there is no expert {}: layer {} has {}", d.expert, l, f->experts);
      ++out;
    }
    if (active + out > eligible)
      return fail("layer {} may choose from {} experts, so {} active without {} do not go", l,
                  eligible, active, out);
  }
  for (const DroppedExpert& d : change.dropped)
    if (d.layer && (*d.layer >= spec.layers.size() ||
                    !std::holds_alternative<ExpertFfn>(spec.layers[*d.layer].ffn)))
      return fail("layer {} has no experts", *d.layer);
  if (!any) return fail("this model has no experts");
  return {};
}

}  // namespace

Result<void> check_change(const model::ModelSpec& spec, const Change& change) {
  if (change.experts_active || !change.dropped.empty()) CHECK_OK(check_experts(spec, change));
  if (change.window || change.sinks) {
    const bool grouped =
        std::any_of(spec.layers.begin(), spec.layers.end(), [](const model::LayerSpec& layer) {
          return std::holds_alternative<GroupedAttention>(layer.attention);
        });
    if (!grouped) return fail("no layer of this model keeps keys and values that a window limits");
  }
  return {};
}

Result<void> copy_positions(forward::KvCache& cache, u32 from, u32 to, u32 length) {
  CHECK_OK(cache.reserve(to, length));
  for (u32 i = 0; i < divide_up(length, forward::kPageTokens); ++i) {
    const std::span<u8> source = cache.page_bytes(cache.pages_of(from)[i]);
    std::memcpy(cache.page_bytes(cache.pages_of(to)[i]).data(), source.data(), source.size());
  }
  return {};
}

Result<WhatIf> what_if(Engine& engine, const WatchedRun& run, u32 last, u32 count,
                       const Change& change, bool recompute) {
  CHECK_OK(check_change(engine.model().spec, change));
  // States have no way back to an earlier position.
  const bool copies = run.in_cache() && last < run.computed() && engine.cache().rewinds();
  const u32 first = last + 1 - count;
  const Changed changed = changed_model(engine.model(), change);
  WhatIf result{.positions = {}, .recompute = recompute || !copies};
  const u32 tokens = tokens_fitting(engine, changed.model.spec, engine.scratch().tokens_max);
  std::vector<std::vector<f32>> unchanged(count);
  for (const bool is_changed : {false, true}) {
    TRY(const Sequence sequence, engine.start());
    const u32 number = engine.number(sequence);
    // The unchanged text's keys and values are the same bits, however they came to be.
    const u32 begin = copies && (!recompute || !is_changed) ? first : 0;
    if (begin > 0) CHECK_OK(copy_positions(engine.cache(), run.sequence(), number, begin));
    const Trial trial{engine, is_changed ? changed.model : engine.model(), run, tokens};
    TRY(const f64 seconds,
        trial.compute(number, begin, first, last, [&](u32 at, std::span<const f32> logits) {
          if (is_changed)
            result.positions.push_back(compare(at, unchanged[at - first], logits));
          else
            unchanged[at - first].assign(logits.begin(), logits.end());
        }));
    (is_changed ? result.ms : result.ms_unchanged) = 1000 * seconds;
  }
  return result;
}

}  // namespace orrery::engine
