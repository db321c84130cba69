#include "model/weights.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "kernels/encode.h"
#include "model/row_reader.h"

namespace orrery::model {
namespace {

using checkpoint::Checkpoint;
using checkpoint::TensorView;

constexpr u64 kAlign = 64;  // a cache line, and a row of an AMX tile

// Every tensor of the file is bound, ignored on purpose, or an error: a leftover means that the
// config and the file speak of different models.
Result<void> check_leftovers(const Checkpoint& checkpoint, const BindPlan& plan,
                             const Finder& finder) {
  std::unordered_set<const TensorView*> used;
  for (const Stored& source : plan.sources) used.insert(source.view);
  for (const TensorView& view : checkpoint.tensors()) {
    if (used.contains(&view) || finder.is_ignored(view.name)) continue;
    return fail("tensor {} [{}] has no place in this model (is the config of another one?)",
                view.name, fmt::join(view.shape, ", "));
  }
  return {};
}

Result<BoundTensor> place(const TensorNeed& need, u32 index, const Stored& source,
                          BindOptions options) {
  const Format format = packed_from(source, need.role, need.is_vector() ? 0 : need.cols(), options);
  BoundTensor tensor{
      source.view->name,     need.role, need.layer, index, source.view->format, {}, 0,
      kernels::Layout::kF32, format};
  if (!source.view->encoding && !kernels::can_decode(source.view->format))
    return fail("tensor {}: the format {} cannot be read", source.view->name,
                orrery::name(source.view->format));
  if (need.is_vector()) {
    tensor.shape = need.shape;
    tensor.packed_bytes = need.values() * sizeof(f32);
    return tensor;
  }
  tensor.shape = {need.rows(), need.cols()};
  const auto layout = kernels::layout_for(format, options.exact || keeps_f32(need.role));
  if (!layout) return at(source.view->name, layout.error());
  tensor.layout = *layout;
  tensor.packed_bytes = kernels::packed_bytes(*layout, need.rows(), need.cols());
  return tensor;
}

// A piece of packing: some panels of one matrix, or one whole vector. Small enough that the last
// piece does not keep one thread busy alone.
struct Piece {
  u32 tensor;
  u32 panel_begin, panel_end;
};
constexpr u64 kPieceBytes = u64(1) << 20;

std::vector<Piece> cut(const BindPlan& plan) {
  std::vector<Piece> pieces;
  for (u32 i = 0; i < plan.tensors.size(); ++i) {
    const BoundTensor& tensor = plan.tensors[i];
    if (form(tensor.role) == Form::kVector) {
      pieces.push_back({i, 0, 0});
      continue;
    }
    const u32 panels = divide_up(u32(tensor.shape[0]), kernels::kPanelRows);
    const u64 bytes = kernels::panel_bytes(tensor.layout, u32(tensor.shape[1]));
    // Of a transposed matrix every row of the file is part of every panel: it stays whole.
    const u32 step = plan.sources[i].slice.transposed
                         ? panels
                         : u32(std::max<u64>(1, kPieceBytes / std::max<u64>(bytes, 1)));
    for (u32 p = 0; p < panels; p += step) pieces.push_back({i, p, std::min(panels, p + step)});
  }
  return pieces;
}

u64 piece_bytes(const BoundTensor& tensor, const Piece& piece) {
  if (form(tensor.role) == Form::kVector) return tensor.packed_bytes;
  return (piece.panel_end - piece.panel_begin) *
         kernels::panel_bytes(tensor.layout, u32(tensor.shape[1]));
}

Result<void> pack_piece(const Checkpoint& checkpoint, const BindPlan& plan,
                        const Description& description, BindOptions options, const Piece& piece,
                        u8* memory) {
  const Stored& source = plan.sources[piece.tensor];
  const BoundTensor& tensor = plan.tensors[piece.tensor];
  u8* out = memory + plan.offsets[piece.tensor];
  RowReader reader(
      source, tensor,
      neighbour_pairs(description.spec, description.storage, tensor.role, tensor.layer), options);
  if (form(tensor.role) == Form::kVector) return reader.read_vector(reinterpret_cast<f32*>(out));
  const u32 rows = u32(tensor.shape[0]), cols = u32(tensor.shape[1]);
  const u64 panel_size = kernels::panel_bytes(tensor.layout, cols);
  const u32 end = std::min(rows, piece.panel_end * kernels::kPanelRows);
  CHECK_OK(reader.prepare({piece.panel_begin * kernels::kPanelRows, end}));
  for (u32 p = piece.panel_begin; p < piece.panel_end; ++p) {
    const u8* from[kernels::kPanelRows] = {};
    for (u32 r = 0; r < kernels::kPanelRows && p * kernels::kPanelRows + r < rows; ++r) {
      TRY(from[r], reader.row(p * kernels::kPanelRows + r, r));
    }
    kernels::pack_panel(tensor.packed_from, tensor.layout, from, cols, out + p * panel_size);
  }
  // Source pages go as soon as they are read: the peak stays at the packed size.
  checkpoint.drop(*source.view, reader.source_bytes());
  return {};
}

// Puts the packed bytes in their named places.
void wire(const BindPlan& plan, const u8* memory, Model& model) {
  WeightsBuilder builder(model.spec);
  u32 i = 0;
  std::vector<Matrix> matrices;
  for (const TensorNeed& need : plan.needs) {
    if (need.role == Role::kRopeDivisors) {
      const f32* divisors = reinterpret_cast<const f32*>(memory + plan.offsets[i++]);
      model.rope_divisors.assign(divisors, divisors + need.values());
    } else if (need.is_vector()) {
      builder.add(need, reinterpret_cast<Vector>(memory + plan.offsets[i++]));
    } else {
      matrices.clear();
      for (u32 k = 0; k < need.count(); ++k, ++i)
        matrices.push_back({plan.tensors[i].layout, need.rows(), need.cols(),
                            kernels::panel_bytes(plan.tensors[i].layout, need.cols()),
                            memory + plan.offsets[i]});
      builder.add(need, matrices);
    }
  }
  model.weights = builder.take();
}

}  // namespace

WeightsBuilder::WeightsBuilder(const ModelSpec& spec) {
  weights_.layers.resize(spec.layers.size());
  u64 count = 0;
  for (const TensorNeed& need : needed_tensors(spec)) count += need.is_vector() ? 0 : need.count();
  weights_.matrices.reserve(count);  // the tables point into it
}

RoleTable& WeightsBuilder::table(const TensorNeed& need) {
  const bool whole =
      need.role == Role::kEmbedding || need.role == Role::kOutput || need.role == Role::kOutputNorm;
  return whole ? weights_.whole : weights_.layers[need.layer];
}

void WeightsBuilder::add(const TensorNeed& need, std::span<const Matrix> matrices) {
  table(need).matrices_[u8(need.role)] = weights_.matrices.data() + weights_.matrices.size();
  for (const Matrix& matrix : matrices) weights_.matrices.push_back(matrix);
}

void WeightsBuilder::add(const TensorNeed& need, Vector vector) {
  table(need).vectors_[u8(need.role)] = vector;
}

Result<BindPlan> plan_binding(const Checkpoint& checkpoint, const Description& description,
                              BindOptions options) {
  if (options.round_to && !kernels::can_encode(*options.round_to))
    return fail("weights cannot be rounded to {} while they are loaded; q8_0, q4_0 and q4_1 can",
                orrery::name(*options.round_to));
  BindPlan plan;
  plan.needs = needed_tensors(description.spec);
  const Finder finder(checkpoint, description.spec, description.storage);
  for (const TensorNeed& need : plan.needs)
    for (u32 index = 0; index < (need.is_vector() ? 1 : need.count()); ++index) {
      TRY(const Stored source, finder.find(need, index));
      TRY(BoundTensor tensor, place(need, index, source, options));
      plan.offsets.push_back(plan.bytes);
      const auto end = checked_add(plan.bytes, round_up(tensor.packed_bytes, kAlign));
      if (!end) return fail("the weights take more bytes than can be counted");
      plan.bytes = *end;
      plan.tensors.push_back(std::move(tensor));
      plan.sources.push_back(source);
    }
  CHECK_OK(check_leftovers(checkpoint, plan, finder));
  return plan;
}

Result<Model> bind(const Checkpoint& checkpoint, const Description& description,
                   BindOptions options, const ParallelFor& parallel, Progress& progress) {
  TRY(BindPlan plan, plan_binding(checkpoint, description, options));
  Model model;
  model.spec = description.spec;
  TRY(model.memory, HugeBuffer::allocate(plan.bytes));

  const std::vector<Piece> pieces = cut(plan);
  // How many pieces still read each tensor of the file, which may serve several roles.
  std::unordered_map<const TensorView*, std::atomic<u32>> readers_left;
  for (const Piece& piece : pieces) ++readers_left[plan.sources[piece.tensor].view];

  std::mutex first_error_mutex;
  std::optional<Error> first_error;
  std::atomic<bool> failed{false};
  progress.begin("packing weights", plan.bytes, "bytes");
  parallel(pieces.size(), [&](u64 i) {
    if (failed.load(std::memory_order_relaxed)) return;
    const Piece& piece = pieces[i];
    auto packed = pack_piece(checkpoint, plan, description, options, piece, model.memory.data());
    if (packed && progress.cancelled()) packed = fail("loading was stopped");
    if (!packed) {
      const std::lock_guard lock(first_error_mutex);
      failed = true;
      if (!first_error) first_error = packed.error();
      return;
    }
    // What is not read row after row goes when nobody needs it any more.
    const TensorView* view = plan.sources[piece.tensor].view;
    if (--readers_left.find(view)->second == 0) checkpoint.drop(*view);
    progress.advance(piece_bytes(plan.tensors[piece.tensor], piece));
  });
  progress.end();
  if (first_error) return tl::unexpected<Error>(*first_error);
  wire(plan, model.memory.data(), model);
  model.weights_bytes = plan.bytes;
  model.tensors = std::move(plan.tensors);
  return model;
}

Model adopt(BindPlan plan, const ModelSpec& spec, MappedFile pack, Bytes data) {
  Model model;
  model.spec = spec;
  model.pack = std::move(pack);
  wire(plan, data.data(), model);
  model.weights_bytes = plan.bytes;
  model.tensors = std::move(plan.tensors);
  return model;
}

}  // namespace orrery::model
