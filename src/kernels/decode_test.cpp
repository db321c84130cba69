// Decoding and packing against PyPI gguf: every format, bit for bit (tools/golden/formats.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "kernels/blocks.h"
#include "kernels/encode.h"
#include "kernels/kernels.h"

namespace orrery::kernels {
namespace {

struct Golden {
  std::vector<u8> bytes;
  std::vector<f32> values;
};

Golden read_golden(Format format, std::string_view folder = "") {
  std::ifstream file(
      fmt::format(ORRERY_SOURCE_DIR "/tests/golden/formats/{}{}.bin", folder, name(format)),
      std::ios::binary);
  const std::vector<char> all{std::istreambuf_iterator<char>(file), {}};
  Golden golden;
  if (all.size() < 8) return golden;
  u32 sizes[2];
  std::memcpy(sizes, all.data(), 8);
  golden.bytes.assign(all.begin() + 8, all.begin() + 8 + sizes[0]);
  golden.values.resize(sizes[1]);
  std::memcpy(golden.values.data(), all.data() + 8 + sizes[0], sizes[1] * sizeof(f32));
  return golden;
}

bool same(f32 a, f32 b) {
  return std::bit_cast<u32>(a) == std::bit_cast<u32>(b) || (std::isnan(a) && std::isnan(b));
}

constexpr Format kDecoded[] = {
    Format::kF32,     Format::kF16,    Format::kBF16,    Format::kF64,     Format::kQ4_0,
    Format::kQ4_1,    Format::kQ5_0,   Format::kQ5_1,    Format::kQ8_0,    Format::kQ2_K,
    Format::kQ3_K,    Format::kQ4_K,   Format::kQ5_K,    Format::kQ6_K,    Format::kIQ4_NL,
    Format::kIQ4_XS,  Format::kMXFP4,  Format::kNVFP4,   Format::kIQ1_S,   Format::kIQ1_M,
    Format::kIQ2_XXS, Format::kIQ2_XS, Format::kIQ2_S,   Format::kIQ3_XXS, Format::kIQ3_S,
    Format::kTQ1_0,   Format::kTQ2_0,  Format::kF8_E4M3, Format::kF8_E5M2};

// Some formats are packed in another form than the one that they are decoded from
// (kernels/blocks.h): d is rounded to a half, which may be the smallest one, and stands before
// products of up to 31 * 62; a min of `lowest` units is rounded, and each value is a unit or more.
bool packs_the_same_bits(Format format) {
  const FormatShape shape = shape_of(format);
  return shape.d_factor == 1 && shape.lowest == 0 && format != Format::kTQ1_0 &&
         format != Format::kTQ2_0;
}
bool packs_near(Format format, f32 packed, f32 value) {
  const f32 units = f32(std::max(1, -shape_of(format).lowest));
  return std::fabs(packed - value) <= 0x1p-25f * 31 * 62 + 0x1p-11f * units * std::fabs(value);
}

class EveryFormat : public testing::TestWithParam<Format> {};
INSTANTIATE_TEST_SUITE_P(Decode, EveryFormat, testing::ValuesIn(kDecoded),
                         [](const auto& test) { return std::string(name(test.param)); });

TEST_P(EveryFormat, DecodesToTheBitsOfGguf) {
  const Golden golden = read_golden(GetParam());
  ASSERT_FALSE(golden.values.empty()) << "run tools/golden/formats.py";
  std::vector<f32> decoded(golden.values.size());
  ASSERT_TRUE(decode(GetParam(), golden.bytes.data(), decoded.size(), decoded.data()));
  for (size_t i = 0; i < decoded.size(); ++i)
    ASSERT_TRUE(same(decoded[i], golden.values[i]))
        << "value " << i << ": " << decoded[i] << ", gguf gives " << golden.values[i];
}

// The golden bytes as a matrix of one row repeated with different starts; every packed row decodes
// to what the file's row decodes to, in the format's own layout and in the exact one.
TEST_P(EveryFormat, PackedRowsDecodeToTheSameBits) {
  const Golden golden = read_golden(GetParam());
  const FormatInfo& format = info(GetParam());
  const u32 cols = format.block_elements > 32 ? 512 : 288;
  const u64 row_size = *row_bytes(GetParam(), cols);
  const u64 starts = (golden.bytes.size() - row_size) / format.block_bytes + 1;
  const u32 count = 13;
  for (bool exact : {false, true}) {
    const Layout layout = *layout_for(GetParam(), exact);
    std::vector<u8> storage(panel_bytes(layout, cols) + 64);
    u8* panel = storage.data() + (64 - reinterpret_cast<std::uintptr_t>(storage.data()) % 64);
    const u8* rows[kPanelRows] = {};
    for (u32 r = 0; r < count; ++r)
      rows[r] = golden.bytes.data() + r * starts / count * format.block_bytes;
    pack_panel(GetParam(), layout, rows, cols, panel);
    const PackedMatrix packed{layout, count, cols, panel_bytes(layout, cols), panel};
    const Kernels kernels = *resolve("scalar");
    for (u32 r = 0; r < count; ++r) {
      std::vector<f32> expected(cols), decoded(cols);
      decode(GetParam(), rows[r], cols, expected.data());
      kernels.decode_row(packed, r, decoded.data());
      const bool exactly = exact || packs_the_same_bits(GetParam());
      if (!exactly && !all_finite(GetParam(), rows[r], cols)) continue;
      for (u32 k = 0; k < cols; ++k)
        ASSERT_TRUE(exactly ? same(decoded[k], expected[k])
                            : packs_near(GetParam(), decoded[k], expected[k]))
            << name(layout) << " row " << r << " k " << k << ": " << decoded[k] << " for "
            << expected[k];
    }
  }
}

TEST(Decode, RefusesWhatItCannotDecode) {
  for (Format format : {Format::kQ8_K, Format::kI32, Format::kU8, Format::kBool}) {
    EXPECT_FALSE(can_decode(format));
    EXPECT_FALSE(decode(format, nullptr, 0, nullptr));
    EXPECT_FALSE(layout_for(format, true).has_value());
  }
}

// A block of zeros is finite; with a NaN or an infinity in any scale it is not.
TEST_P(EveryFormat, NamesScalesThatAreNotFinite) {
  const Format format = GetParam();
  const u32 elements = info(format).block_elements, bytes = info(format).block_bytes;
  std::vector<u8> block(bytes, 0);
  EXPECT_TRUE(all_finite(format, block.data(), elements));
  std::vector<f32> decoded(elements);
  for (u32 at = 0; at + 1 < bytes; ++at) {
    std::vector<u8> broken = block;
    broken[at] = 0xff;
    broken[at + 1] = 0xff;
    if (bytes >= 4 && elements == 1) std::fill(broken.begin(), broken.end(), u8(0xff));
    decode(format, broken.data(), elements, decoded.data());
    bool finite = true;
    for (f32 value : decoded) finite &= std::isfinite(value);
    if (!finite) {
      EXPECT_FALSE(all_finite(format, broken.data(), elements)) << "byte " << at;
    }
  }
}

TEST(Encode, GivesTheBytesOfGguf) {
  for (Format format :
       {Format::kF32, Format::kF16, Format::kBF16, Format::kQ8_0, Format::kQ4_0, Format::kQ4_1}) {
    const Golden golden = read_golden(format, "encode/");
    ASSERT_FALSE(golden.values.empty()) << "run tools/golden/formats.py";
    EXPECT_TRUE(can_encode(format));
    std::vector<u8> bytes(golden.bytes.size());
    ASSERT_TRUE(encode(format, golden.values.data(), golden.values.size(), bytes.data()));
    for (size_t i = 0; i < bytes.size(); ++i)
      ASSERT_EQ(u32(bytes[i]), u32(golden.bytes[i]))
          << name(format) << " byte " << i << " of block " << i / info(format).block_bytes;
  }
  EXPECT_FALSE(can_encode(Format::kQ4_K));
  EXPECT_FALSE(encode(Format::kQ4_K, nullptr, 0, nullptr));
}

// NaN, infinities and what divides by nothing: no value may leave the integers' range.
TEST(Encode, AnyFloatsAreSafe) {
  const f32 hostile[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-45f, -1e-45f, 0};
  for (Format format : {Format::kQ8_0, Format::kQ4_0, Format::kQ4_1})
    for (u32 seed = 0; seed < 4096; ++seed) {
      f32 values[32];
      for (u32 i = 0; i < 32; ++i) values[i] = hostile[seed >> i % 4 * 3 & 7];
      u8 bytes[20];
      EXPECT_TRUE(encode(format, values, 32, bytes));
    }
}

}  // namespace
}  // namespace orrery::kernels
