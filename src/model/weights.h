// Weights: every tensor of a model in the form that the kernels read, and Model, which is spec +
// weights.
//
// Binding is strict both ways: every role of the spec exists with its exact shape, and every tensor
// in the file is consumed or on the ignore list. Matrices are packed (kernels/packed.h) straight
// from the map into one huge-page buffer, vectors become float32. A Model is immutable and shared.
#pragma once

#include <array>

#include "base/huge_buffer.h"
#include "base/mapped_file.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "kernels/packed.h"
#include "model/families/families.h"
#include "model/stored.h"
#include "model/tensors.h"

namespace orrery::model {

using Matrix = kernels::PackedMatrix;
using Vector = const f32*;  // null where the spec has none

// The tensors of one layer, or of the model around the layers, by role. Shapes: tensors.cpp.
class RoleTable {
 public:
  // Of a stack: matrix `index`.
  [[nodiscard]] const Matrix& matrix(Role role, u32 index = 0) const {
    return matrices_[u8(role)][index];
  }
  [[nodiscard]] Vector vector(Role role) const { return vectors_[u8(role)]; }
  [[nodiscard]] bool has(Role role) const { return matrices_[u8(role)] || vectors_[u8(role)]; }

 private:
  friend class WeightsBuilder;
  std::array<const Matrix*, kRoleCount> matrices_ = {};
  std::array<Vector, kRoleCount> vectors_ = {};
};

struct Weights {
  RoleTable whole;  // embedding, output, output norm
  std::vector<RoleTable> layers;
  std::vector<Matrix> matrices;  // all, in the order of the needs

  [[nodiscard]] const Matrix& embedding() const { return whole.matrix(Role::kEmbedding); }
  [[nodiscard]] const Matrix& output() const {  // the embedding's own bytes when tied
    return whole.has(Role::kOutput) ? whole.matrix(Role::kOutput) : embedding();
  }
};

// Fills Weights need by need. What is added must be in the order of needed_tensors().
class WeightsBuilder {
 public:
  explicit WeightsBuilder(const ModelSpec& spec);
  void add(const TensorNeed& need, std::span<const Matrix> matrices);
  void add(const TensorNeed& need, Vector vector);
  [[nodiscard]] Weights take() { return std::move(weights_); }

 private:
  [[nodiscard]] RoleTable& table(const TensorNeed& need);
  Weights weights_;
};

// What became of one tensor of the file: a vector, a matrix or one matrix of a stack.
struct BoundTensor {
  std::string name;  // in the file
  Role role;
  u32 layer, index;
  Format format;           // in the file
  std::vector<u64> shape;  // of the vector or matrix
  u64 packed_bytes;
  kernels::Layout layout;  // of a matrix; vectors are kF32
  Format packed_from;      // of the rows that the packer meets, which may be rounded
};

struct Model {
  ModelSpec spec;
  Weights weights;
  std::vector<f32> rope_divisors;  // [rope.dim / 2] or empty
  std::vector<BoundTensor> tensors;
  HugeBuffer memory;  // what the weights point into,
  MappedFile pack;    // or this, a pack of an earlier start
  u64 weights_bytes = 0;
};

struct BindOptions {
  bool exact = false;  // every matrix as float32
  // Matrices of floats are rounded to it on their way (Q8_0, Q4_0, Q4_1: kernels/encode.h), the
  // embedding and the output to no less than Q8_0. Routers keep their floats.
  std::optional<Format> round_to = std::nullopt;
};

// Where each needed tensor lies and how many bytes it takes packed, before anything is allocated.
struct BindPlan {
  std::vector<TensorNeed> needs;
  std::vector<BoundTensor> tensors;  // of the needs, in their order
  std::vector<Stored> sources;       // beside tensors
  std::vector<u64> offsets;          // beside tensors, into the buffer
  u64 bytes = 0;
};
[[nodiscard]] Result<BindPlan> plan_binding(const checkpoint::Checkpoint& checkpoint,
                                            const Description& description, BindOptions options);

// Packs the weights. Errors name the tensor; a NaN or infinite scale is one.
[[nodiscard]] Result<Model> bind(const checkpoint::Checkpoint& checkpoint,
                                 const Description& description, BindOptions options,
                                 const ParallelFor& parallel, Progress& progress);

// The same model from weights that were packed before by the same plan: `data` lies in `pack`.
[[nodiscard]] Model adopt(BindPlan plan, const ModelSpec& spec, MappedFile pack, Bytes data);

}  // namespace orrery::model
