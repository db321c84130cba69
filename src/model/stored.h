// How checkpoints call and store the tensors of each role.
//
// A role may have several spellings (publishers and years differ) and need not be a tensor of its
// own: queries and gates may share one, experts may be stacked, a matrix may stand transposed. A
// Spelling says where a role is found and how it is cut out of what stands there; everything after
// the binder sees one convention (half-split rotary pairs, rows of outputs).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "checkpoint/checkpoint.h"
#include "model/tensors.h"

namespace orrery::model {

enum class Cut : u8 {
  kWhole,
  kPlusOne,   // a norm's weight, of which the file holds the distance from 1
  kMinusExp,  // the file holds the logarithm of minus the value
  // Two roles in one tensor: the first or second half of its rows, every second row, or the first
  // or second half of each head's rows.
  kFirstHalf,
  kSecondHalf,
  kEvenRows,
  kOddRows,
  kFirstOfHead,
  kSecondOfHead,
  // The same where the tensor stands as [cols, rows].
  kTransposed,
  kFirstHalfTransposed,
  kSecondHalfTransposed,
  kEvenTransposed,
  kOddTransposed,
  // Latent attention's expansion [heads * (nope_dim + value_dim), kv_rank]: keys, transposed head
  // by head, and values.
  kKeyExpansion,
  kValueExpansion,
  // The delta net's inputs one after another, or grouped by key head.
  kDeltaQuery,
  kDeltaKey,
  kDeltaValue,
  kDeltaQueryByHead,
  kDeltaKeyByHead,
  kDeltaValueByHead,
  kDeltaGateByHead,
  kDeltaBetaByHead,
  kDeltaStepByHead,
};

// `pattern`: {layer} and {index} (of an expert) stand for numbers. In Hugging Face names `{model}.`
// stands for the prefix of the language model.
struct Spelling {
  Role role;
  std::string_view pattern;
  Cut cut = Cut::kWhole;
};

// What else a family's checkpoints of one kind have of their own.
struct Storage {
  std::span<const Spelling> spellings = {};  // tried before the common ones
  bool neighbour_pairs = false;        // rotary pairs are neighbours, not the halves of a head
  bool neighbour_index_pairs = false;  // the same in the indexer of keys
  bool norms_from_one = false;         // kPlusOne for all norms that have no spelling of their own
};

// Which rows of the tensor hold the role's, and how. Row r of matrix i of a stack is row
// first + (R / run) * stride + R % run of the tensor's rows (all leading dimensions together), with
// R = i * rows + r; transposed: column first + (r / run) * stride + r % run of the rows
// i * depth_stride + 0, 1, ... cols - 1.
struct Slice {
  u64 first = 0, run = 0, stride = 0;  // run 0: one run over everything
  bool transposed = false;
  u64 depth_stride = 0;
  u64 tensor_rows = 0, tensor_cols = 0;  // the shape that the tensor must have
  [[nodiscard]] u64 at(u64 row) const {
    return run == 0 ? first + row : first + row / run * stride + row % run;
  }
};

// Where one matrix (of a stack: each) or vector comes from.
struct Stored {
  const checkpoint::TensorView* view = nullptr;
  Cut cut = Cut::kWhole;
  Slice slice;
  u32 index = 0;  // of the stack, where one tensor holds all its matrices
};

// Finds the tensors of a checkpoint by role.
class Finder {
 public:
  Finder(const checkpoint::Checkpoint& checkpoint, const ModelSpec& spec, const Storage& storage);

  // Matrix `index` of the need. Errors: no tensor of any spelling, or a wrong shape.
  [[nodiscard]] Result<Stored> find(const TensorNeed& need, u32 index) const;
  // True for a tensor that files carry and the forward pass computes itself or does not need.
  [[nodiscard]] bool is_ignored(std::string_view name) const;

 private:
  [[nodiscard]] const checkpoint::TensorView* lookup(std::string_view pattern, u32 layer,
                                                     u32 index) const;
  [[nodiscard]] std::string spell(std::string_view pattern, u32 layer, u32 index) const;

  const checkpoint::Checkpoint& checkpoint_;
  const ModelSpec& spec_;
  const Storage& storage_;
  bool gguf_;
  std::string prefix_;  // "model", "model.language_model", ...
};

}  // namespace orrery::model
