#include "forward/scratch.h"

#include <algorithm>
#include <functional>

namespace orrery::forward {
namespace {

struct Widths {
  u64 q = 0, kv = 0, ffn = 0, depth = 0;
};

Widths widest(const model::ModelSpec& spec) {
  Widths w;
  for (const model::LayerSpec& layer : spec.layers) {
    const auto& a = std::get<model::GroupedAttention>(layer.attention);
    w.q = std::max(w.q, u64(a.heads) * a.head_dim);
    w.kv = std::max(w.kv, u64(a.kv_heads) * a.head_dim);
    w.ffn = std::max<u64>(w.ffn, std::get<model::DenseFfn>(layer.ffn).width);
  }
  w.depth = std::max({u64(spec.dim), w.q, w.ffn});
  return w;
}

void note_kinds(const model::Model& model, bool (&kinds)[4]) {
  const auto note = [&](const model::Matrix& m) {
    kinds[u8(kernels::activation_kind(m.layout))] = true;
  };
  for (const model::LayerWeights& layer : model.weights.layers) {
    const model::AttentionWeights& a = layer.attention;
    const model::FfnWeights& f = layer.ffn;
    for (const model::Matrix* m : {&a.query, &a.key, &a.value, &a.output, &f.gate, &f.up, &f.down})
      note(*m);
  }
  note(model.weights.output);
}

u64 attention_floats(const model::ModelSpec& spec) {
  u64 floats = 0;
  for (const model::LayerSpec& layer : spec.layers) {
    const u32 head_dim = std::get<model::GroupedAttention>(layer.attention).head_dim;
    floats = std::max(floats, kernels::attention_scratch_floats(kQueriesMax, head_dim, head_dim));
  }
  return floats;
}

}  // namespace

Result<Scratch> Scratch::make(const model::Model& model, u32 tokens_max, u32 logit_rows_max,
                              u32 threads) {
  Scratch s;
  s.tokens_max = tokens_max;
  s.logit_rows_max = logit_rows_max;
  note_kinds(model, s.kinds);
  s.threads.resize(threads);
  s.runs.reserve(tokens_max);
  s.logit_rows.reserve(logit_rows_max);

  const model::ModelSpec& spec = model.spec;
  const Widths w = widest(spec);
  // The same list is walked twice: once to count the bytes, once to hand them out.
  const auto lay_out = [&](const std::function<u8*(u64)>& take) {
    const auto floats = [&](u64 n) { return reinterpret_cast<f32*>(take(n * sizeof(f32))); };
    const auto activations = [&](ActivationSet& set, u32 columns) {
      for (u8 kind = 0; kind < 4; ++kind)
        if (s.kinds[kind])
          set.memory[kind] =
              take(kernels::activation_bytes(kernels::ActivationKind(kind), u32(w.depth), columns));
    };
    const u64 t = tokens_max;
    s.residual = floats(t * spec.dim);
    s.query = floats(t * w.q);
    s.key = floats(t * w.kv);
    s.value = floats(t * w.kv);
    s.attended = floats(t * w.q);
    s.hidden = floats(t * w.ffn);
    s.cos = floats(t * spec.rope.dim / 2);
    s.sin = floats(t * spec.rope.dim / 2);
    s.logits = floats(u64(logit_rows_max) * spec.vocab);
    activations(s.inputs, tokens_max);
    for (ThreadScratch& thread : s.threads) {
      thread.row = floats(w.depth);
      thread.up = floats(t * kUpRows);
      thread.attention = floats(attention_floats(spec));
      activations(thread.inputs, 1);
    }
  };
  u64 bytes = 0;
  lay_out([&](u64 n) {
    bytes += round_up(n, u64(64));
    return nullptr;
  });
  TRY(s.memory_, HugeBuffer::allocate(bytes));
  u64 used = 0;
  lay_out([&](u64 n) {
    u8* at = s.memory_.data() + used;
    used += round_up(n, u64(64));
    return at;
  });
  return s;
}

}  // namespace orrery::forward
