// Values of eight bits (float or integer) times a scale for each block of the matrix: FP8 with
// blocks of 128 x 128, with a scale a row or one for all, and int8 with a scale a row.
//
// A block is fixed, and the last ones of a row and of a column are cut off by the matrix's edge.
#include <algorithm>

#include "checkpoint/names.h"
#include "checkpoint/quantized.h"
#include "checkpoint/row_values.h"

namespace orrery::checkpoint {
namespace {

constexpr u64 kQ8Values = 32, kQ8Bytes = 34;

// How the scales lie over a matrix of [rows, cols].
struct Grid {
  u64 block_rows, block_cols;
};

class ScaledEncoding final : public JoinedEncoding {
 public:
  // value = stored value * scale * factor
  ScaledEncoding(const TensorView& values, const TensorView& scales, Grid grid, f32 factor)
      : JoinedEncoding({&values, &scales}),
        values_(values.bytes),
        scales_(scales.bytes),
        format_(values.format),
        scale_format_(scales.format),
        rows_(values.shape[values.shape.size() - 2]),
        cols_(values.shape.back()),
        grid_(grid),
        factor_(factor) {}

  std::string_view name() const override {
    if (format_ == Format::kI8) return "I8 and scales";
    return format_ == Format::kF8_E4M3 ? "F8_E4M3 and scales" : "F8_E5M2 and scales";
  }

  // Integers keep their bits where a scale covers whole blocks.
  Format row_format() const override {
    const bool whole =
        cols_ % kQ8Values == 0 && (grid_.block_cols >= cols_ || grid_.block_cols % kQ8Values == 0);
    return format_ == Format::kI8 && whole ? Format::kQ8_0 : Format::kBF16;
  }

  Result<void> read_row(u64 row, Format format, u8* out) const override {
    if (format == Format::kQ8_0) return read_integers(row, out);
    const Float8Table& table = table_of(format_);
    const Bytes stored = values_.subspan(row * cols_, cols_);
    FloatRow to(format, out);
    for (u64 begin = 0; begin < cols_; begin += grid_.block_cols) {
      const f32 scale = scale_at(row, begin);
      const u64 end = std::min(cols_, begin + grid_.block_cols);
      for (u64 i = begin; i < end; ++i) to.add(table[stored[i]] * scale * factor_);
    }
    return to.end();
  }

 private:
  static const Float8Table& table_of(Format format) {
    static constexpr Float8Table kE4M3 = float8_table(f32_from_f8_e4m3);
    static constexpr Float8Table kE5M2 = float8_table(f32_from_f8_e5m2);
    static constexpr Float8Table kInt8 = float8_table([](u8 bits) { return f32(i8(bits)); });
    if (format == Format::kI8) return kInt8;
    return format == Format::kF8_E4M3 ? kE4M3 : kE5M2;
  }

  f32 scale_at(u64 row, u64 col) const {
    const u64 grid_rows = divide_up(rows_, grid_.block_rows);
    const u64 grid_cols = divide_up(cols_, grid_.block_cols);
    const u64 grid_row = row / rows_ * grid_rows + row % rows_ / grid_.block_rows;
    return load_scale(scale_format_, scales_, grid_row * grid_cols + col / grid_.block_cols);
  }

  Result<void> read_integers(u64 row, u8* out) const {
    const Bytes stored = values_.subspan(row * cols_, cols_);
    for (u64 i = 0; i < cols_; i += kQ8Values, out += kQ8Bytes) {
      CHECK_OK(store_block_scale(scale_at(row, i) * factor_, out));
      std::memcpy(out + 2, stored.data() + i, kQ8Values);
    }
    return {};
  }

