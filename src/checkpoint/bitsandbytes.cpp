// bitsandbytes: NF4 and FP4. Four bits are an index into a map of 16 values, times the largest
// magnitude of a run of the flattened matrix (64 values as a rule). Those magnitudes may be bytes
// again: an index into a second map, times the magnitude of 256 of them, plus an offset.
//
// What is not a tensor is JSON, kept as bytes: X.quant_state.bitsandbytes__nf4.
#include <algorithm>
#include <cmath>

#include "checkpoint/json.h"
#include "checkpoint/names.h"
#include "checkpoint/quantized.h"
#include "checkpoint/row_values.h"

namespace orrery::checkpoint {
namespace {

constexpr u64 kQ8Values = 32, kQ8Bytes = 34;
constexpr u64 kStateBytesMax = 64 << 10;  // real ones have 200
constexpr u64 kValuesMax = u64(1) << 40;  // far above any matrix, far below an overflow
constexpr std::string_view kStates[] = {".quant_state.bitsandbytes__nf4",
                                        ".quant_state.bitsandbytes__fp4"};

struct State {
  bool is_nf4 = false;  // else FP4; the map says what the values are
  std::vector<u64> shape;
  u64 block = 0;         // values that share a magnitude
  u64 nested_block = 0;  // magnitudes that share one of theirs; 0: they are floats
  f32 nested_offset = 0;
};

struct Tensors {
  const TensorView *state, *values, *map, *magnitudes;
  const TensorView *nested_map = nullptr, *nested_magnitudes = nullptr;
};

// The map as int8: step * q is nearly the value. How many steps the largest value takes is
// searched: 112 fit NF4 with three quarters of the error of 127, 120 fit FP4 with half of it.
struct IntegerMap {
  f32 step = 0;
  i8 q[16] = {};
};

IntegerMap fit_integers(const f32* map) {
  f32 largest = 0;
  for (u32 i = 0; i < 16; ++i) largest = std::max(largest, std::fabs(map[i]));
  IntegerMap best;
  f64 best_error = INFINITY;
  for (i32 steps = 64; steps <= 127 && largest > 0; ++steps) {
    IntegerMap fitted{largest / f32(steps), {}};
    f64 error = 0;
    for (u32 i = 0; i < 16; ++i) {
      fitted.q[i] = i8(std::lround(map[i] / fitted.step));
      const f64 off = f64(map[i]) - f64(fitted.step) * fitted.q[i];
      error += off * off;
    }
    if (error >= best_error) continue;
    best_error = error;
    best = fitted;
  }
  return best;
}

class FourBitEncoding final : public JoinedEncoding {
 public:
  FourBitEncoding(const Tensors& from, const State& state)
      : JoinedEncoding({from.values, from.magnitudes, from.nested_magnitudes}),
        values_(from.values->bytes),
        magnitudes_(from.magnitudes->bytes),
        state_(state),
        cols_(state.shape.back()) {
    std::memcpy(map_, from.map->bytes.data(), sizeof map_);
    integers_ = fit_integers(map_);
    if (!state.nested_block) return;
    nested_magnitudes_ = from.nested_magnitudes->bytes;
    std::memcpy(nested_map_, from.nested_map->bytes.data(), sizeof nested_map_);
  }

  std::string_view name() const override { return state_.is_nf4 ? "NF4" : "FP4"; }

  // 16 levels as 8-bit integers: half the memory of BF16, off by 0.5 % of the values' L2 norm (BF16
  // by 0.2 %).
  Format row_format() const override {
    return cols_ % kQ8Values == 0 ? Format::kQ8_0 : Format::kBF16;
  }

  Result<void> read_row(u64 row, Format format, u8* out) const override {
    const u64 begin = row * cols_;
    if (format == Format::kQ8_0) return read_integers(begin, out);
    FloatRow to(format, out);
    for (u64 i = begin; i < begin + cols_;) {
      const f32 magnitude = magnitude_of(i);
      const u64 end = std::min(begin + cols_, (i / state_.block + 1) * state_.block);
      for (; i < end; ++i) to.add(map_[nibble(i)] * magnitude);
    }
    return to.end();
  }

 private:
  u8 nibble(u64 i) const { return i % 2 ? values_[i / 2] & 15 : values_[i / 2] >> 4; }

  f32 magnitude_of(u64 i) const {
    const u64 run = i / state_.block;
    if (!state_.nested_block) return load<f32>(magnitudes_, run);
    return nested_map_[magnitudes_[run]] *
               load<f32>(nested_magnitudes_, run / state_.nested_block) +
           state_.nested_offset;
  }

  // A row begins at a multiple of 32, and so does every run.
  Result<void> read_integers(u64 begin, u8* out) const {
    for (u64 i = begin; i < begin + cols_; i += kQ8Values, out += kQ8Bytes) {
      CHECK_OK(store_block_scale(magnitude_of(i) * integers_.step, out));
      for (u64 k = 0; k < kQ8Values; ++k) out[2 + k] = u8(integers_.q[nibble(i + k)]);
    }
    return {};
  }

