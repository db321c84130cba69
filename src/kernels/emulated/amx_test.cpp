// The sources of the amx rung over emulated instructions, and tests of the emulation itself: part
// of kernels_test only.
#include <gtest/gtest.h>

#include <random>

#include "kernels/rungs.h"
#include "kernels/test_data.h"
//
#include "kernels/emulated/avx512.h"
//
#include "kernels/emulated/amx.h"

#define install_amx install_amx_emulated
#include "kernels/x86_amx/install.cpp"

namespace orrery::kernels {
namespace {

using emulated::tiles;

// A configuration with the shapes of sum, a and b in tiles 0 to 2.
TileConfig shapes(u32 rows, u32 columns, u32 depth) {
  TileConfig config;
  config.rows[0] = config.rows[1] = u8(rows);
  config.rows[2] = u8(depth / 4);
  config.row_bytes[0] = config.row_bytes[2] = u16(4 * columns);
  config.row_bytes[1] = u16(depth);
  return config;
}

// Loads, multiplies and stores tiles of any shape and stride, against sums over plain matrices.
template <typename A, typename B, typename Multiply>
void expect_plain_product(Multiply multiply) {
  std::mt19937 random(1);
  for (u32 round = 0; round < 200; ++round) {
    const u32 rows = 1 + random() % 16, columns = 1 + random() % 16, depth = 4 + random() % 16 * 4;
    const TileConfig config = shapes(rows, columns, depth);
    _tile_loadconfig(&config);
    A a[16][100];
    B b[64][16];  // [k][n], as a matrix
    u8 b_tile[16][72];
    i32 sums[16][20];
    for (auto& row : a)
      for (A& value : row) value = A(random());
    for (u32 k = 0; k < 64; ++k)
      for (u32 n = 0; n < 16; ++n) b_tile[k / 4][4 * n + k % 4] = u8(b[k][n] = B(random()));
    for (auto& row : sums)
      for (i32& value : row) value = i32(random());
    i32 expected[16][20];
    std::memcpy(expected, sums, sizeof sums);
    for (u32 m = 0; m < rows; ++m)
      for (u32 n = 0; n < columns; ++n)
        for (u32 k = 0; k < depth; ++k)
          expected[m][n] = i32(u32(expected[m][n]) + u32(i32(a[m][k]) * i32(b[k][n])));
    _tile_loadd(0, sums, sizeof sums[0]);
    _tile_loadd(1, a, sizeof a[0]);
    _tile_loadd(2, b_tile, sizeof b_tile[0]);
    multiply();
    _tile_stored(0, sums, sizeof sums[0]);
    ASSERT_EQ(std::memcmp(sums, expected, sizeof sums), 0)
        << rows << " x " << columns << " x " << depth;
  }
  EXPECT_EQ(tiles.faults, 0u);
  _tile_release();
}

TEST(EmulatedTiles, ProductsAreThoseOfMatrices) {
  tiles.faults = 0;
  expect_plain_product<i8, i8>([] { _tile_dpbssd(0, 1, 2); });
  expect_plain_product<i8, u8>([] { _tile_dpbsud(0, 1, 2); });
  expect_plain_product<u8, i8>([] { _tile_dpbusd(0, 1, 2); });
  expect_plain_product<u8, u8>([] { _tile_dpbuud(0, 1, 2); });
}

TEST(EmulatedTiles, WhatTheCpuRefusesIsAFault) {
  const auto faults = [](const TileConfig& config) {
    tiles.faults = 0;
    _tile_loadconfig(&config);
    return tiles.faults;
  };
  const TileConfig good = shapes(16, 16, 64);
  EXPECT_EQ(faults(good), 0u);
  _tile_dpbssd(0, 1, 2);
  EXPECT_EQ(tiles.faults, 0u);
  _tile_dpbssd(0, 1, 1);  // one tile twice
  _tile_zero(3);          // not configured
  EXPECT_EQ(tiles.faults, 2u);
  TileConfig bad = good;
  bad.palette = 2;
  EXPECT_EQ(faults(bad), 1u);
  bad = good;
  bad.rows[1] = 17;
  EXPECT_EQ(faults(bad), 1u);
  bad = good;
  bad.row_bytes[0] = 0;
  EXPECT_EQ(faults(bad), 1u);
  bad = good;
  bad.reserved[3] = 1;
  EXPECT_EQ(faults(bad), 1u);
  bad = good;
  bad.rows[2] = 8;  // deep a, shallow b
  EXPECT_EQ(faults(bad), 0u);
  _tile_dpbsud(0, 1, 2);
  EXPECT_EQ(tiles.faults, 1u);
  _tile_release();
  _tile_zero(0);
  EXPECT_EQ(tiles.faults, 2u);
  tiles.faults = 0;
}

// Every tile instruction of the rung is one that the CPU takes; the tiles are given back; and from
// 17 columns on they do the work.
TEST(EmulatedTiles, TheRungBreaksNoRule) {
  Kernels kernels = *resolve("scalar");
  const Kernels scalar = kernels;
  install_amx_emulated(kernels);
  for (Format format : {Format::kQ4_0, Format::kQ4_1, Format::kQ8_0, Format::kQ5_1, Format::kQ4_K,
                        Format::kQ5_K, Format::kQ6_K, Format::kQ3_K, Format::kQ2_K})
    for (u32 columns : {1u, 16u, 17u, 32u, 70u}) {
      const auto matrix =
          test::pack(format, test::file_bytes(format, 20, 256, test::Data::kRandom, 1), 20, 256);
      const Layout layout = matrix.packed.layout;
      const auto x = test::quantize(scalar, activation_kind(layout),
                                    test::activation_values(columns, 256, test::Data::kRandom, 2),
                                    columns, 256);
      std::vector<f32> out(columns * 20);
      tiles.faults = 0;
      tiles.products = 0;
      kernels.matmul[u8(layout)](matrix.packed, x.activations, 0, 2, out.data(), 20, false);
      EXPECT_EQ(tiles.faults, 0u) << name(format);
      EXPECT_FALSE(tiles.configured) << name(format);
      // 2 panels, 8 products of tiles of 16 columns for 256 of K, in every layout.
      const u32 items = columns > kColumnsOfVectors ? (columns + 15) / 16 : 0;
      EXPECT_EQ(tiles.products, items * 2 * 8) << name(format) << " " << columns;
    }
}

}  // namespace
}  // namespace orrery::kernels
