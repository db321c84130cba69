#include "model/stored.h"

#include <algorithm>
#include <charconv>

#include "model/spellings.h"

namespace orrery::model {
namespace {

using checkpoint::Kind;
using checkpoint::TensorView;

// Prefixes of a language model's tensors: alone, and inside the wrappers that also see.
constexpr std::string_view kPrefixes[] = {"model", "model.language_model", "language_model.model"};
// Tensors of the other parts of such a wrapper.
constexpr std::string_view kOtherParts[] = {
    "vision_tower.", "vision_model.", "multi_modal_projector.",       "model.vision_tower.",
    "visual.",       "model.visual.", "model.multi_modal_projector.", "model.vision_model.",
    "mtp.",
};

void replace(std::string& text, std::string_view what, std::string_view with) {
  if (const std::size_t at = text.find(what); at != std::string::npos)
    text.replace(at, what.size(), with);
}

// The widths that cuts of the delta net's inputs need.
struct DeltaWidths {
  u64 key_dim, value_run, heads_run, by_head;  // rows a key head: q or k, v or z, b or a, all
  u64 keys, all;
};
DeltaWidths widths(const DeltaNet& d) {
  const u64 shared = d.key_heads ? d.value_heads / d.key_heads : 0;
  return {d.key_dim,    shared * d.value_dim,
          shared,       2 * d.key_dim + 2 * shared * d.value_dim,
          d.key_size(), 2 * u64(d.key_size()) + 2 * u64(d.value_size())};
}

Slice delta_slice(Cut cut, const DeltaNet& d, u64 cols) {
  const DeltaWidths w = widths(d);
  const u64 mixed = d.conv_channels(), pairs = 2 * u64(d.value_heads);
  switch (cut) {
    case Cut::kDeltaQuery:
      return {.first = 0, .tensor_rows = mixed, .tensor_cols = cols};
    case Cut::kDeltaKey:
      return {.first = w.keys, .tensor_rows = mixed, .tensor_cols = cols};
    case Cut::kDeltaValue:
      return {.first = 2 * w.keys, .tensor_rows = mixed, .tensor_cols = cols};
    case Cut::kDeltaQueryByHead:
      return {0, w.key_dim, w.by_head, false, 0, w.all, cols};
    case Cut::kDeltaKeyByHead:
      return {w.key_dim, w.key_dim, w.by_head, false, 0, w.all, cols};
    case Cut::kDeltaValueByHead:
      return {2 * w.key_dim, w.value_run, w.by_head, false, 0, w.all, cols};
    case Cut::kDeltaGateByHead:
      return {2 * w.key_dim + w.value_run, w.value_run, w.by_head, false, 0, w.all, cols};
    case Cut::kDeltaBetaByHead:
      return {0, w.heads_run, 2 * w.heads_run, false, 0, pairs, cols};
    default:  // kDeltaStepByHead
      return {w.heads_run, w.heads_run, 2 * w.heads_run, false, 0, pairs, cols};
  }
}

Slice latent_slice(Cut cut, const LatentAttention& a) {
  const u64 both = u64(a.nope_dim) + a.value_dim, all = both * a.heads;
  if (cut == Cut::kKeyExpansion)
    return {.transposed = true, .depth_stride = both, .tensor_rows = all, .tensor_cols = a.kv_rank};
  return {a.nope_dim, a.value_dim, both, false, 0, all, a.kv_rank};
}

// `matrices`: how many of the stack stand in the tensor. Nothing where the layer has no such part.
std::optional<Slice> slice_of(Cut cut, const TensorNeed& need, u64 matrices,
                              const LayerSpec* layer) {
  const bool vector = need.is_vector();
  const u64 rows = vector ? (need.shape.size() == 2 ? need.shape[1] : need.shape[0]) : need.rows();
  const u64 groups = vector && need.shape.size() == 2 ? need.shape[0] : matrices;
  const u64 cols = vector ? 1 : need.cols(), all = groups * rows;
  switch (cut) {
    case Cut::kWhole:
    case Cut::kPlusOne:
    case Cut::kMinusExp:
      return Slice{.tensor_rows = all, .tensor_cols = cols};
    case Cut::kFirstHalf:
      return Slice{0, rows, 2 * rows, false, 0, 2 * all, cols};
    case Cut::kSecondHalf:
      return Slice{rows, rows, 2 * rows, false, 0, 2 * all, cols};
    case Cut::kEvenRows:
      return Slice{0, 1, 2, false, 0, 2 * all, cols};
    case Cut::kOddRows:
      return Slice{1, 1, 2, false, 0, 2 * all, cols};
    case Cut::kTransposed:
      return Slice{0, 0, 0, true, cols, groups * cols, rows};
    case Cut::kFirstHalfTransposed:
      return Slice{0, 0, 0, true, cols, groups * cols, 2 * rows};
    case Cut::kSecondHalfTransposed:
      return Slice{rows, 0, 0, true, cols, groups * cols, 2 * rows};
    case Cut::kEvenTransposed:
      return Slice{0, 1, 2, true, cols, groups * cols, 2 * rows};
    case Cut::kOddTransposed:
      return Slice{1, 1, 2, true, cols, groups * cols, 2 * rows};
    default:
      break;
  }
  if (!layer) return std::nullopt;
  if (const auto* a = std::get_if<GroupedAttention>(&layer->attention)) {
    if (cut == Cut::kFirstOfHead)
      return Slice{0, a->head_dim, 2 * a->head_dim, false, 0, 2 * all, cols};
    if (cut == Cut::kSecondOfHead)
      return Slice{a->head_dim, a->head_dim, 2 * a->head_dim, false, 0, 2 * all, cols};
    return std::nullopt;
  }
  if (const auto* a = std::get_if<LatentAttention>(&layer->attention)) {
    if (cut == Cut::kKeyExpansion || cut == Cut::kValueExpansion) return latent_slice(cut, *a);
    return std::nullopt;
  }
  if (cut < Cut::kDeltaQuery) return std::nullopt;
  return delta_slice(cut, std::get<DeltaNet>(layer->attention), cols);
}

// The shape as the slice must find it. Dimensions of 1 do not count, and a stack may stand with its
// first two dimensions as one.
bool has_shape(const TensorView& view, const Slice& slice, const TensorNeed& need) {
  u64 values = 1;
  for (u64 n : view.shape) values *= n;  // the checkpoint has checked that it fits
  if (values != slice.tensor_rows * slice.tensor_cols) return false;
  if (need.is_vector())
    return view.shape.size() - u64(std::count(view.shape.begin(), view.shape.end(), 1u)) <=
           need.shape.size();
  return !view.shape.empty() && view.shape.back() == slice.tensor_cols && view.shape.size() <= 3;
}

std::string shape_text(const std::vector<u64>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

bool is_norm_from_one(Role role) {
  return role == Role::kAttentionNorm || role == Role::kFfnNorm || role == Role::kOutputNorm ||
         role == Role::kQueryNorm || role == Role::kKeyNorm;
}

}  // namespace

Finder::Finder(const checkpoint::Checkpoint& checkpoint, const ModelSpec& spec,
               const Storage& storage)
    : checkpoint_(checkpoint),
      spec_(spec),
      storage_(storage),
      gguf_(checkpoint.kind() == Kind::kGguf),
      prefix_(kPrefixes[0]) {
  for (std::string_view prefix : kPrefixes)
    if (checkpoint.find(fmt::format("{}.embed_tokens.weight", prefix))) prefix_ = prefix;
}

std::string Finder::spell(std::string_view pattern, u32 layer, u32 index) const {
  std::string name(pattern);
  replace(name, "{model}", prefix_);
  replace(name, "{layer}",
          gguf_ ? fmt::format("blk.{}", layer) : fmt::format("{}.layers.{}", prefix_, layer));
  replace(name, "{index}", fmt::format("{}", index));
  return name;
}

const TensorView* Finder::lookup(std::string_view pattern, u32 layer, u32 index) const {
  return checkpoint_.find(spell(pattern, layer, index));
}

Result<Stored> Finder::find(const TensorNeed& need, u32 index) const {
  const bool in_layer = need.role != Role::kEmbedding && need.role != Role::kOutput &&
                        need.role != Role::kOutputNorm && need.role != Role::kRopeDivisors;
  const LayerSpec* layer = in_layer ? &spec_.layers[need.layer] : nullptr;
  std::string_view usual;  // for the error: the first common spelling
  const std::span<const Spelling> tables[] = {storage_.spellings,
                                              common_spellings(checkpoint_.kind())};
  for (std::span<const Spelling> table : tables)
    for (const Spelling& s : table) {
      if (s.role != need.role) continue;
      if (usual.empty()) usual = s.pattern;
      const TensorView* view = lookup(s.pattern, need.layer, index);
      if (!view) continue;
      const bool one_each = s.pattern.find("{index}") != std::string_view::npos;
      const auto slice = slice_of(s.cut, need, one_each ? 1 : need.count(), layer);
      if (!slice) continue;
      if (!has_shape(*view, *slice, need))
        return fail("tensor {} has shape {}, but the config asks for {}", view->name,
                    shape_text(view->shape),
                    need.is_vector() || s.cut == Cut::kWhole
                        ? shape_text(need.shape)
                        : fmt::format("[{}, {}]", slice->tensor_rows, slice->tensor_cols));
      const bool from_one = storage_.norms_from_one && is_norm_from_one(need.role);
      return Stored{view, from_one ? Cut::kPlusOne : s.cut, *slice, one_each ? 0 : index};
    }
  return fail("tensor {} {} is missing", spell(usual, need.layer, index), shape_text(need.shape));
}

bool Finder::is_ignored(std::string_view name) const {
  if (spec_.tied_output) {
    // A tied model may still carry the output matrix; it is the embedding again.
    for (const Spelling& s : common_spellings(checkpoint_.kind()))
      if (s.role == Role::kOutput && name == s.pattern) return true;
  }
  std::string_view rest = name;
  const std::string layers = gguf_ ? "blk." : prefix_ + ".layers.";
  if (spec_.prediction_layers && rest.starts_with(layers)) {
    rest.remove_prefix(layers.size());
    u64 layer = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), layer);
    if (error == std::errc() && layer >= spec_.layers.size() &&
        layer < spec_.layers.size() + spec_.prediction_layers)
      return true;
  }
  if (gguf_)  // read with the settings
    return spec_.rope.scaling == Rope::Scaling::kTwoTables &&
           (name == "rope_factors_short.weight" || name == "rope_factors_long.weight");
  for (std::string_view part : kOtherParts)
    if (name.starts_with(part)) return true;
  // Older exports store the frequencies of every layer; they follow from the config.
  return name.ends_with(".rotary_emb.inv_freq");
}

}  // namespace orrery::model