  Bytes values_, magnitudes_, nested_magnitudes_;
  State state_;
  u64 cols_;
  f32 map_[16];
  f32 nested_map_[256] = {};
  IntegerMap integers_;
};

Result<State> read_state(Bytes json, std::string_view type) {
  if (json.size() > kStateBytesMax) return fail("{} bytes are too many", json.size());
  TRY(Object root, parse_json_object({reinterpret_cast<const char*>(json.data()), json.size()}));
  const Config config(std::move(root));
  State state;
  TRY(const std::string found, config.require_string("quant_type"));
  if (found != type)
    return fail("quant_type is {}, but the tensor's name says {}", shown(found), type);
  TRY(const u32 block, config.require_u32("blocksize", 32, 4096));
  if (block & (block - 1)) return fail("blocksize is {}, no power of two", block);
  state.is_nf4 = type == "nf4";
  state.block = block;
  TRY(const std::optional<Integers> shape, config.get_integers("shape"));
  if (!shape || shape->empty() || shape->size() > 4) return fail("shape is missing or no shape");
  for (const i64 size : *shape) {
    if (size < 1) return fail("shape has the size {}", size);
    state.shape.push_back(u64(size));
  }
  if (!config.has("nested_blocksize")) return state;
  TRY(const u32 nested_block, config.require_u32("nested_blocksize", 1, 1 << 20));
  TRY(const f64 offset, config.require_number("nested_offset"));
  state.nested_block = nested_block;
  state.nested_offset = f32(offset);
  return state;
}

Result<void> check_map(const TensorView& map, u64 count) {
  if (map.format != Format::kF32 || map.shape != std::vector<u64>{count})
    return fail("tensor {} is {} {}, not F32 [{}]", shown(map.name), name(map.format),
                shape_text(map.shape), count);
  for (u64 i = 0; i < count; ++i)
    if (!(std::fabs(load<f32>(map.bytes, i)) <= 1))
      return fail("tensor {}: entry {} is not between -1 and 1", shown(map.name), i);
  return {};
}

// Finds the parts and holds their sizes against the shape.
Result<Tensors> find_parts(const Parts& parts, const std::string& stem,
                           const TensorView* state_tensor, const State& state) {
  std::optional<u64> count = 1;
  for (const u64 size : state.shape)
    if (count) count = checked_mul(*count, size);
  if (!count || *count > kValuesMax)
    return fail("tensor {}: its shape {} is too large", shown(stem), shape_text(state.shape));
  const u64 runs = divide_up(*count, state.block);
  Tensors found{};
  found.state = state_tensor;
  found.values = parts.find(stem);
  // The bytes may be declared as another type (quant_storage); what counts is how many there are.
  if (!found.values || found.values->bytes.size() != divide_up(*count, u64(2)))
    return fail("tensor {} is missing or has not the {} bytes of its shape {}", shown(stem),
                divide_up(*count, u64(2)), shape_text(state.shape));
  TRY(found.map, parts.require(stem + ".quant_map", Format::kF32, {16}));
  CHECK_OK(check_map(*found.map, 16));
  const Format format = state.nested_block ? Format::kU8 : Format::kF32;
  TRY(found.magnitudes, parts.require(stem + ".absmax", format, {runs}));
  if (!state.nested_block) return found;
  TRY(found.nested_map, parts.require(stem + ".nested_quant_map", Format::kF32, {256}));
  CHECK_OK(check_map(*found.nested_map, 256));
  TRY(found.nested_magnitudes,
      parts.require(stem + ".nested_absmax", Format::kF32, {divide_up(runs, state.nested_block)}));
  return found;
}

Result<void> join(Parts& parts, const std::string& stem, std::string_view ending) {
  TRY(const TensorView* state_tensor, parts.require(stem + std::string(ending), Format::kU8));
  const Result<State> state = read_state(state_tensor->bytes, ending.substr(ending.size() - 3));
  if (!state) return fail("tensor {}: {}", shown(state_tensor->name), state.error().message);
  TRY(const Tensors from, find_parts(parts, stem, state_tensor, *state));
  TensorView joined{stem, Format::kU8,       state->shape,
                    {},   from.values->file, std::make_shared<FourBitEncoding>(from, *state)};
  parts.replace(
      {from.state, from.values, from.map, from.magnitudes, from.nested_map, from.nested_magnitudes},
      std::move(joined));
  return {};
}

}  // namespace

Result<void> join_bitsandbytes(const Config& config, Parts& parts) {
  // The tensors say how they are stored; these keys say how it was made and computed with.
  for (const std::string_view key :
       {"load_in_4bit", "load_in_8bit", "_load_in_4bit", "_load_in_8bit", "bnb_4bit_quant_type",
        "bnb_4bit_use_double_quant", "bnb_4bit_compute_dtype", "bnb_4bit_quant_storage",
        "llm_int8_threshold", "llm_int8_skip_modules", "llm_int8_enable_fp32_cpu_offload",
        "llm_int8_has_fp16_weight"})
    (void)config.find(fmt::format("quantization_config.{}", key));
  for (const std::string_view ending : kStates)
    for (const std::string& stem : parts.stems(ending)) CHECK_OK(join(parts, stem, ending));
  CHECK_OK(join_int8_rows(parts));
  return parts.check_none_left({".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map"});
}

}  // namespace orrery::checkpoint