  Bytes values_, scales_;
  Format format_, scale_format_;
  u64 rows_, cols_;
  Grid grid_;
  f32 factor_;
};

// The grid that the shape of the scales means; an error when it means none. `block`: what the
// config says, if anything.
Result<Grid> grid_of(const TensorView& values, const TensorView& scales,
                     std::optional<Grid> block) {
  if (values.shape.size() < 2 || values.shape.size() > 3 || values.bytes.empty())
    return fail("tensor {} has the shape {}, a matrix was expected", shown(values.name),
                shape_text(values.shape));
  const u64 rows = values.shape[values.shape.size() - 2], cols = values.shape.back();
  std::vector<u64> lead(values.shape.begin(), values.shape.end() - 2);
  const auto is = [&](std::initializer_list<u64> last) {
    std::vector<u64> shape = lead;
    shape.insert(shape.end(), last);
    return scales.shape == shape;
  };
  if (block && is({divide_up(rows, block->block_rows), divide_up(cols, block->block_cols)}))
    return *block;
  if (is({}) || is({1}) || is({1, 1})) return Grid{rows, cols};
  if (is({rows}) || is({rows, 1})) return Grid{1, cols};
  return fail("tensor {} has the shape {}, which does not fit the values {}{}", shown(scales.name),
              shape_text(scales.shape), shape_text(values.shape),
              block ? fmt::format(" in blocks of {} x {}", block->block_rows, block->block_cols)
                    : std::string());
}

Result<void> join(Parts& parts, const std::string& values_name, const std::string& scales_name,
                  std::optional<Grid> block, f32 factor) {
  const TensorView* values = parts.find(values_name);
  if (!values)
    return fail("tensor {} is missing, but its scales {} are there", shown(values_name),
                shown(scales_name));
  const TensorView& scales = *parts.find(scales_name);
  if (values->format != Format::kF8_E4M3 && values->format != Format::kF8_E5M2 &&
      values->format != Format::kI8)
    return fail("tensor {} is {}, but has scales beside it: F8_E4M3, F8_E5M2 or I8 was expected",
                shown(values_name), name(values->format));
  if (!is_scale_format(scales.format))
    return fail("tensor {} is {}, no format for scales", shown(scales_name), name(scales.format));
  TRY(const Grid grid, grid_of(*values, scales, block));
  TensorView joined{values_name,   values->format,
                    values->shape, {},
                    values->file,  std::make_shared<ScaledEncoding>(*values, scales, grid, factor)};
  parts.replace({values, &scales}, std::move(joined));
  return {};
}

// Scales of activations, for machines that multiply in eight bits: ours stay exact instead.
void drop_activation_scales(Parts& parts) {
  for (const std::string_view ending : {"activation_scale", "input_scale"})
    for (const std::string& stem : parts.stems(ending))
      parts.drop(*parts.find(stem + std::string(ending)));
}

Result<void> join_endings(Parts& parts, std::string_view ending, std::optional<Grid> block) {
  const std::string values_end = ending.starts_with(kWeight) ? std::string(kWeight) : "";
  for (const std::string& stem : parts.stems(ending))
    CHECK_OK(join(parts, stem + values_end, stem + std::string(ending), block, 1));
  return {};
}

Result<std::optional<Grid>> read_block(const Config& config, const std::string& key) {
  constexpr i64 kBlockMax = 1 << 20;
  TRY(const std::optional<Integers> sizes, config.get_integers(key));
  if (!sizes) return std::nullopt;
  if (sizes->size() != 2 || (*sizes)[0] < 1 || (*sizes)[1] < 1 || (*sizes)[0] > kBlockMax ||
      (*sizes)[1] > kBlockMax)
    return fail("config key {} is no size of a block", shown(key));
  return Grid{u64((*sizes)[0]), u64((*sizes)[1])};
}

Result<void> check_string(const Config& config, const std::string& key,
                          std::initializer_list<std::string_view> allowed) {
  TRY(const std::optional<std::string> value, config.get_string(key));
  if (!value) return {};
  for (const std::string_view one : allowed)
    if (*value == one) return {};
  return fail("config key {} is {}, supported: {}", shown(key), shown(*value),
              fmt::join(allowed, ", "));
}

}  // namespace

Result<void> join_block_scaled(const Config& config, Parts& parts) {
  const std::string prefix = "quantization_config.";
  CHECK_OK(check_string(config, prefix + "fmt", {"e4m3", "e5m2"}));
  CHECK_OK(check_string(config, prefix + "activation_scheme", {"dynamic", "static"}));
  CHECK_OK(check_string(config, prefix + "scale_fmt", {"float", "ue8m0"}));
  CHECK_OK(check_string(config, prefix + "expert_dtype", {"fp8"}));
  (void)config.find(prefix + "activation_scale_ub");
  TRY(const std::optional<Grid> block, read_block(config, prefix + "weight_block_size"));
  drop_activation_scales(parts);
  CHECK_OK(join_endings(parts, "_scale_inv", block));  // fused experts have no ".weight"
  return join_endings(parts, ".weight_scale", block);
}

// compressed-tensors: the settings are grouped by layers, and files have one group.
Result<void> join_compressed(const Config& config, Parts& parts) {
  const std::string prefix = "quantization_config.";
  TRY(const std::string format, config.require_string(prefix + "format"));
  if (config.has(prefix + "kv_cache_scheme"))
    return fail("a quantised KV cache ({}kv_cache_scheme) is not supported", prefix);
  for (const std::string_view key :
       {"global_compression_ratio", "sparsity_config", "transform_config", "version"})
    (void)config.find(prefix + std::string(key));
  const Value* groups = config.find(prefix + "config_groups");
  const Object* object = groups ? std::get_if<Object>(&groups->data) : nullptr;
  if (!object || object->size() != 1)
    return fail("config key '{}config_groups' is no object with one group", prefix);
  const std::string weights = prefix + "config_groups." + object->begin()->first + ".weights.";
  if (format == "pack-quantized") return join_packed_rows(config, weights, parts);
  CHECK_OK(check_string(config, prefix + "format",
                        {"float-quantized", "int-quantized", "naive-quantized", "pack-quantized"}));
  TRY(const u32 bits, config.require_u32(weights + "num_bits", 1, 64));
  TRY(const bool symmetric, config.bool_or(weights + "symmetric", true));
  if (bits != 8 || !symmetric)
    return fail("{} of {} bits{} is not supported, only 8 bits and symmetric", format, bits,
                symmetric ? "" : " with zero points");
  TRY(const std::optional<Grid> block, read_block(config, weights + "block_structure"));
  drop_activation_scales(parts);
  return join_endings(parts, ".weight_scale", block);
}

// LLM.int8() of bitsandbytes: `SCB` is the largest magnitude of a row, which 127 stands for.
Result<void> join_int8_rows(Parts& parts) {
  constexpr f32 kStep = 7.874015718698502e-3f;  // 1/127 as bitsandbytes writes it
  for (const std::string& stem : parts.stems(".SCB")) {
    if (const TensorView* layout = parts.find(stem + ".weight_format")) {
      if (layout->bytes.size() != 1 || layout->bytes[0] != 0)
        return fail("tensor {}: only the order by rows (0) is supported", shown(layout->name));
      parts.drop(*layout);
    }
    CHECK_OK(join(parts, stem + ".weight", stem + ".SCB", std::nullopt, kStep));
  }
  return {};
}

}  // namespace orrery::checkpoint
