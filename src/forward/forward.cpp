#include "forward/forward.h"

#include <algorithm>
#include <cmath>

#include "base/overload.h"
#include "forward/blocks.h"
#include "forward/watch.h"
#include "model/rope.h"

namespace orrery::forward {
namespace {

void find_runs(const Batch& batch, Scratch& scratch) {
  scratch.runs.clear();
  scratch.logit_rows.clear();
  for (u32 t = 0; t < batch.size(); ++t) {
    const BatchToken& token = batch.tokens[t];
    if (token.logits) scratch.logit_rows.push_back(t);
    if (!scratch.runs.empty() && scratch.runs.back().sequence == token.sequence)
      ++scratch.runs.back().count;
    else
      scratch.runs.push_back({t, 1, token.sequence, token.position});
  }
}

// The cosines and sines of the rotary angles of a token. The angle is rounded to float32 before its
// cosine is taken, as the reference does.
void turn_angles(const Step& step, u64 t) {
  Scratch& s = step.scratch;
  const model::Rope& rope = step.model.spec.rope;
  const BatchToken& token = step.batch.tokens[t];
  const u32 pairs = rope.dim / 2;
  const f32* frequency = s.rope_frequency;
  if (rope.depends_on_length()) {
    const auto& divisors = step.model.rope_divisors;
    f32* mine = step.mine().row;
    model::rope_frequencies(rope, divisors.empty() ? nullptr : divisors.data(),
                            std::max(token.length, token.position + 1), {mine, pairs});
    frequency = mine;
  }
  const f32 magnitude = f32(rope.magnitude);
  for (u32 i = 0; i < pairs; ++i) {
    const f32 angle = f32(token.position) * frequency[i];
    s.cos[t * pairs + i] = f32(std::cos(f64(angle))) * magnitude;
    s.sin[t * pairs + i] = f32(std::sin(f64(angle))) * magnitude;
  }
}

void embed(const Step& step) {
  const u32 dim = step.model.spec.dim;
  const Range share = step.worker.share(step.tokens());
  for (u64 t = share.begin; t < share.end; ++t) {
    step.kernels.decode_row(step.model.weights.embedding(), u32(step.batch.tokens[t].token),
                            step.scratch.residual + t * dim);
    turn_angles(step, t);
  }
  step.worker.barrier();
}

template <typename Tap>
void layer_blocks(const Step& step, u32 layer, Tap& tap) {
  const model::LayerSpec& spec = step.model.spec.layers[layer];
  std::visit(
      Overload{[&](const model::GroupedAttention& a) { grouped_attention(step, layer, a, tap); },
               [&](const model::LatentAttention& a) { latent_attention(step, layer, a, tap); },
               [&](const model::DeltaNet& d) { delta_net(step, layer, d, tap); }},
      spec.attention);
  std::visit(Overload{[&](const model::DenseFfn& f) { dense_ffn(step, layer, f, tap); },
                      [&](const model::ExpertFfn& f) { expert_ffn(step, layer, f, tap); }},
             spec.ffn);
}

template <typename Tap>
void output_logits(const Step& step, Tap& tap) {
  Scratch& s = step.scratch;
  const u32 count = u32(s.logit_rows.size());
  if (count == 0) return;
  const u32 dim = step.model.spec.dim, vocab = step.model.spec.vocab;
  const f32* norm = step.model.weights.whole.vector(model::Role::kOutputNorm);
  watch_norm(step, tap, trace::Point::kFinalNorm, 0, norm);
  const ActivationSet& normed = convert(step,
                                        {.values = s.residual,
                                         .stride = dim,
                                         .depth = dim,
                                         .norm = norm,
                                         .indices = s.logit_rows.data()},
                                        count);
  const Product product[] = {{&step.model.weights.output(), nullptr, s.logits, vocab}};
  multiply(step, normed, product);
  step.worker.barrier();
  if constexpr (Tap::kOn) {
    if (step.worker.index() == 0)
      for (u32 i = 0; i < count; ++i)
        tap.values(trace::Point::kLogits, 0, s.logit_rows[i], s.logits + u64(i) * vocab, vocab);
  }
}

}  // namespace

Result<void> check(const model::Model& model, const Batch& batch, const Scratch& scratch) {
  if (batch.size() == 0) return fail("a batch of no tokens");
  if (batch.size() > scratch.tokens_max)
    return fail("a batch of {} tokens, more than {}", batch.size(), scratch.tokens_max);
  u32 logits = 0;
  for (u32 t = 0; t < batch.size(); ++t) {
    const BatchToken& token = batch.tokens[t];
    if (token.token < 0 || u32(token.token) >= model.spec.vocab)
      return fail("token id {} is outside the vocabulary of {}", token.token, model.spec.vocab);
    logits += token.logits;
    for (u32 before = 0; before < t; ++before) {
      const BatchToken& other = batch.tokens[before];
      if (other.sequence != token.sequence) continue;
      if (batch.tokens[t - 1].sequence != token.sequence ||
          batch.tokens[t - 1].position + 1 != token.position)
        return fail("the tokens of a sequence do not stand together in order");
      break;
    }
  }
  if (logits > scratch.logit_rows_max)
    return fail("logits of {} tokens at once, more than {}", logits, scratch.logit_rows_max);
  return {};
}

template <typename Tap>
void forward(const model::Model& model, const kernels::Kernels& kernels, const Batch& batch,
             KvCache& cache, Scratch& scratch, ThreadTeam& team, Tap& tap) {
  find_runs(batch, scratch);
  team.run([&](Worker& worker) {
    const Step step{model, kernels, batch, cache, scratch, worker};
    embed(step);
    watch_rows(step, tap, trace::Point::kEmbedding, 0, scratch.residual, model.spec.dim);
    for (u32 layer = 0; layer < model.spec.layers.size(); ++layer) layer_blocks(step, layer, tap);
    output_logits(step, tap);
  });
}

template void forward(const model::Model&, const kernels::Kernels&, const Batch&, KvCache&,
                      Scratch&, ThreadTeam&, trace::TapOff&);
template void forward(const model::Model&, const kernels::Kernels&, const Batch&, KvCache&,
                      Scratch&, ThreadTeam&, trace::TapOn&);

}  // namespace orrery::forward
