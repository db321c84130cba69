#include "model/weights.h"

#include <atomic>
#include <cmath>
#include <mutex>
#include <unordered_set>

#include "kernels/packed.h"

namespace orrery::model {
namespace {

using checkpoint::Checkpoint;
using checkpoint::TensorView;

constexpr u64 kAlign = 64;  // a cache line, and a row of an AMX tile

std::string shape_text(const std::vector<u64>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

// Every tensor of the file is bound, ignored on purpose, or an error: a leftover means that the
// config and the file speak of different models.
Result<void> check_leftovers(const Checkpoint& checkpoint, const BindPlan& plan, bool tied) {
  std::unordered_set<std::string_view> used;
  for (const BoundTensor& tensor : plan.tensors) used.insert(tensor.name);
  for (const TensorView& view : checkpoint.tensors()) {
    if (used.contains(view.name) || is_ignored(checkpoint.kind(), view.name)) continue;
    // A tied model may still carry the output matrix; it is the embedding again.
    if (tied && view.name == tensor_name(checkpoint.kind(), Role::kOutput, 0)) continue;
    return fail("tensor {} {} has no place in this model (is the config of another one?)",
                view.name, shape_text(view.shape));
  }
  return {};
}

Result<BoundTensor> place(const Checkpoint& checkpoint, const TensorNeed& need, BindOptions options,
                          const TensorView** found) {
  const std::string name = tensor_name(checkpoint.kind(), need.role, need.layer);
  const TensorView* view = checkpoint.find(name);
  if (!view) return fail("tensor {} {} is missing", name, shape_text(need.shape));
  if (view->shape != need.shape)
    return fail("tensor {} has shape {}, but the config asks for {}", name, shape_text(view->shape),
                shape_text(need.shape));
  BoundTensor tensor{name,        need.role, need.layer,           view->format,
                     view->shape, 0,         kernels::Layout::kF32};
  if (need.is_matrix()) {
    const auto layout = kernels::layout_for(view->format, options.exact);
    if (!layout) return at(name, layout.error());
    tensor.layout = *layout;
    tensor.packed_bytes = kernels::packed_bytes(*layout, u32(need.shape[0]), u32(need.shape[1]));
  } else {
    if (!kernels::can_decode(view->format))
      return fail("tensor {}: the format {} cannot be read", name, orrery::name(view->format));
    tensor.packed_bytes = need.shape[0] * sizeof(f32);
  }
  *found = view;
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
    if (tensor.shape.size() != 2) {
      pieces.push_back({i, 0, 0});
      continue;
    }
    const u32 panels = divide_up(u32(tensor.shape[0]), kernels::kPanelRows);
    const u64 bytes = kernels::panel_bytes(tensor.layout, u32(tensor.shape[1]));
    const u32 step = u32(std::max<u64>(1, kPieceBytes / std::max<u64>(bytes, 1)));
    for (u32 p = 0; p < panels; p += step) pieces.push_back({i, p, std::min(panels, p + step)});
  }
  return pieces;
}

// Which row of the file holds row `row` of the model. In a file whose rotary pairs are neighbours,
// the rows of a head are stored 0, half, 1, half + 1, ...
u64 file_row(u64 row, u32 head_dim, bool permuted) {
  if (!permuted) return row;
  const u64 head = row / head_dim, within = row % head_dim, half = head_dim / 2;
  return head * head_dim + (within < half ? 2 * within : 2 * (within - half) + 1);
}

class Packer {
 public:
  Packer(const BindPlan& plan, const Description& description, bool permuted, u8* memory)
      : plan_(plan), spec_(description.spec), permuted_(permuted), memory_(memory) {}

