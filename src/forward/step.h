// Step: what the blocks of one forward pass share: the model, the batch, the scratch, and this
// member of the thread team. Every member runs the same code on its share and meets the others at
// barriers.
//
// The rule behind every split: members own rows of an output or whole queries; no sum is ever
// divided between them, so the number of threads cannot change a bit.
#pragma once

#include <span>

#include "base/thread_team.h"
#include "forward/batch.h"
#include "forward/kv_cache.h"
#include "forward/scratch.h"

namespace orrery::forward {

struct Step {
  const model::Model& model;
  const kernels::Kernels& kernels;
  const Batch& batch;
  KvCache& cache;
  Scratch& scratch;
  Worker& worker;

  [[nodiscard]] u32 tokens() const { return batch.size(); }
  [[nodiscard]] ThreadScratch& mine() const { return scratch.threads[worker.index()]; }
};

// Rows on their way into matrix products: [rows, depth] at `stride` floats, normed first when
// `norm` is given, converted into every activation kind that the model reads.
struct Rows {
  const f32* values;
  u64 stride;
  u32 depth;
  const f32* norm = nullptr;     // [depth] weights of an RMS norm
  f32 norm_eps = 0;              // of that norm; 0: the model's
  const u32* indices = nullptr;  // which rows; null: 0 .. count - 1
};
// Ends with all members seeing the result (one row: each makes its own and nobody waits).
[[nodiscard]] const ActivationSet& convert(const Step& step, const Rows& rows, u32 count);

// out[token, row] (+)= weights x input + bias. All products of one call read the same input; the
// panels of all together are shared out by bytes. No barrier: the caller sets one before others
// read.
struct Product {
  const model::Matrix* weights;
  const f32* bias;  // [rows] or null
  f32* out;
  u64 out_stride;
  bool add = false;
};
void multiply(const Step& step, const ActivationSet& input, std::span<const Product> products);

// Of `count` panels that cost `each` units and stand behind `before` units of other work: those
// that begin in `units`. Whatever cuts the units into ranges cuts the panels without loss.
[[nodiscard]] Range panels_in(Range units, u64 before, u64 count, u64 each);
// The fewest panels that are worth a piece of work (Worker::pieces) with so many columns: with
// many, the kernels take panels in groups; with one, a piece is a stretch of memory that is read.
[[nodiscard]] inline u64 panels_least(u32 columns) { return columns > 4 ? 8 : 2; }

// residual += weights x rows [tokens, width] + bias. Ends with a barrier.
void project(const Step& step, const model::Matrix& weights, const f32* bias, const f32* rows,
             u32 width);
// The same with the output projection of attention.
void project_attended(const Step& step, const model::RoleTable& w, const f32* rows, u32 width);

}  // namespace orrery::forward
