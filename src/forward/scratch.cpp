#include "forward/scratch.h"

#include <algorithm>
#include <functional>

#include "model/rope.h"

namespace orrery::forward {
namespace {

// The largest sizes over all layers.
struct Widths {
  u64 query = 0, key = 0, value = 0, gate = 0, attended = 0, hidden = 0;
  u64 query_latent = 0, absorbed = 0, index_query = 0, index_key = 0, index_heads = 0, keys_max = 0;
  u64 mixed = 0, delta_heads = 0;
  u64 experts = 0, active = 0, expert_width = 0;
  u64 head_dim = 0, head_depth = 0, cached_dim = 0, kv_rank = 0;
  u64 depth = 0;  // of any matrix product, and of any row between two steps

  static void grow(u64& to, u64 value) { to = std::max(to, value); }

  void operator()(const model::GroupedAttention& a) {
    const u64 q = u64(a.heads) * a.head_dim, kv = u64(a.kv_heads) * a.head_dim;
    grow(query, q);
    grow(key, kv);
    grow(value, kv);
    if (a.gate) grow(gate, q);
    grow(attended, q);
    grow(head_dim, a.head_dim);
    grow(depth, q);
  }
  void operator()(const model::LatentAttention& a) {
    const u64 values = u64(a.heads) * a.value_dim;
    grow(query, std::max(u64(a.heads) * a.query_dim(), values));
    grow(key, a.cached_dim());
    grow(attended, u64(a.heads) * a.kv_rank);
    grow(query_latent, a.query_rank);
    grow(absorbed, u64(a.heads) * a.cached_dim());
    grow(index_query, u64(a.indexer.heads) * a.indexer.head_dim);
    grow(index_key, a.indexer.head_dim);
    grow(index_heads, a.indexer.heads);
    if (a.indexer.heads) grow(keys_max, a.indexer.keys_max);
    grow(head_dim, a.cached_dim());
    grow(head_depth, std::max(a.nope_dim, a.kv_rank));
    grow(cached_dim, a.cached_dim());
    grow(kv_rank, a.kv_rank);
    grow(depth, std::max<u64>({values, a.query_rank, a.cached_dim()}));
  }
  void operator()(const model::DeltaNet& d) {
    grow(gate, d.value_size());
    grow(attended, d.value_size());
    grow(mixed, d.conv_channels());
    grow(delta_heads, d.value_heads);
    grow(depth, std::max<u64>(d.value_size(), 2 * d.key_dim + d.value_dim));
  }
  void operator()(const model::DenseFfn& f) {
    grow(hidden, f.width);
    grow(depth, f.width);
  }
  void operator()(const model::ExpertFfn& f) {
    grow(hidden, f.shared_width);
    grow(experts, f.experts);
    grow(active, f.active);
    grow(expert_width, f.width);
    grow(depth, std::max<u64>({f.width, f.shared_width, f.active}));
  }
};

Widths widest(const model::ModelSpec& spec) {
  Widths w;
  for (const model::LayerSpec& layer : spec.layers) {
    std::visit(w, layer.attention);
    std::visit(w, layer.ffn);
  }
  w.depth = std::max({w.depth, u64(spec.dim), u64(spec.rope.dim)});
  return w;
}

void note_kinds(const model::Model& model, bool (&kinds)[kernels::kActivationKindCount]) {
  for (const model::Matrix& m : model.weights.matrices)
    kinds[u8(kernels::activation_kind(m.layout))] = true;
}

// Hands out pieces of the buffer; before there is one it only counts.
class Pieces {
 public:
  void use(u8* memory) {
    memory_ = memory;
    bytes_ = 0;
  }
  [[nodiscard]] u64 bytes() const { return bytes_; }
  u8* take(u64 n) {
    u8* at = memory_ ? memory_ + bytes_ : nullptr;
    bytes_ += round_up(n, u64(64));
    return at;
  }
  template <typename T>
  void take(T*& piece, u64 count) {
    piece = reinterpret_cast<T*>(take(count * sizeof(T)));
  }

