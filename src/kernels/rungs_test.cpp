// Every rung against the oracle, bit for bit: all layouts, shapes with odd tails, extreme data.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/rungs.h"
#include "kernels/test_data.h"

namespace orrery::kernels {
namespace {

using test::Data;

bool same(f32 a, f32 b) { return std::bit_cast<u32>(a) == std::bit_cast<u32>(b); }

std::vector<Kernels> rungs() {
  std::vector<Kernels> all;
  for (const Rung& rung : kRungs)
    if (rung.isa != Isa::kScalar && cpu_has(rung.isa)) all.push_back(*resolve(name(rung.isa)));
  return all;
}

constexpr Format kPackedFormats[] = {Format::kF32,  Format::kF16,   Format::kBF16, Format::kQ4_0,
                                     Format::kQ4_1, Format::kQ8_0,  Format::kQ5_1, Format::kQ4_K,
                                     Format::kQ5_K, Format::kQ6_K,  Format::kQ3_K, Format::kQ2_K,
                                     Format::kQ5_0, Format::kIQ4_NL, Format::kIQ4_XS};

class EveryLayout : public testing::TestWithParam<Format> {};
INSTANTIATE_TEST_SUITE_P(Rungs, EveryLayout, testing::ValuesIn(kPackedFormats),
                         [](const auto& test) { return std::string(name(test.param)); });

void compare_matmul(const Kernels& rung, Format format, u32 rows, u32 cols, u32 columns, Data data) {
  const Kernels scalar = *resolve("scalar");
  const auto bytes = test::file_bytes(format, rows, cols, data, rows + cols);
  const auto matrix = test::pack(format, bytes, rows, cols);
  const auto values = test::activation_values(columns, cols, data, columns);
  const ActivationKind kind = activation_kind(matrix.packed.layout);
  const auto x = test::quantize(scalar, kind, values, columns, cols);
  const u32 slot = u8(matrix.packed.layout), panels = matrix.packed.panels();
  for (bool add : {false, true}) {
    std::vector<f32> expected(columns * (rows + 3), 0.5f), out = expected;
    scalar.matmul[slot](matrix.packed, x.activations, 0, panels, expected.data(), rows + 3, add);
    rung.matmul[slot](matrix.packed, x.activations, 0, panels / 2, out.data(), rows + 3, add);
    rung.matmul[slot](matrix.packed, x.activations, panels / 2, panels, out.data(), rows + 3, add);
    for (u32 i = 0; i < out.size(); ++i)
      ASSERT_TRUE(same(out[i], expected[i]))
          << name(rung.isa) << " " << name(format) << " " << rows << "x" << cols << " column "
          << i / (rows + 3) << " of " << columns << " row " << i % (rows + 3) << ": " << out[i]
          << ", scalar " << expected[i];
  }
}

TEST_P(EveryLayout, MatmulHasTheBitsOfScalar) {
  for (const Kernels& rung : rungs())
    for (u32 cols : {32u, 64u, 96u, 256u, 288u, 576u, 1536u}) {
      if (cols % info(GetParam()).block_elements) continue;
      for (u32 columns : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 9u, 13u, 33u})
        compare_matmul(rung, GetParam(), 1 + (cols + columns * 7) % 40, cols, columns, Data::kRandom);
      compare_matmul(rung, GetParam(), 17, cols, 8, Data::kExtreme);
      compare_matmul(rung, GetParam(), 17, cols, 8, Data::kZero);
    }
}

TEST_P(EveryLayout, ManyPanelsAndColumnsHaveTheBitsOfScalar) {
  for (const Kernels& rung : rungs()) compare_matmul(rung, GetParam(), 155, 512, 99, Data::kRandom);
}

}  // namespace
}  // namespace orrery::kernels
