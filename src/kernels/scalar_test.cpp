// The oracle itself against plain double arithmetic: the tolerances follow from the roundings that
// the definitions name, so a wrong term, offset or scale is far outside them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/test_data.h"

namespace orrery::kernels {
namespace {

using test::Data;

// The activation that the kernel really multiplied, as a double.
f64 activation(const Activations& x, u32 column, u32 k) {
  const u64 padded = round_up(x.depth, kDepthGrain), slab = u64(k / 256) * x.columns + column;
  switch (x.kind) {
    case ActivationKind::kF32:
      return x.f32_values[column * padded + k];
    case ActivationKind::kInt8Per32:
      return f64(x.values[slab * 256 + k % 256]) * x.scales[slab * 8 + k % 256 / 32];
    case ActivationKind::kInt8Per256:
      return f64(x.values[slab * 256 + k % 256]) * x.scales[slab];
  }
  return 0;
}

// Without the formats whose packed values are rounded (IQ1, IQ3_S): decode_test holds those.
class ScalarMatmul : public testing::TestWithParam<Format> {};
INSTANTIATE_TEST_SUITE_P(Layouts, ScalarMatmul,
                         testing::Values(Format::kF32, Format::kF16, Format::kBF16, Format::kQ4_0,
                                         Format::kQ4_1, Format::kQ8_0, Format::kQ5_0, Format::kQ5_1,
                                         Format::kIQ4_NL, Format::kQ2_K, Format::kQ3_K,
                                         Format::kQ4_K, Format::kQ5_K, Format::kQ6_K,
                                         Format::kIQ4_XS, Format::kMXFP4, Format::kNVFP4,
                                         Format::kIQ2_XS, Format::kIQ3_XXS, Format::kTQ1_0,
                                         Format::kTQ2_0),
                         [](const auto& test) { return std::string(name(test.param)); });

TEST_P(ScalarMatmul, IsTheProductInDoubles) {
  const Kernels kernels = *resolve("scalar");
  const u32 rows = 21, columns = 3;
  for (u32 cols : {256u, 768u, 288u, 64u}) {
    if (cols % info(GetParam()).block_elements) continue;
    const auto bytes = test::file_bytes(GetParam(), rows, cols, Data::kRandom, cols);
    const auto matrix = test::pack(GetParam(), bytes, rows, cols);
    const auto values = test::activation_values(columns, cols, Data::kRandom, 7);
    const auto x =
        test::quantize(kernels, activation_kind(matrix.packed.layout), values, columns, cols);
    std::vector<f32> out(columns * rows, 100), added(columns * rows, 100), weights(cols);
    const auto matmul = kernels.matmul[u8(matrix.packed.layout)];
    matmul(matrix.packed, x.activations, 0, 2, out.data(), rows, false);
    matmul(matrix.packed, x.activations, 0, 2, added.data(), rows, true);
    for (u32 row = 0; row < rows; ++row) {
      decode(GetParam(), bytes.data() + row * *row_bytes(GetParam(), cols), cols, weights.data());
      for (u32 column = 0; column < columns; ++column) {
        f64 sum = 0, magnitude = 0;
        for (u32 k = 0; k < cols; ++k) {
          const f64 product = f64(weights[k]) * activation(x.activations, column, k);
          sum += product;
          magnitude += std::fabs(product);
        }
        // At most 64 roundings of partial sums; mins and quants may cancel, hence the factor.
        EXPECT_NEAR(out[column * rows + row], sum, magnitude * 64 * 0x1p-24 + 1e-30) << cols;
        EXPECT_EQ(added[column * rows + row], 100 + out[column * rows + row]);
      }
    }
  }
}

TEST(ScalarQuantize, ErrorIsAtMostHalfAStep) {
  const Kernels kernels = *resolve("scalar");
  const u32 columns = 5, depth = 608;
  const auto values = test::activation_values(columns, depth, Data::kRandom, 3);
  for (ActivationKind kind : {ActivationKind::kInt8Per32, ActivationKind::kInt8Per256}) {
    const auto x = test::quantize(kernels, kind, values, columns, depth);
    for (u32 column = 0; column < columns; ++column)
      for (u32 k = 0; k < depth; ++k) {
        const u64 slab = u64(k / 256) * columns + column;
        const f32 step = kind == ActivationKind::kInt8Per32
                             ? x.activations.scales[slab * 8 + k % 256 / 32]
                             : x.activations.scales[slab];
        EXPECT_NEAR(activation(x.activations, column, k), values[column * depth + k],
                    step * 0.50001);
      }
  }
}

TEST(ScalarQuantize, SumsAreTheSumsOfTheQuants) {
  const Kernels kernels = *resolve("scalar");
  const u32 columns = 2, depth = 288;
  const auto values = test::activation_values(columns, depth, Data::kRandom, 4);
  const auto per_32 = test::quantize(kernels, ActivationKind::kInt8Per32, values, columns, depth);
  const auto per_256 = test::quantize(kernels, ActivationKind::kInt8Per256, values, columns, depth);
  for (u32 slab = 0; slab < 2 * columns; ++slab)
    for (u32 j = 0; j < 8; ++j) {
      i32 sum = 0, sum_256 = 0, halves = 0;
      for (u32 k = 32 * j; k < 32 * j + 32; ++k) {
        sum += per_32.activations.values[slab * 256 + k];
        sum_256 += per_256.activations.values[slab * 256 + k];
      }
      for (u32 i = 0; i < 4; ++i)
        halves += per_256.activations.offset_halves[slab * 32 + 4 * j + i];
      EXPECT_EQ(per_32.activations.sums[slab * 8 + j], sum);
      EXPECT_EQ(per_32.activations.scaled_sums[slab * 8 + j],
                per_32.activations.scales[slab * 8 + j] * f32(sum));
      EXPECT_EQ(per_256.activations.sums_of_32[slab * 8 + j], sum_256);
      EXPECT_EQ(halves, -32 * sum_256);
    }
}

TEST(ScalarElementwise, AgreesWithDoubles) {
  const Kernels kernels = *resolve("scalar");
  const u32 n = 577;
  const auto x = test::activation_values(1, n, Data::kRandom, 1);
  const auto y = test::activation_values(1, n, Data::kRandom, 2);
  std::vector<f32> out(n);
  f64 squares = 0;
  for (f32 value : x) squares += f64(value) * value;
  kernels.rms_norm(x.data(), y.data(), out.data(), n, 1e-5f);
  for (u32 i = 0; i < n; ++i)
    EXPECT_NEAR(out[i], x[i] / std::sqrt(squares / n + 1e-5) * y[i], std::fabs(out[i]) * 4e-6);
  kernels.swiglu(x.data(), y.data(), out.data(), n);
  for (u32 i = 0; i < n; ++i)
    EXPECT_NEAR(out[i], x[i] / (1 + std::exp(-f64(x[i]))) * y[i], std::fabs(out[i]) * 5e-7);
  EXPECT_EQ(kernels.max(x.data(), n), *std::max_element(x.begin(), x.end()));
}

// One step is 2^-23 of the result; the polynomial's error and the last roundings stay within two.
TEST(ScalarElementwise, ExpIsWithinTwoSteps) {
  const Kernels kernels = *resolve("scalar");
  for (f32 x = -87.3f; x < 88.3f; x += 0.0037f) {
    f32 value = x;
    const f32 sum = kernels.exp_sum(&value, 1, 0);
    EXPECT_NEAR(value, std::exp(f64(x)), std::exp(f64(x)) * 0x1p-22) << x;
    EXPECT_EQ(sum, value);
  }
  f32 edges[] = {-INFINITY, -1000, -87.4f, 0, 1000, NAN};
  kernels.exp_sum(edges, 6, 0);
  EXPECT_EQ(edges[0], 0);
  EXPECT_EQ(edges[1], 0);
  EXPECT_EQ(edges[2], 0);
  EXPECT_EQ(edges[3], 1);
  EXPECT_GT(edges[4], 2e38f);
  EXPECT_TRUE(std::isfinite(edges[4]));
  EXPECT_TRUE(std::isnan(edges[5]));
}

TEST(ScalarElementwise, RopeTurnsPairs) {
  const Kernels kernels = *resolve("scalar");
  std::vector<f32> x = {1, 2, 3, 4, 5, 6, 7, 8};
  const f32 cos[] = {0.6f, 1}, sin[] = {0.8f, 0};
  kernels.rope(x.data(), 2, 4, 4, cos, sin);
  const f32 expected[] = {0.6f - 2.4f, 2, 0.8f + 1.8f, 4, 3 - 5.6f, 6, 4 + 4.2f, 8};
  for (u32 i = 0; i < 8; ++i) EXPECT_NEAR(x[i], expected[i], 1e-6f);
}

// Attention over two chunks, joined, against a softmax over all visible keys in doubles.
TEST(ScalarAttention, TwoChunksAreOneSoftmax) {
  const Kernels kernels = *resolve("scalar");
  const u32 dim = 48, value_dim = 16, keys = 700, begin = 37, pages = 6, page_tiles = 8;
  const std::pair<KvFormat, f64> tolerances[] = {{KvFormat::kF32, 1e-4},
                                                 {KvFormat::kF16, 0.05},
                                                 {KvFormat::kBf16, 0.4},
                                                 {KvFormat::kQ8, 0.4},
                                                 {KvFormat::kQ4, 4}};
  for (const auto& [format, tolerance] : tolerances) {
    const u64 tile = key_tile_bytes(format, dim), row = kv_row_bytes(format, value_dim);
    std::vector<std::vector<u8>> k(pages), v(pages);
    std::vector<const void*> k_pages, v_pages;
    for (u32 p = 0; p < pages; ++p) {
      k[p].resize(page_tiles * tile);
      v[p].resize(page_tiles * 16 * row);
      k_pages.push_back(k[p].data());
      v_pages.push_back(v[p].data());
    }
    const auto ks = test::activation_values(keys, dim, Data::kRandom, 5);
    const auto vs = test::activation_values(keys, value_dim, Data::kRandom, 6);
    for (u32 key = 0; key < keys; ++key) {
      const u32 page = key / 128;
      kernels.store_kv(format, &ks[key * dim], &vs[key * value_dim], dim, value_dim,
                       k[page].data() + key % 128 / 16 * tile, v[page].data() + key % 128 * row,
                       key % 16);
    }
    const auto q = test::activation_values(1, dim, Data::kRandom, 8);
    const f32* queries[] = {q.data()};
    f32 max = -INFINITY, sum = 0;
    std::vector<f32> value(value_dim, 0);
    f32* values[] = {value.data()};
    test::Memory scratch(attention_scratch_floats(value_dim) * 4);
    for (u32 chunk = 0; chunk < 2; ++chunk) {
      const u32 first = chunk ? 0 : begin, last = chunk ? keys - 512 : 512;
      kernels.attend({format, dim, value_dim, 0.1f, 1, queries, page_tiles, &k_pages[4 * chunk],
                      &v_pages[4 * chunk], &first, &last, &max, &sum, values, scratch.floats()});
    }
    std::vector<f64> expected(value_dim, 0);
    f64 total = 0;
    for (u32 key = begin; key < keys; ++key) {
      f64 dot = 0;
      for (u32 d = 0; d < dim; ++d) dot += f64(q[d]) * ks[key * dim + d];
      const f64 weight = std::exp(dot * 0.1f);
      total += weight;
      for (u32 d = 0; d < value_dim; ++d) expected[d] += weight * vs[key * value_dim + d];
    }
    for (u32 d = 0; d < value_dim; ++d)
      EXPECT_NEAR(value[d] / sum, expected[d] / total, tolerance) << name(format);
  }
}

TEST(KvFormats, RoundedValuesAreWithinHalfAStep) {
  const Kernels kernels = *resolve("scalar");
  const u32 dim = 48;
  const auto x = test::activation_values(1, dim, Data::kRandom, 3);
  // One key whose score against the unit vectors is its values, and one value read with weight 1.
  for (const auto& [format, steps] :
       {std::pair{KvFormat::kQ8, 127.0f}, std::pair{KvFormat::kQ4, 7.0f}}) {
    const u64 row = kv_row_bytes(format, dim);
    std::vector<u8> tile(key_tile_bytes(format, dim)), rows(6 * row);
    kernels.store_kv(format, x.data(), x.data(), dim, dim, tile.data(), &rows[5 * row], 5);
    const void *k_page = tile.data(), *v_page = rows.data();
    const u32 begin = 5, end = 6;
    test::Memory scratch(attention_scratch_floats(dim) * 4);
    for (u32 d = 0; d < dim; ++d) {
      std::vector<f32> unit(dim, 0), value(dim, 0);
      unit[d] = 1;
      const f32* q = unit.data();
      f32 max = -INFINITY, sum = 0, *to = value.data();
      kernels.attend({format, dim, dim, 1, 1, &q, 4, &k_page, &v_page, &begin, &end, &max, &sum,
                      &to, scratch.floats()});
      f32 largest = 0;
      for (u32 i = d / 32 * 32; i < std::min(dim, d / 32 * 32 + 32); ++i)
        largest = std::max(largest, std::abs(x[i]));
      EXPECT_NEAR(max, x[d], 0.51f * largest / steps) << name(format) << " " << d;
      EXPECT_NEAR(value[d], x[d], 0.51f * largest / steps) << name(format) << " " << d;
    }
  }
}

TEST(KvFormats, HadamardIsItsOwnInverseAndKeepsDots) {
  for (u32 n : {16u, 48u, 64u, 80u, 128u, 576u}) {
    const auto x = test::activation_values(1, n, Data::kRandom, n);
    const auto y = test::activation_values(1, n, Data::kRandom, n + 1);
    auto rx = x, ry = y;
    hadamard(rx.data(), n);
    hadamard(ry.data(), n);
    f64 dot = 0, rotated = 0, size = 0;
    for (u32 i = 0; i < n; ++i) {
      dot += f64(x[i]) * y[i];
      rotated += f64(rx[i]) * ry[i];
      size += f64(x[i]) * x[i];
    }
    EXPECT_NEAR(rotated, dot, 1e-5 * size) << n;
    hadamard(rx.data(), n);
    for (u32 i = 0; i < n; ++i) EXPECT_NEAR(rx[i], x[i], 1e-5 * std::sqrt(size)) << n;
  }
  std::vector<f32> spike(64, 0);
  spike[3] = 8;
  hadamard(spike.data(), 64);
  for (const f32 value : spike) EXPECT_EQ(std::abs(value), 1);  // an outlier is spread evenly
}

}  // namespace
}  // namespace orrery::kernels
