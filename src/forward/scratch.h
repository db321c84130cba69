// Scratch: all memory that a forward pass writes besides the KV cache, laid out once at start, so
// that the pass itself allocates nothing.
#pragma once

#include <vector>

#include "base/huge_buffer.h"
#include "kernels/kernels.h"
#include "model/weights.h"

namespace orrery::forward {

// A run of tokens of one sequence at consecutive positions.
struct Run {
  u32 first;  // row in the batch
  u32 count;
  u32 sequence;
  u32 position;  // of the first
};

// How many queries one attention item answers at most: enough that a tile of keys that was widened
// once serves many, few enough that their running values stay in the L1 and L2 caches.
inline constexpr u32 kQueriesMax = 64;

// Up to one Activations a kind, all of the same values; only kinds that the model's layouts read
// exist.
struct ActivationSet {
  u8* memory[4] = {};
  kernels::Activations of[4] = {};
  [[nodiscard]] const kernels::Activations& operator[](kernels::ActivationKind kind) const {
    return of[u8(kind)];
  }
};

struct ThreadScratch {
  f32* row;              // [depth_max] a normed row on its way to being quantised
  f32* up;               // [tokens_max][kUpRows]
  f32* attention;        // kernels::attention_scratch_floats
  ActivationSet inputs;  // for one token: each thread converts it for itself and needs no barrier
};

// Rows of the up projection that a thread multiplies before it folds them into the gate's.
inline constexpr u32 kUpRows = 64;

class Scratch {
 public:
  [[nodiscard]] static Result<Scratch> make(const model::Model& model, u32 tokens_max,
                                            u32 logit_rows_max, u32 threads);

  u32 tokens_max = 0, logit_rows_max = 0;
  f32* residual;  // [tokens, dim]
  f32* query;     // [tokens, heads * head_dim]
  f32* key;       // [tokens, kv_heads * head_dim]
  f32* value;     // [tokens, kv_heads * head_dim]
  f32* attended;  // [tokens, heads * head_dim]
  f32* hidden;    // [tokens, ffn width]
  f32* cos;       // [tokens, rope.dim / 2]
  f32* sin;       // [tokens, rope.dim / 2]
  f32* logits;    // [logit rows, vocab]
  ActivationSet inputs;
  std::vector<ThreadScratch> threads;
  std::vector<Run> runs;        // capacity tokens_max
  std::vector<u32> logit_rows;  // capacity logit_rows_max: rows of the batch, in order
  bool kinds[4] = {};           // which activation kinds the model reads

  [[nodiscard]] u64 size_bytes() const { return memory_.size_bytes(); }

 private:
  HugeBuffer memory_;
};

}  // namespace orrery::forward