  Result<void> pack(const Piece& piece) const {
    const BoundTensor& tensor = plan_.tensors[piece.tensor];
    const TensorView& view = *plan_.views[piece.tensor];
    u8* out = memory_ + plan_.offsets[piece.tensor];
    if (tensor.shape.size() != 2) return pack_vector(tensor, view, reinterpret_cast<f32*>(out));
    const u32 rows = u32(tensor.shape[0]), cols = u32(tensor.shape[1]);
    const u64 row_size = *row_bytes(view.format, cols);
    const u64 panel_size = kernels::panel_bytes(tensor.layout, cols);
    for (u32 p = piece.panel_begin; p < piece.panel_end; ++p) {
      const u8* from[kernels::kPanelRows] = {};
      for (u32 r = 0; r < kernels::kPanelRows && p * kernels::kPanelRows + r < rows; ++r) {
        const u32 row = p * kernels::kPanelRows + r;
        from[r] = view.bytes.data() + source_row(tensor, row) * row_size;
        if (!kernels::all_finite(view.format, from[r], cols))
          return fail(
              "tensor {}, row {}: a value or scale is not a finite number (the file is damaged)",
              tensor.name, row);
      }
      kernels::pack_panel(view.format, tensor.layout, from, cols, out + p * panel_size);
    }
    return {};
  }

 private:
  u64 source_row(const BoundTensor& tensor, u32 row) const {
    const bool rotary = tensor.role == Role::kQuery || tensor.role == Role::kKey;
    if (!rotary || !permuted_) return row;
    const auto& a = std::get<GroupedAttention>(spec_.layers[tensor.layer].attention);
    return file_row(row, a.head_dim, true);
  }

  Result<void> pack_vector(const BoundTensor& tensor, const TensorView& view, f32* out) const {
    const u64 n = tensor.shape[0];
    const bool rotary =
        permuted_ && (tensor.role == Role::kQueryBias || tensor.role == Role::kKeyBias);
    std::vector<f32> values(n);
    if (!kernels::all_finite(view.format, view.bytes.data(), n))
      return fail("tensor {}: a value is not a finite number (the file is damaged)", tensor.name);
    kernels::decode(view.format, view.bytes.data(), n, values.data());
    const u32 head_dim =
        rotary ? std::get<GroupedAttention>(spec_.layers[tensor.layer].attention).head_dim : 1;
    for (u64 i = 0; i < n; ++i) out[i] = values[file_row(i, head_dim, rotary)];
    return {};
  }

