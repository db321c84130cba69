// Rows of a role's matrix, read out of whatever tensor stores them: in place where they stand there
// as rows, else gathered, decoded or turned into a buffer.
#pragma once

#include <vector>

#include "base/parallel.h"
#include "model/weights.h"

namespace orrery::model {

// Rotary pairs within the rows of a role: of each head_dim rows, those from `first` on, `dim` of
// them. dim 0: there are none.
struct RotaryPart {
  u32 head_dim = 0, first = 0, dim = 0;
};
// Of the roles whose pairs the file has as neighbours.
[[nodiscard]] RotaryPart neighbour_pairs(const ModelSpec& spec, const Storage& storage, Role role,
                                         u32 layer);

// The format in which rows of this role are handed to the packer: as they stand, decoded from an
// encoding, or rounded.
[[nodiscard]] Format packed_from(const Stored& source, Role role, u64 cols, BindOptions options);

class RowReader {
 public:
  // `pairs`: set where the file has rotary pairs as neighbours; rows come out in halves.
  RowReader(const Stored& source, const BoundTensor& tensor, RotaryPart pairs, BindOptions options);

  // Must come before row(), with all rows that will be asked for.
  [[nodiscard]] Result<void> prepare(Range rows);
  // The bytes of a row in the format that it is packed from; `slot` (below the panel's height)
  // tells which of the rows that are held at a time this is.
  [[nodiscard]] Result<const u8*> row(u32 row, u32 slot);
  [[nodiscard]] Result<void> read_vector(f32* out);
  // The part of the file that the prepared rows come from, as far as they lie together.
  [[nodiscard]] Bytes source_bytes() const;

 private:
  [[nodiscard]] u64 file_row(u64 row) const;
  [[nodiscard]] Result<const u8*> stored_row(u32 row, u32 slot);
  [[nodiscard]] Result<void> decode_row(u64 row, u64 cols, f32* out) const;
  [[nodiscard]] tl::unexpected<Error> damaged(u64 row) const;

  const Stored& source_;
  const BoundTensor& tensor_;
  RotaryPart pairs_;
  Format format_;  // of the rows as they are read
  u64 row_bytes_ = 0;
  bool in_place_ = false;
  Range prepared_;
  std::vector<u8> buffer_;
  std::vector<f32> line_;    // a row on its way to
  std::vector<u8> rounded_;  // the rows that are held, in the tensor's format
};

}  // namespace orrery::model
