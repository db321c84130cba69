// Mixture of experts: tokens are gathered by expert, so that each expert's matrices are read once
// for all tokens that chose it; what the experts give is added in the order of a token's choice.
#include <algorithm>
#include <cmath>

#include "forward/blocks.h"
#include "forward/gated_unit.h"
#include "forward/router.h"
#include "forward/watch.h"

namespace orrery::forward {
namespace {

using model::ExpertFfn;
using model::Role;

// Which (token, choice) pairs go to which expert: pairs stand by expert, then by token. Every
// member makes the same lists for itself; they are short.
void gather_pairs(const Step& step, const ExpertFfn& f) {
  const u32* chosen = step.scratch.expert_chosen;
  ExpertPairs& to = step.mine().pairs;
  const u32 pairs = step.tokens() * f.active;
  std::fill_n(to.begin, f.experts + 1, 0u);
  for (u32 i = 0; i < pairs; ++i) ++to.begin[chosen[i] + 1];
  for (u32 e = 0; e < f.experts; ++e) to.begin[e + 1] += to.begin[e];
  for (u32 i = 0; i < pairs; ++i) {
    const u32 at = to.begin[chosen[i]]++;
    to.choice[at] = i;
    to.place[i] = at;
  }
  for (u32 e = f.experts; e > 0; --e) to.begin[e] = to.begin[e - 1];
  to.begin[0] = 0;
}

// Memory of the activations of one expert's pairs, within memory for all pairs.
ActivationSet expert_input(const Step& step, const ActivationSet& memory, u32 depth, u32 first,
                           u32 count) {
  ActivationSet set;
  for (u8 kind = 0; kind < kernels::kActivationKindCount; ++kind) {
    if (!step.scratch.kinds[kind]) continue;
    const auto k = kernels::ActivationKind(kind);
    // Sets of fewer columns never need more than their share, rounded up once each.
    u8* at = memory.memory[kind] + u64(first) * kernels::activation_bytes(k, depth, 1);
    set.of[kind] = kernels::place_activations(k, depth, count, at);
  }
  return set;
}

template <typename Do>
void for_visited(const ExpertFfn& f, const ExpertPairs& pairs, Do visit) {
  for (u32 e = 0; e < f.experts; ++e)
    if (const u32 count = pairs.begin[e + 1] - pairs.begin[e]; count > 0)
      visit(e, pairs.begin[e], count);
}

// Converts the row of each pair of this member into its expert's input.
template <typename RowOf>
void convert_pairs(const Step& step, const ExpertFfn& f, const ActivationSet& memory, u32 depth,
                   RowOf row_of) {
  const ExpertPairs& pairs = step.mine().pairs;
  const Range share = step.worker.share(u64(step.tokens()) * f.active);
  for_visited(f, pairs, [&](u32, u32 first, u32 count) {
    const u64 begin = std::max<u64>(share.begin, first);
    const u64 end = std::min<u64>(share.end, first + count);
    if (begin >= end) return;
    const ActivationSet set = expert_input(step, memory, depth, first, count);
    for (u64 p = begin; p < end; ++p) {
      const f32* row = row_of(p);
      for (u8 kind = 0; kind < kernels::kActivationKindCount; ++kind)
        if (step.scratch.kinds[kind])
          step.kernels.quantize(row, 0, set.of[kind], u32(p - first), u32(p - first) + 1);
    }
  });
}

// Calls work(expert, first pair, count, panels) until the team has done the panels of all visited
// experts; an expert costs its bytes and, with many tokens, their products.
template <typename Work>
void share_panels(const Step& step, const ExpertFfn& f, Role role, u32 layer, Work work) {
  constexpr u64 kReading = 4;  // reading a panel costs as much as this many columns
  const ExpertPairs& pairs = step.mine().pairs;
  const model::RoleTable& w = step.model.weights.layers[layer];
  u64 total = 0, panel_most = 0;
  for_visited(f, pairs, [&](u32 e, u32, u32 count) {
    total += u64(w.matrix(role, e).panels()) * (count + kReading);
    panel_most = std::max<u64>(panel_most, count + kReading);
  });
  step.worker.pieces(total, panel_most * panels_least(u32(panel_most)), [&](Range units) {
    u64 before = 0;
    for_visited(f, pairs, [&](u32 e, u32 first, u32 count) {
      const u64 all = w.matrix(role, e).panels();
      const Range panels = panels_in(units, before, all, count + kReading);
      before += all * (count + kReading);
      if (panels.begin < panels.end) work(e, first, count, panels);
    });
  });
}

void choose_experts(const Step& step, const model::RoleTable& w, const ExpertFfn& f) {
  Scratch& s = step.scratch;
  const Range share = step.worker.share(step.tokens());
  for (u64 t = share.begin; t < share.end; ++t)
    route(f, s.router_scores + t * f.experts, w.vector(Role::kSelectionBias),
          s.expert_chosen + t * f.active, s.expert_weight + t * f.active);
}

// The residual normed into `row`, once for all experts of a token.
const f32* normed_row(const Step& step, const f32* norm, u32 token) {
  const u32 dim = step.model.spec.dim;
  step.kernels.rms_norm(step.scratch.residual + u64(token) * dim, norm, step.mine().row, dim,
                        step.model.spec.norm_eps);
  return step.mine().row;
}

void experts_in(const Step& step, u32 layer, const ExpertFfn& f) {
  const model::RoleTable& w = step.model.weights.layers[layer];
  Scratch& s = step.scratch;
  const ExpertPairs& pairs = step.mine().pairs;
  const f32* norm = w.vector(Role::kFfnNorm);
  const u32 dim = step.model.spec.dim;
  convert_pairs(step, f, s.expert_inputs, dim, [&](u64 p) {
    const u32 choice = pairs.choice[p];
    const f32* row = normed_row(step, norm, choice / f.active);
    if (f.router.weighs_input) step.kernels.scale(s.expert_weight[choice], step.mine().row, dim);
    return row;
  });
  step.worker.barrier();
  share_panels(step, f, Role::kExpertGate, layer, [&](u32 e, u32 first, u32 count, Range panels) {
    const f32* gate_bias = w.vector(Role::kExpertGateBias);
    const f32* up_bias = w.vector(Role::kExpertUpBias);
    const GatedPair pair{w.matrix(Role::kExpertGate, e), w.matrix(Role::kExpertUp, e),
                         gate_bias ? gate_bias + u64(e) * f.width : nullptr,
                         up_bias ? up_bias + u64(e) * f.width : nullptr, f.unit};
    gate_and_up(step, pair, expert_input(step, s.expert_inputs, dim, first, count), panels,
                s.expert_hidden + u64(first) * f.width, f.width);
  });
  step.worker.barrier();
}

void experts_out(const Step& step, u32 layer, const ExpertFfn& f) {
  const model::RoleTable& w = step.model.weights.layers[layer];
  Scratch& s = step.scratch;
  const u32 dim = step.model.spec.dim;
  convert_pairs(step, f, s.expert_inputs, f.width,
                [&](u64 p) { return s.expert_hidden + p * f.width; });
  step.worker.barrier();
  share_panels(step, f, Role::kExpertDown, layer, [&](u32 e, u32 first, u32 count, Range panels) {
    const model::Matrix& m = w.matrix(Role::kExpertDown, e);
    const ActivationSet input = expert_input(step, s.expert_inputs, f.width, first, count);
    step.kernels.matmul[u8(m.layout)](m, input[kernels::activation_kind(m.layout)],
                                      u32(panels.begin), u32(panels.end),
                                      s.expert_output + u64(first) * dim, dim, false);
  });
  step.worker.barrier();
}

// residual += sum over a token's choices of weight * (output + bias).
void combine(const Step& step, u32 layer, const ExpertFfn& f) {
  Scratch& s = step.scratch;
  const f32* bias = step.model.weights.layers[layer].vector(Role::kExpertDownBias);
  const ExpertPairs& pairs = step.mine().pairs;
  const u32 dim = step.model.spec.dim;
  const Range share = step.worker.share(u64(step.tokens()) * dim, 16);
  for (u64 i = share.begin; i < share.end;) {
    const u64 t = i / dim, end = std::min(share.end, (t + 1) * dim);
    for (; i < end; ++i) {
      const u64 column = i - t * dim;
      f32 sum = 0;
      for (u32 k = 0; k < f.active; ++k) {
        const u64 choice = t * f.active + k;
        f32 value = s.expert_output[u64(pairs.place[choice]) * dim + column];
        if (bias) value += bias[u64(s.expert_chosen[choice]) * dim + column];
        sum += (f.router.weighs_input ? 1 : s.expert_weight[choice]) * value;
      }
      s.residual[i] += sum;
    }
  }
}

// The gate of the shared expert scales its hidden row, which scales its output.
void shared_in(const Step& step, const model::RoleTable& w, const ExpertFfn& f,
               const ActivationSet& normed) {
  Scratch& s = step.scratch;
  const GatedPair pair{w.matrix(Role::kSharedGate), w.matrix(Role::kSharedUp), nullptr, nullptr,
                       f.unit};
  step.worker.pieces(pair.gate.panels(), panels_least(step.tokens()), [&](Range panels) {
    gate_and_up(step, pair, normed, panels, s.hidden, f.shared_width);
  });
}

void scale_shared(const Step& step, const ExpertFfn& f) {
  Scratch& s = step.scratch;
  const Range share = step.worker.share(step.tokens());
  for (u64 t = share.begin; t < share.end; ++t)
    step.kernels.scale(1 / (1 + std::exp(-s.shared_score[t])), s.hidden + t * f.shared_width,
                       f.shared_width);
  step.worker.barrier();
}

// Member 0 tells what the router said. The others go on: scores and choices stand until the next
// layer's router writes its own, many barriers later.
template <typename Tap>
void watch_routing(const Step& step, Tap& tap, u32 layer, const ExpertFfn& f) {
  if constexpr (Tap::kOn) {
    if (step.worker.index() != 0) return;
    const Scratch& s = step.scratch;
    for (u32 t = 0; t < step.tokens(); ++t) {
      tap.values(trace::Point::kRouterScores, layer, t, s.router_scores + u64(t) * f.experts,
                 f.experts);
      if (!tap.wants(trace::Point::kRouterChoice, t)) continue;
      f32* ids = step.mine().row;
      for (u32 k = 0; k < f.active; ++k) ids[k] = f32(s.expert_chosen[u64(t) * f.active + k]);
      tap.values(trace::Point::kRouterChoice, layer, t, ids, f.active);
    }
  }
}

}  // namespace

template <typename Tap>
void expert_ffn(const Step& step, u32 layer, const ExpertFfn& f, Tap& tap) {
  const model::RoleTable& w = step.model.weights.layers[layer];
  Scratch& s = step.scratch;
  const u32 dim = step.model.spec.dim;
  const f32* norm = w.vector(Role::kFfnNorm);
  watch_norm(step, tap, trace::Point::kFfnNorm, layer, norm);
  const ActivationSet& normed = convert(
      step, {.values = s.residual, .stride = dim, .depth = dim, .norm = norm}, step.tokens());
  const Product scores[] = {
      {&w.matrix(Role::kRouter), w.vector(Role::kRouterBias), s.router_scores, f.experts},
      {f.shared_gate ? &w.matrix(Role::kSharedRouter) : nullptr, nullptr, s.shared_score, 1}};
  multiply(step, normed, {scores, f.shared_gate ? 2u : 1u});
  if (f.shared_width) shared_in(step, w, f, normed);
  step.worker.barrier();
  choose_experts(step, w, f);
  step.worker.barrier();
  watch_routing(step, tap, layer, f);
  gather_pairs(step, f);
  experts_in(step, layer, f);
  experts_out(step, layer, f);
  if (f.shared_gate) scale_shared(step, f);
  combine(step, layer, f);
  step.worker.barrier();
  if (f.shared_width) project(step, w.matrix(Role::kSharedDown), nullptr, s.hidden, f.shared_width);
  watch_rows(step, tap, trace::Point::kResidual, layer, s.residual, dim);
}

template void expert_ffn(const Step&, u32, const ExpertFfn&, trace::TapOff&);
template void expert_ffn(const Step&, u32, const ExpertFfn&, trace::TapOn&);

}  // namespace orrery::forward