 private:
  u8* memory_ = nullptr;
  u64 bytes_ = 0;
};

void lay_out(Scratch& s, const model::ModelSpec& spec, const Widths& w, Pieces& to) {
  const u64 t = s.tokens_max, pairs = t * w.active;
  // `columns` of one set, or as many sets of one column.
  const auto activations = [&](ActivationSet& set, u64 depth, u32 columns, u64 sets = 1) {
    for (u8 kind = 0; kind < kernels::kActivationKindCount; ++kind)
      if (s.kinds[kind])
        set.memory[kind] = to.take(
            sets * kernels::activation_bytes(kernels::ActivationKind(kind), u32(depth), columns));
  };
  to.take(s.residual, t * spec.dim);
  to.take(s.query, t * w.query);
  to.take(s.key, t * w.key);
  to.take(s.value, t * w.value);
  to.take(s.gate, t * w.gate);
  to.take(s.attended, t * w.attended);
  to.take(s.hidden, t * w.hidden);
  to.take(s.cos, t * spec.rope.dim / 2);
  to.take(s.sin, t * spec.rope.dim / 2);
  to.take(s.logits, u64(s.logit_rows_max) * spec.vocab);
  to.take(s.query_latent, t * w.query_latent);
  to.take(s.absorbed, t * w.absorbed);
  to.take(s.index_query, t * w.index_query);
  to.take(s.index_key, t * w.index_key);
  to.take(s.index_weights, t * w.index_heads);
  to.take(s.index_chosen, t * w.keys_max);
  to.take(s.index_counts, t);
  to.take(s.mixed, t * w.mixed);
  to.take(s.convolved, t * w.mixed);
  to.take(s.delta_beta, t * w.delta_heads);
  to.take(s.delta_step, t * w.delta_heads);
  to.take(s.router_scores, t * w.experts);
  to.take(s.expert_chosen, pairs);
  to.take(s.expert_weight, pairs);
  to.take(s.shared_score, t);
  to.take(s.expert_hidden, pairs * w.expert_width);
  to.take(s.expert_output, w.active ? pairs * spec.dim : 0);
  activations(s.expert_inputs, std::max<u64>(w.expert_width, spec.dim), 1, pairs);
  to.take(s.ones, w.depth);
  to.take(s.rope_frequency, spec.rope.dim / 2);
  activations(s.inputs, w.depth, s.tokens_max);
  for (ThreadScratch& thread : s.threads) {
    to.take(thread.row, w.depth);
    to.take(thread.up, t * kUpRows);
    to.take(thread.attention,
            kernels::attention_scratch_floats(u32(std::max(w.head_dim, w.kv_rank))));
    activations(thread.inputs, w.depth, 1);
    u64 head_bytes = 0;
    for (u8 kind = 0; kind < kernels::kActivationKindCount && w.head_depth; ++kind)
      head_bytes = std::max(head_bytes, kernels::activation_bytes(kernels::ActivationKind(kind),
                                                                  u32(w.head_depth), s.tokens_max));
    thread.head_input = to.take(head_bytes);
    thread.key_tiles = to.take(kernels::kKeyChunk * w.cached_dim * sizeof(f32));
    thread.value_rows = to.take(w.keys_max ? kernels::kKeyChunk * w.kv_rank * sizeof(f32) : 0);
    to.take(thread.scored, w.keys_max);
    to.take(thread.pairs.begin, w.experts + 1);
    to.take(thread.pairs.choice, pairs);
    to.take(thread.pairs.place, pairs);
  }
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

  // The same list is walked twice: once to count the bytes, once to hand them out.
  const Widths w = widest(model.spec);
  Pieces pieces;
  lay_out(s, model.spec, w, pieces);
  TRY(s.memory_, HugeBuffer::allocate(pieces.bytes()));
  pieces.use(s.memory_.data());
  lay_out(s, model.spec, w, pieces);
  std::fill_n(s.ones, w.depth, 1.0f);
  const auto& divisors = model.rope_divisors;
  model::rope_frequencies(model.spec.rope, divisors.empty() ? nullptr : divisors.data(), 0,
                          {s.rope_frequency, model.spec.rope.dim / 2});
  return s;
}

}  // namespace orrery::forward
