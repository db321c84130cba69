// The ladder of routed experts: 32 tokens, each of which chose 2 of 8 matrices. All rungs multiply
// with the kernel; what changes is how often a matrix is read, and by whom.
#include <algorithm>
#include <cstring>
#include <random>

#include "base/thread_team.h"
#include "ladder/ladder.h"

namespace orrery::ladder {
namespace {

constexpr u32 kExperts = 8, kActive = 2, kTokens = 32, kRows = 1024, kCols = 1024;

struct Problem {
  kernels::Kernels kernels;
  std::vector<std::shared_ptr<Weights>> experts;
  std::vector<std::shared_ptr<Inputs>> tokens;  // one column each
  u32 chosen[kTokens][kActive];
  std::vector<std::shared_ptr<Inputs>> gathered;  // by expert: its tokens side by side
  std::vector<std::vector<u32>> places;           // by expert: token * kActive + choice
  std::vector<f32> rows;                          // [a pair][kRows], where a gathered product goes
};

f32* pair_of(f32* out, u32 place) { return out + u64(place) * kRows; }

void multiply(const Problem& p, u32 expert, const kernels::Activations& x, Range panels, f32* out) {
  const auto& m = p.experts[expert]->packed;
  p.kernels.matmul[u8(m.layout)](m, x, u32(panels.begin), u32(panels.end), out, kRows, false);
}

// Rung 1: token by token, as the mathematics says it: a matrix comes from memory for each token.
void by_token(Problem& p, f32* out) {
  for (u32 t = 0; t < kTokens; ++t)
    for (u32 choice = 0; choice < kActive; ++choice)
      multiply(p, p.chosen[t][choice], p.tokens[t]->quantized, {0, kRows / 16},
               pair_of(out, t * kActive + choice));
}

// Rung 2: expert by expert: the matrix is still in the cache when its next token comes.
void by_expert(Problem& p, f32* out) {
  for (u32 e = 0; e < kExperts; ++e)
    for (const u32 place : p.places[e])
      multiply(p, e, p.tokens[place / kActive]->quantized, {0, kRows / 16}, pair_of(out, place));
}

// The rows of an expert's tokens back to where they belong.
void scatter(const Problem& p, u32 e, const f32* rows, f32* out) {
  for (u32 i = 0; i < p.places[e].size(); ++i)
    std::memcpy(pair_of(out, p.places[e][i]), rows + u64(i) * kRows, kRows * sizeof(f32));
}

// Rung 3: the tokens of an expert side by side: one product of many columns, in which a weight that
// was unpacked meets all of them.
void gathered(Problem& p, f32* out) {
  for (u32 e = 0; e < kExperts; ++e) {
    if (p.places[e].empty()) continue;
    multiply(p, e, p.gathered[e]->quantized, {0, kRows / 16}, p.rows.data());
    scatter(p, e, p.rows.data(), out);
  }
}

// Rung 4: the panels of all experts laid end to end and shared out among two threads, so that no
// thread waits for the other behind a small expert.
void shared(Problem& p, ThreadTeam& team, f32* out) {
  team.run([&](Worker& worker) {
    worker.pieces(u64(kExperts) * kRows / 16, 8, [&](Range panels) {
      for (u64 e = panels.begin / (kRows / 16); e * (kRows / 16) < panels.end; ++e) {
        if (p.places[e].empty()) continue;
        const u64 first = e * (kRows / 16);
        const Range mine{std::max(panels.begin, first) - first,
                         std::min(panels.end - first, u64(kRows / 16))};
        u64 before = 0;
        for (u64 other = 0; other < e; ++other) before += p.places[other].size();
        multiply(p, u32(e), p.gathered[e]->quantized, mine, &p.rows[before * kRows]);
      }
    });
    worker.barrier();
    if (worker.index() > 0) return;
    u64 before = 0;
    for (u32 e = 0; e < kExperts; before += p.places[e++].size())
      scatter(p, e, &p.rows[before * kRows], out);
  });
}

Result<std::shared_ptr<Problem>> make_problem(const kernels::Kernels& kernels) {
  auto p = std::make_shared<Problem>();
  p->kernels = kernels;
  p->places.resize(kExperts);
  p->rows.resize(u64(kTokens) * kActive * kRows);
  std::mt19937 random(4);
  TRY(const auto all, make_inputs(kernels, kCols, kTokens));
  const auto columns_of = [&](const std::vector<u32>& tokens) -> Result<std::shared_ptr<Inputs>> {
    auto x = std::make_shared<Inputs>();
    x->columns = u32(tokens.size());
    for (const u32 t : tokens)
      x->floats.insert(x->floats.end(), &all->floats[u64(t) * kCols],
                       &all->floats[u64(t) * kCols] + kCols);
    const auto kind = all->quantized.kind;
    TRY(x->memory,
        HugeBuffer::allocate(kernels::activation_bytes(kind, kCols, std::max(1u, x->columns))));
    x->quantized = kernels::place_activations(kind, kCols, x->columns, x->memory.data());
    kernels.quantize(x->floats.data(), kCols, x->quantized, 0, x->columns);
    return x;
  };
  for (u32 t = 0; t < kTokens; ++t) {
    p->chosen[t][0] = random() % kExperts;
    p->chosen[t][1] = (p->chosen[t][0] + 1 + random() % (kExperts - 1)) % kExperts;
    for (u32 choice = 0; choice < kActive; ++choice)
      p->places[p->chosen[t][choice]].push_back(t * kActive + choice);
    TRY(auto one, columns_of({t}));
    p->tokens.push_back(std::move(one));
  }
  for (u32 e = 0; e < kExperts; ++e) {
    TRY(auto weights, make_weights(kRows, kCols, e + 1));
    p->experts.push_back(std::move(weights));
    std::vector<u32> tokens;
    for (const u32 place : p->places[e]) tokens.push_back(place / kActive);
    TRY(auto side_by_side, columns_of(tokens));
    p->gathered.push_back(std::move(side_by_side));
  }
  return p;
}

}  // namespace

Result<Ladder> experts(const kernels::Kernels& kernels) {
  TRY(const auto p, make_problem(kernels));
  const auto team = std::make_shared<ThreadTeam>(2);
  return Ladder{"experts",
                "32 tokens, 2 of 8 experts each: Q4_1 1024 x 1024",
                2.0 * kRows * kCols * kTokens * kActive,
                u64(kTokens) * kActive * kRows,
                1e-6,
                {{"token by token", "as the mathematics says it: a matrix for every token",
                  [p](f32* out) { by_token(*p, out); }},
                 {"expert by expert", "the matrix is in the cache when its next token comes",
                  [p](f32* out) { by_expert(*p, out); }},
                 {"gathered", "an expert's tokens side by side: one product of many columns",
                  [p](f32* out) { gathered(*p, out); }},
                 {"two threads", "all experts end to end, in pieces: nobody waits at a small one",
                  [p, team](f32* out) { shared(*p, *team, out); }}}};
}

}  // namespace orrery::ladder