  const BindPlan& plan_;
  const ModelSpec& spec_;
  bool permuted_;
  u8* memory_;
};

// Where the matrix of a role belongs; null for the roles of vectors.
Matrix* matrix_place(Weights& weights, Role role, u32 layer) {
  AttentionWeights& a = weights.layers[layer].attention;
  FfnWeights& f = weights.layers[layer].ffn;
  switch (role) {
    case Role::kEmbedding:
      return &weights.embedding;
    case Role::kOutput:
      return &weights.output;
    case Role::kQuery:
      return &a.query;
    case Role::kKey:
      return &a.key;
    case Role::kValue:
      return &a.value;
    case Role::kAttentionOutput:
      return &a.output;
    case Role::kGate:
      return &f.gate;
    case Role::kUp:
      return &f.up;
    case Role::kDown:
      return &f.down;
    default:
      return nullptr;
  }
}

// Where the vector of a role belongs; null for matrices and for what the model only computes with.
Vector* vector_place(Weights& weights, Role role, u32 layer) {
  AttentionWeights& a = weights.layers[layer].attention;
  FfnWeights& f = weights.layers[layer].ffn;
  switch (role) {
    case Role::kOutputNorm:
      return &weights.output_norm;
    case Role::kAttentionNorm:
      return &a.norm;
    case Role::kQueryBias:
      return &a.query_bias;
    case Role::kKeyBias:
      return &a.key_bias;
    case Role::kValueBias:
      return &a.value_bias;
    case Role::kAttentionOutputBias:
      return &a.output_bias;
    case Role::kFfnNorm:
      return &f.norm;
    case Role::kGateBias:
      return &f.gate_bias;
    case Role::kUpBias:
      return &f.up_bias;
    case Role::kDownBias:
      return &f.down_bias;
    default:
      return nullptr;
  }
}

// Puts the packed bytes in their named places.
void wire(const BindPlan& plan, u8* memory, Model& model) {
  Weights& weights = model.weights;
  weights = {};
  weights.layers.assign(model.spec.layers.size(), LayerWeights{});
  const f32* divisors = nullptr;
  for (u32 i = 0; i < plan.tensors.size(); ++i) {
    const BoundTensor& t = plan.tensors[i];
    const u8* data = memory + plan.offsets[i];
    if (Matrix* matrix = matrix_place(weights, t.role, t.layer)) {
      const u32 rows = u32(t.shape[0]), cols = u32(t.shape[1]);
      *matrix = {t.layout, rows, cols, kernels::panel_bytes(t.layout, cols), data};
    }
    if (Vector* vector = vector_place(weights, t.role, t.layer))
      *vector = reinterpret_cast<Vector>(data);
    if (t.role == Role::kRopeDivisors) divisors = reinterpret_cast<const f32*>(data);
  }
  if (model.spec.tied_output) weights.output = weights.embedding;
  model.rope_frequency = rope_frequencies(model.spec.rope, divisors);
}

}  // namespace

Result<BindPlan> plan_binding(const Checkpoint& checkpoint, const Description& description,
                              BindOptions options) {
  BindPlan plan;
  for (const TensorNeed& need : needed_tensors(description.spec)) {
    const TensorView* view = nullptr;
    TRY(BoundTensor tensor, place(checkpoint, need, options, &view));
    plan.offsets.push_back(plan.bytes);
    const auto end = checked_add(plan.bytes, round_up(tensor.packed_bytes, kAlign));
    if (!end) return fail("the weights take more bytes than can be counted");
    plan.bytes = *end;
    plan.tensors.push_back(std::move(tensor));
    plan.views.push_back(view);
  }
  CHECK_OK(check_leftovers(checkpoint, plan, description.spec.tied_output));
  return plan;
}

Result<Model> bind(const Checkpoint& checkpoint, const Description& description,
                   BindOptions options, const ParallelFor& parallel, Progress& progress) {
  TRY(BindPlan plan, plan_binding(checkpoint, description, options));
  Model model;
  model.spec = description.spec;
  TRY(model.memory, HugeBuffer::allocate(plan.bytes));

  const bool permuted =
      checkpoint.kind() == checkpoint::Kind::kGguf && description.family->gguf_permutes_qk;
  const Packer packer(plan, description, permuted, model.memory.data());
  const std::vector<Piece> pieces = cut(plan);
  std::vector<std::atomic<u32>> pieces_left(plan.tensors.size());
  for (const Piece& piece : pieces) ++pieces_left[piece.tensor];

  std::mutex first_error_mutex;
  std::optional<Error> first_error;
  std::atomic<bool> failed{false};
  progress.begin("packing weights", plan.bytes, "bytes");
  parallel(pieces.size(), [&](u64 i) {
    if (failed.load(std::memory_order_relaxed)) return;
    const Piece& piece = pieces[i];
    auto packed = packer.pack(piece);
    if (packed && progress.cancelled()) packed = fail("loading was stopped");
    if (!packed) {
      const std::lock_guard lock(first_error_mutex);
      failed = true;
      if (!first_error) first_error = packed.error();
      return;
    }
    // Source pages go as soon as nobody needs them: the peak stays at the packed size.
    if (--pieces_left[piece.tensor] == 0) checkpoint.drop(*plan.views[piece.tensor]);
    const BoundTensor& tensor = plan.tensors[piece.tensor];
    progress.advance(tensor.shape.size() != 2
                         ? tensor.packed_bytes
                         : (piece.panel_end - piece.panel_begin) *
                               kernels::panel_bytes(tensor.layout, u32(tensor.shape[1])));
  });
  progress.end();
  if (first_error) return tl::unexpected<Error>(*first_error);
  wire(plan, model.memory.data(), model);
  model.tensors = std::move(plan.tensors);
  return model;
}

}  // namespace orrery::model
