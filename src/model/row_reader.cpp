#include "model/row_reader.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "kernels/encode.h"

namespace orrery::model {
namespace {

bool is_float(Format format) {
  return format == Format::kF32 || format == Format::kF16 || format == Format::kBF16;
}

void store_float(Format format, f32 value, u8* to) {
  if (format == Format::kF32) {
    std::memcpy(to, &value, 4);
    return;
  }
  const u16 half = format == Format::kF16 ? f16_from_f32(value) : bf16_from_f32(value);
  std::memcpy(to, &half, 2);
}

}  // namespace

RotaryPart neighbour_pairs(const ModelSpec& spec, const Storage& storage, Role role, u32 layer) {
  if (layer >= spec.layers.size()) return {};
  const Attention& attention = spec.layers[layer].attention;
  if (const auto* a = std::get_if<GroupedAttention>(&attention)) {
    const bool turns = role == Role::kQuery || role == Role::kKey || role == Role::kQueryBias ||
                       role == Role::kKeyBias;
    return storage.neighbour_pairs && turns ? RotaryPart{a->head_dim, 0, spec.rope.dim}
                                            : RotaryPart{};
  }
  const auto* a = std::get_if<LatentAttention>(&attention);
  if (!a) return {};
  switch (role) {
    case Role::kQuery:
    case Role::kQueryUp:
      if (!storage.neighbour_pairs) return {};
      return {a->query_dim(), a->nope_dim, a->rope_dim};
    case Role::kLatentDown:
    case Role::kLatentDownBias:
      if (!storage.neighbour_pairs) return {};
      return {a->cached_dim(), a->kv_rank, a->rope_dim};
    case Role::kIndexQuery:
    case Role::kIndexKey:
    case Role::kIndexKeyNorm:
    case Role::kIndexKeyNormBias:
      if (!storage.neighbour_index_pairs) return {};
      return {a->indexer.head_dim, 0, a->rope_dim};
    default:
      return {};
  }
}

namespace {

// Of rows before they are rounded.
Format row_format(const Stored& source, BindOptions options) {
  const Format stored = source.view->format;
  if (source.view->encoding) {
    if (options.exact) return Format::kF32;
    return source.slice.transposed ? Format::kBF16 : source.view->encoding->row_format();
  }
  if (source.slice.transposed && !is_float(stored))
    return options.exact ? Format::kF32 : Format::kF16;
  return stored;
}

}  // namespace

Format packed_from(const Stored& source, Role role, u64 cols, BindOptions options) {
  const Format stored = row_format(source, options);
  if (!options.round_to || options.exact || form(role) == Form::kVector || keeps_f32(role) ||
      !is_float(stored))
    return stored;
  // Four bits cost most where tokens become vectors and vectors tokens; quantizers spare those.
  const bool at_an_end = role == Role::kEmbedding || role == Role::kOutput;
  const Format rounded =
      at_an_end
          ? std::max(*options.round_to, Format::kQ8_0,
                     [](Format a, Format b) { return *row_bytes(a, 256) < *row_bytes(b, 256); })
          : *options.round_to;
  return row_bytes(rounded, cols) ? rounded : stored;  // not in whole blocks: as it is
}

RowReader::RowReader(const Stored& source, const BoundTensor& tensor, RotaryPart pairs,
                     BindOptions options)
    : source_(source), tensor_(tensor), pairs_(pairs), format_(row_format(source, options)) {
  if (form(tensor.role) == Form::kVector) return;
  row_bytes_ = *orrery::row_bytes(format_, tensor.shape[1]);
  in_place_ = !source.view->encoding && !source.slice.transposed;
  if (tensor.packed_from == format_) return;
  line_.resize(tensor.shape[1]);
  rounded_.resize(kernels::kPanelRows * *orrery::row_bytes(tensor.packed_from, line_.size()));
}

u64 RowReader::file_row(u64 row) const {
  if (pairs_.dim == 0) return row;
  const u64 head = row / pairs_.head_dim, within = row % pairs_.head_dim, half = pairs_.dim / 2;
  if (within < pairs_.first || within >= pairs_.first + pairs_.dim) return row;
  const u64 pair = within - pairs_.first;
  return head * pairs_.head_dim + pairs_.first + (pair < half ? 2 * pair : 2 * (pair - half) + 1);
}

tl::unexpected<Error> RowReader::damaged(u64 row) const {
  return fail("tensor {}, row {}: a value or scale is not a finite number (the file is damaged)",
              tensor_.name, row);
}

// A whole row of the tensor as floats.
Result<void> RowReader::decode_row(u64 row, u64 cols, f32* out) const {
  const checkpoint::TensorView& view = *source_.view;
  if (view.encoding) return view.encoding->read_row(row, Format::kF32, reinterpret_cast<u8*>(out));
  const u8* from = view.bytes.data() + row * *orrery::row_bytes(view.format, cols);
  if (!kernels::all_finite(view.format, from, cols)) return damaged(row);
  kernels::decode(view.format, from, cols, out);
  return {};
}

Result<void> RowReader::prepare(Range rows) {
  prepared_ = rows;
  if (in_place_) return {};
  if (!source_.slice.transposed) {
    buffer_.resize(kernels::kPanelRows * row_bytes_);
    return {};
  }
  const u64 cols = tensor_.shape[1], size = row_bytes_ / cols;  // floats: every value has its bytes
  buffer_.resize(rows.size() * row_bytes_);
  std::vector<f32> line(source_.slice.tensor_cols);
  for (u64 k = 0; k < cols; ++k) {
    CHECK_OK(decode_row(source_.index * source_.slice.depth_stride + k, line.size(), line.data()));
    for (u64 r = rows.begin; r < rows.end; ++r)
      store_float(format_, line[source_.slice.at(file_row(r))],
                  &buffer_[(r - rows.begin) * row_bytes_ + k * size]);
  }
  return {};
}

Result<const u8*> RowReader::row(u32 row, u32 slot) {
  TRY(const u8* stored, stored_row(row, slot));
  if (rounded_.empty()) return stored;
  u8* out = &rounded_[slot * *orrery::row_bytes(tensor_.packed_from, line_.size())];
  kernels::decode(format_, stored, line_.size(), line_.data());
  kernels::encode(tensor_.packed_from, line_.data(), line_.size(), out);
  return out;
}

Result<const u8*> RowReader::stored_row(u32 row, u32 slot) {
  if (source_.slice.transposed) return &buffer_[(row - prepared_.begin) * row_bytes_];
  const u64 at = source_.slice.at(u64(source_.index) * tensor_.shape[0] + file_row(row));
  if (!in_place_) {
    u8* out = &buffer_[slot * row_bytes_];
    CHECK_OK(source_.view->encoding->read_row(at, format_, out));
    return out;
  }
  const u8* from = source_.view->bytes.data() + at * row_bytes_;
  if (!kernels::all_finite(format_, from, tensor_.shape[1])) return damaged(row);
  return from;
}

Bytes RowReader::source_bytes() const {
  if (!in_place_ || prepared_.size() == 0) return {};
  const u64 before = u64(source_.index) * tensor_.shape[0];
  const u64 begin = source_.slice.at(before + prepared_.begin);
  const u64 end = source_.slice.at(before + prepared_.end - 1) + 1;
  return source_.view->bytes.subspan(begin * row_bytes_, (end - begin) * row_bytes_);
}

Result<void> RowReader::read_vector(f32* out) {
  const Slice& slice = source_.slice;
  u64 count = 1;
  for (u64 n : tensor_.shape) count *= n;
  std::vector<f32> values(slice.tensor_rows * slice.tensor_cols);
  CHECK_OK(decode_row(0, values.size(), values.data()));
  for (u64 i = 0; i < count; ++i) {
    f32 value = values[slice.at(file_row(i))];
    if (source_.cut == Cut::kPlusOne) value += 1;
    if (source_.cut == Cut::kMinusExp) value = -std::exp(value);
    out[i] = value;
  }
  return {};
}

}  // namespace orrery::model
