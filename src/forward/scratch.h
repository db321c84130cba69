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
  u8* memory[kernels::kActivationKindCount] = {};
  kernels::Activations of[kernels::kActivationKindCount] = {};
  [[nodiscard]] const kernels::Activations& operator[](kernels::ActivationKind kind) const {
    return of[u8(kind)];
  }
};

// The (token, choice) pairs of a batch by expert. A choice is token * active + rank.
struct ExpertPairs {
  u32* begin;   // [experts + 1] where each expert's pairs begin
  u32* choice;  // [pairs] of each place
  u32* place;   // [pairs] of each choice
};

struct Scored {
  f32 score;
  u32 key;
};

// Rows of the up projection that a thread multiplies before it folds them into the gate's.
inline constexpr u32 kUpRows = 64;

struct ThreadScratch {
  f32* row;              // [depth_max] a row between two steps
  f32* up;               // [columns_max][kUpRows]
  f32* attention;        // kernels::attention_scratch_floats
  ActivationSet inputs;  // for one token: each thread converts it for itself and needs no barrier
  u8* head_input;        // activations of one head for all tokens (latent attention)
  u8* key_tiles;         // one chunk of keys in tiles
  u8* value_rows;        // one chunk of chosen values
  Scored* scored;        // [keys_max] of the indexer
  ExpertPairs pairs;
};

class Scratch {
 public:
  [[nodiscard]] static Result<Scratch> make(const model::Model& model, u32 tokens_max,
                                            u32 logit_rows_max, u32 threads);

  u32 tokens_max = 0, logit_rows_max = 0;
  f32* residual;  // [tokens, dim]
  f32* query;     // [tokens, heads * query_dim]
  f32* key;       // [tokens, kv_heads * head_dim], or latent and rotary key [tokens, cached_dim]
  f32* value;     // [tokens, kv_heads * head_dim]
  f32* gate;      // [tokens, heads * value_dim]
  f32* attended;  // [tokens, heads * value_dim], of latent attention [tokens, heads * kv_rank]
  f32* hidden;    // [tokens, width]
  f32* cos;       // [tokens, rope.dim / 2]
  f32* sin;       // [tokens, rope.dim / 2]
  f32* logits;    // [logit rows, vocab]
  // Latent attention.
  f32* query_latent;   // [tokens, query_rank]
  f32* absorbed;       // [tokens, heads, cached_dim] queries in the space of latents
  f32* index_query;    // [tokens, index heads, head_dim]
  f32* index_key;      // [tokens, head_dim]
  f32* index_weights;  // [tokens, index heads]
  u32* index_chosen;   // [tokens, keys_max]
  u32* index_counts;   // [tokens]
  // Delta net.
  f32* mixed;       // [tokens, conv_channels] queries, keys and values before the convolution
  f32* convolved;   // [tokens, conv_channels]
  f32* delta_beta;  // [tokens, value_heads]
  f32* delta_step;  // [tokens, value_heads]
  // Experts.
  f32* router_scores;  // [tokens, experts]
  u32* expert_chosen;  // [tokens, active]
  f32* expert_weight;  // [tokens, active]
  f32* shared_score;   // [tokens]
  f32* expert_hidden;  // [pairs, width]
  f32* expert_output;  // [pairs, dim]
  ActivationSet expert_inputs;

  f32* ones;            // [depth_max] weights of a norm that has none
  f32* rope_frequency;  // [rope.dim / 2] radians a position
  ActivationSet inputs;
  std::vector<ThreadScratch> threads;
  std::vector<Run> runs;        // capacity tokens_max
  std::vector<u32> logit_rows;  // capacity logit_rows_max: rows of the batch, in order
  bool kinds[kernels::kActivationKindCount] = {};  // which activation kinds the model reads

  [[nodiscard]] u64 size_bytes() const { return memory_.size_bytes(); }

 private:
  HugeBuffer memory_;
};

}  // namespace orrery::forward
