// Quantised folders against their makers' own programs (tools/golden/quantized.py): every value the
// same float32, and the rows that a loader packs within what their format costs.
#include "checkpoint/quantized.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "checkpoint/row_values.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/test_files.h"

namespace orrery::checkpoint {
namespace {

const std::filesystem::path kGoldens = ORRERY_SOURCE_DIR "/tests/golden/quantized";
constexpr std::string_view kQuery = "model.layers.0.self_attn.q_proj.weight";
constexpr std::string_view kKey = "model.layers.0.self_attn.k_proj.weight";

struct Case {
  const char* name;
  Format query;     // what the rows of the query matrix are best held in
  f64 error_bound;  // relative L2 of all rows in that format; 0: the same values
};

// Rounding to bfloat16 costs 2^-8 of a value at most; what the integers of NF4 and FP4 cost was
// found with NumPy for normally distributed weights (bitsandbytes.cpp).
constexpr f64 kBf16 = 0x1p-8, kFourBits = 0.005;
constexpr Case kCases[] = {
    {"fp8_blocks", Format::kBF16, kBf16},
    {"fp8_experts", Format::kBF16, kBf16},
    {"fp8_tensor", Format::kBF16, kBf16},
    {"fp8_rows", Format::kBF16, kBf16},
    {"mxfp4", Format::kBF16, 0},
    {"bitsandbytes_nf4", Format::kQ8_0, kFourBits},
    {"bitsandbytes_nf4_double", Format::kQ8_0, kFourBits},
    {"bitsandbytes_fp4", Format::kQ8_0, kFourBits},
    {"bitsandbytes_fp4_double", Format::kQ8_0, kFourBits},
    {"bitsandbytes_int8", Format::kQ8_0, kBf16},
    {"gptq_4", Format::kQ4_0, 0},
    {"gptq_4_asym", Format::kQ8_0, 0},
    {"gptq_4_act_order", Format::kBF16, kBf16},
    {"gptq_4_v2", Format::kQ8_0, 0},
    {"gptq_8", Format::kQ8_0, 0},
    {"gptq_8_asym", Format::kBF16, kBf16},
    {"awq", Format::kQ8_0, 0},
    {"compressed_float", Format::kBF16, kBf16},
    {"compressed_int", Format::kQ8_0, 0},
    {"compressed_packed_4", Format::kQ4_0, 0},
    {"compressed_packed_4_asym", Format::kQ8_0, 0},
    {"compressed_packed_8", Format::kQ8_0, 0},
};

// The blocks as their formats define them, by themselves: this room knows no kernels.
std::vector<f32> decode(Format format, Bytes row, u64 cols) {
  constexpr f32 kValues[16] = {0, .5, 1, 1.5, 2, 3, 4, 6, -0., -.5, -1, -1.5, -2, -3, -4, -6};
  std::vector<f32> values(cols);
  for (u64 i = 0; i < cols; ++i) {
    const u64 block = i / 32, k = i % 32;
    if (format == Format::kF32) values[i] = load<f32>(row, i);
    if (format == Format::kBF16) values[i] = f32_from_bf16(load<u16>(row, i));
    if (format == Format::kQ8_0)
      values[i] =
          load_scale(Format::kF16, row.subspan(34 * block), 0) * f32(i8(row[34 * block + 2 + k]));
    const auto nibble = [&](u64 at) { return k < 16 ? row[at + k] & 15 : row[at + k - 16] >> 4; };
    if (format == Format::kQ4_0)
      values[i] =
          load_scale(Format::kF16, row.subspan(18 * block), 0) * f32(nibble(18 * block + 2) - 8);
    if (format == Format::kMXFP4)
      values[i] = kValues[nibble(17 * block + 1)] * f32_from_f8_e8m0(row[17 * block]);
  }
  return values;
}

std::vector<f32> read_rows(const TensorView& view, Format format) {
  const u64 cols = view.shape.back(), bytes = *row_bytes(format, cols);
  std::vector<f32> values;
  for (u64 row = 0; row < rows_of(view.shape); ++row) {
    std::vector<u8> out(bytes + 1, 0xa5);  // a byte more, to see that it stays
    const auto read =
        view.encoding ? view.encoding->read_row(row, format, out.data()) : Result<void>();
    EXPECT_TRUE(read) << read.error().message;
    if (!view.encoding) std::copy_n(view.bytes.begin() + i64(row * bytes), bytes, out.begin());
    EXPECT_EQ(out.back(), 0xa5);
    const std::vector<f32> decoded = decode(format, Bytes(out).first(bytes), cols);
    values.insert(values.end(), decoded.begin(), decoded.end());
  }
  return values;
}

f64 relative_error(const std::vector<f32>& values, const u8* expected) {
  f64 error = 0, norm = 0;
  for (u64 i = 0; i < values.size(); ++i) {
    const f64 wanted = load<f32>({expected + 4 * i, 4}, 0), off = values[i] - wanted;
    error += off * off;
    norm += wanted * wanted;
  }
  return std::sqrt(error / norm);
}

class Quantized : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Goldens, Quantized, ::testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(Quantized, RowsAreTheOraclesValues) {
  const std::filesystem::path folder = kGoldens / GetParam().name;
  const auto opened = Checkpoint::open(folder);
  ASSERT_TRUE(opened) << opened.error().message;
  const Checkpoint& checkpoint = **opened;
  const std::string bytes = testing::read_bytes(folder / "expected.safetensors");
  const auto expected = parse_safetensors(testing::as_bytes(bytes));
  ASSERT_TRUE(expected);
  EXPECT_EQ(checkpoint.tensors().size(), expected->size()) << "a part was not taken";
  for (const TensorView& wanted : *expected) {
    const TensorView* view = checkpoint.find(wanted.name);
    ASSERT_NE(view, nullptr) << wanted.name;
    EXPECT_EQ(view->shape, wanted.shape) << wanted.name;
    const Format format = view->encoding ? view->encoding->row_format() : view->format;
    if (wanted.name == kQuery) {
      EXPECT_EQ(format, GetParam().query);
    }
    if (view->encoding) {
      EXPECT_GT(stored_bytes(*view), 0u);
      EXPECT_FALSE(stored_format(*view).empty());
      const std::vector<f32> values = read_rows(*view, Format::kF32);
      ASSERT_EQ(values.size() * 4, wanted.bytes.size());
      for (u64 i = 0; i < values.size(); ++i) {
        const f32 right = load<f32>(wanted.bytes, i);  // == : FP4's kernel has a -0, its map not
        ASSERT_EQ(values[i], right) << wanted.name << " value " << i;
      }
    }
    const f64 error = relative_error(read_rows(*view, format), wanted.bytes.data());
    RecordProperty(wanted.name == kKey ? "key" : "first", fmt::format("{:.2e}", error));
    EXPECT_LE(error, GetParam().error_bound) << wanted.name << " as " << name(format);
    checkpoint.drop(*view);
    EXPECT_EQ(read_rows(*view, format), read_rows(*view, format)) << "after drop";
  }
}

TEST_P(Quantized, TheConfigIsRead) {
  const auto opened = Checkpoint::open(kGoldens / GetParam().name);
  ASSERT_TRUE(opened);
  for (const std::string& key : (*opened)->config().unread())
    EXPECT_FALSE(key.starts_with("quantization_config.") &&
                 !key.starts_with("quantization_config.config_groups"))
        << key;
}

}  // namespace
}  // namespace orrery::checkpoint
