// Weights: every tensor of a model in the form that the kernels read, and Model, which is spec +
// weights.
//
// Binding is strict both ways: every role of the spec exists with its exact shape, and every tensor
// in the file is consumed or on the ignore list. Matrices are packed (kernels/packed.h) straight
// from the map into one huge-page buffer, vectors become float32. A Model is immutable and shared.
#pragma once

#include "base/huge_buffer.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "kernels/packed.h"
#include "model/families/families.h"
#include "model/tensors.h"

namespace orrery::model {

using Matrix = kernels::PackedMatrix;
using Vector = const f32*;  // [n] of the role; null where the spec has none

struct AttentionWeights {
  Vector norm;               // [dim]
  Matrix query, key, value;  // [heads * head_dim, dim], [kv_heads * head_dim, dim] twice
  Vector query_bias, key_bias, value_bias;
  Matrix output;  // [dim, heads * head_dim]
  Vector output_bias;
};

struct FfnWeights {
  Vector norm;            // [dim]
  Matrix gate, up, down;  // [width, dim] twice, [dim, width]
  Vector gate_bias, up_bias, down_bias;
};

struct LayerWeights {
  AttentionWeights attention;
  FfnWeights ffn;
};

struct Weights {
  Matrix embedding;    // [vocab, dim]
  Matrix output;       // [vocab, dim]; the embedding's own bytes when tied
  Vector output_norm;  // [dim]
  std::vector<LayerWeights> layers;
};

// What became of one tensor of the file, for `inspect`.
struct BoundTensor {
  std::string name;
  Role role;
  u32 layer;
  Format format;
  std::vector<u64> shape;
  u64 packed_bytes;
  kernels::Layout layout;  // of a matrix; vectors are kF32
};

struct Model {
  ModelSpec spec;
  Weights weights;
  std::vector<f32> rope_frequency;  // [rope.dim / 2] radians a position
  std::vector<BoundTensor> tensors;
  HugeBuffer memory;  // what the weights point into
};

struct BindOptions {
  bool exact = false;  // every matrix as float32
};

// Where each needed tensor lies and how many bytes it takes packed, before anything is allocated.
struct BindPlan {
  std::vector<BoundTensor> tensors;
  std::vector<const checkpoint::TensorView*> views;  // beside tensors
  std::vector<u64> offsets;                          // beside tensors, into the buffer
  u64 bytes = 0;
};
[[nodiscard]] Result<BindPlan> plan_binding(const checkpoint::Checkpoint& checkpoint,
                                            const Description& description, BindOptions options);

// Packs the weights. Errors name the tensor; a NaN or infinite scale is one.
[[nodiscard]] Result<Model> bind(const checkpoint::Checkpoint& checkpoint,
                                 const Description& description, BindOptions options,
                                 const ParallelFor& parallel, Progress& progress);

// Radians a position for each rotary pair, from the spec and, where the file has them, its
// divisors.
[[nodiscard]] std::vector<f32> rope_frequencies(const Rope& rope, const f32* divisors);

}  // namespace orrery::model
