#include "forward/key_indexer.h"

#include <algorithm>
#include <cmath>

namespace orrery::forward {
namespace {

using model::Role;

// LayerNorm with weight and bias (Ba et al. 2016).
void layer_norm(f32* x, const f32* weight, const f32* bias, u32 n) {
  f64 mean = 0, square = 0;
  for (u32 i = 0; i < n; ++i) mean += x[i];
  mean /= n;
  for (u32 i = 0; i < n; ++i) square += (x[i] - mean) * (x[i] - mean);
  const f64 r = 1 / std::sqrt(square / n + model::kLatentNormEps);
  for (u32 i = 0; i < n; ++i) x[i] = f32((x[i] - mean) * r) * weight[i] + bias[i];
}

f32 dot(const f32* a, const f32* b, u32 n) {
  f32 lanes[16] = {};
  for (u32 i = 0; i < n; ++i) lanes[i % 16] += a[i] * b[i];
  f32 sum = 0;
  for (f32 lane : lanes) sum += lane;
  return sum;
}

// The best-scored keys so far: a heap with the worst on top; of equals the later key is worse.
bool better(const Scored& a, const Scored& b) {
  return a.score != b.score ? a.score > b.score : a.key < b.key;
}

class BestKeys {
 public:
  BestKeys(Scored* memory, u32 size) : heap_(memory), size_(size) {}
  void offer(Scored key) {
    if (count_ < size_) {
      heap_[count_++] = key;
      std::push_heap(heap_, heap_ + count_, better);
    } else if (better(key, heap_[0])) {
      std::pop_heap(heap_, heap_ + count_, better);
      heap_[count_ - 1] = key;
      std::push_heap(heap_, heap_ + count_, better);
    }
  }
  // Writes the keys in ascending order and returns how many.
  u32 take(u32* out) const {
    for (u32 i = 0; i < count_; ++i) out[i] = heap_[i].key;
    std::sort(out, out + count_);
    return count_;
  }

 private:
  Scored* heap_;
  u32 size_, count_ = 0;
};

}  // namespace

void store_index_keys(const Step& step, u32 layer, const model::LatentAttention& a) {
  Scratch& s = step.scratch;
  const model::RoleTable& w = step.model.weights.layers[layer];
  const model::KeyIndexer& x = a.indexer;
  const u32 rotary = step.model.spec.rope.dim;
  const Range share = step.worker.share(step.tokens());
  for (u64 t = share.begin; t < share.end; ++t) {
    const BatchToken& token = step.batch.tokens[t];
    const f32* cos = s.cos + t * (rotary / 2);
    const f32* sin = s.sin + t * (rotary / 2);
    f32* key = s.index_key + t * x.head_dim;
    layer_norm(key, w.vector(Role::kIndexKeyNorm), w.vector(Role::kIndexKeyNormBias), x.head_dim);
    step.kernels.rope(key, 1, x.head_dim, rotary, cos, sin);
    std::copy_n(key, x.head_dim, step.cache.index_key(token.sequence, token.position, layer));
    step.kernels.rope(s.index_query + t * x.heads * x.head_dim, x.heads, x.head_dim, rotary, cos,
                      sin);
  }
}

void choose_keys(const Step& step, u32 layer, const model::LatentAttention& a) {
  Scratch& s = step.scratch;
  const model::KeyIndexer& x = a.indexer;
  const f32 scale = 1 / (std::sqrt(f32(x.head_dim)) * std::sqrt(f32(x.heads)));
  const u32 team = step.worker.team_size();
  // Later tokens have more keys to score: every team_size-th one falls to a member.
  for (u32 t = step.worker.index(); t < step.tokens(); t += team) {
    const BatchToken& token = step.batch.tokens[t];
    if (token.position < x.keys_max) continue;
    const f32* query = s.index_query + u64(t) * x.heads * x.head_dim;
    const f32* weight = s.index_weights + u64(t) * x.heads;
    BestKeys best(step.mine().scored, x.keys_max);
    for (u32 key = 0; key <= token.position; ++key) {
      const f32* k = step.cache.index_key(token.sequence, key, layer);
      f32 score = 0;
      for (u32 h = 0; h < x.heads; ++h)
        score +=
            weight[h] * scale * std::max(0.0f, dot(query + u64(h) * x.head_dim, k, x.head_dim));
      best.offer({score, key});
    }
    s.index_counts[t] = best.take(s.index_chosen + u64(t) * x.keys_max);
  }
}

}  // namespace orrery::forward
