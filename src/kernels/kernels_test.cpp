// The table of kernels: which rung fills what, how a ceiling is asked for, and what the objects
// export.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "kernels/rungs.h"
#include "kernels/test_data.h"

namespace orrery::kernels {
namespace {

TEST(Resolve, ScalarFillsEverySlot) {
  const Kernels kernels = *resolve("scalar");
  EXPECT_EQ(kernels.isa, Isa::kScalar);
  for (u32 i = 0; i < kLayoutCount; ++i) {
    EXPECT_NE(kernels.matmul[i], nullptr);
    EXPECT_EQ(kernels.matmul_isa[i], Isa::kScalar);
  }
  EXPECT_TRUE(kernels.quantize && kernels.rms_norm && kernels.rope && kernels.swiglu &&
              kernels.add && kernels.scale && kernels.max && kernels.exp_sum && kernels.store_kv &&
              kernels.attend && kernels.decode_row);
}

// A forced rung is the one that runs: its slots are its own, not those of the rung below.
TEST(Resolve, TheForcedRungIsInTheSlots) {
  Kernels below = *resolve("scalar");
  for (const Rung& rung : kRungs) {
    if (rung.isa == Isa::kScalar || !cpu_has(rung.isa)) continue;
    const Kernels kernels = *resolve(name(rung.isa));
    EXPECT_EQ(kernels.isa, rung.isa);
    const bool integers_only = rung.isa == Isa::kAmx;  // the rest stays with the rung below
    for (u32 i = 0; i < kLayoutCount; ++i) {
      if (integers_only && activation_kind(Layout(i)) == ActivationKind::kF32) continue;
      EXPECT_NE(kernels.matmul[i], below.matmul[i]) << name(rung.isa) << " " << name(Layout(i));
      EXPECT_EQ(kernels.matmul_isa[i], rung.isa);
    }
    EXPECT_EQ(kernels.attend == below.attend, integers_only);
    EXPECT_EQ(kernels.quantize == below.quantize, integers_only);
    below = kernels;
  }
}

TEST(Resolve, NamesWhatIsWrongWithACeiling) {
  const auto unknown = resolve("avx9");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_NE(unknown.error().message.find("'avx9'"), std::string::npos);
  EXPECT_NE(unknown.error().message.find("scalar"), std::string::npos);
  for (u32 i = 0; i < kIsaCount; ++i) EXPECT_EQ(resolve(name(Isa(i))).has_value(), cpu_has(Isa(i)));
  EXPECT_EQ(resolve("")->isa, resolve()->isa);
}

TEST(Resolve, ReadsTheEnvironment) {
  const char* kept = std::getenv("ORRERY_ISA");
  const std::string before = kept ? kept : "";
  setenv("ORRERY_ISA", "scalar", 1);
  EXPECT_EQ(resolve_from_environment()->isa, Isa::kScalar);
  setenv("ORRERY_ISA", "AVX2 ", 1);
  const auto wrong = resolve_from_environment();
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().message.rfind("ORRERY_ISA: ", 0), 0u);
  if (kept)
    setenv("ORRERY_ISA", before.c_str(), 1);
  else
    unsetenv("ORRERY_ISA");
}

// A weak symbol compiled for one rung could be linked into code that runs on every machine, so an
// object of a rung exports install_*() and nothing else.
TEST(Objects, EachRungExportsOneSymbolAndNoWeakOnes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers add symbols of their own";
#endif
  FILE* pipe = popen("nm --defined-only " ORRERY_KERNELS_LIBRARY " 2>/dev/null", "r");
  ASSERT_NE(pipe, nullptr);
  std::string text;
  std::array<char, 4096> piece;
  for (size_t n; (n = fread(piece.data(), 1, piece.size(), pipe)) > 0;)
    text.append(piece.data(), n);
  if (pclose(pipe) != 0) GTEST_SKIP() << "no nm here";
  std::istringstream lines(text);
  bool in_rung = false;
  u32 exported = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with(".o:")) in_rung = line == "install.cpp.o:";
    if (!in_rung || line.size() < 20 || line[16] != ' ') continue;
    const char kind = line[17];
    if (kind == 'T') {
      ++exported;
      EXPECT_NE(line.find("install_"), std::string::npos) << line;
    } else {
      EXPECT_TRUE(kind == 't' || kind == 'r' || kind == 'd' || kind == 'b') << line;
    }
  }
  EXPECT_EQ(exported, std::size(kRungs));
}

// The contract of repeatability at its root: a column's result does not depend on its neighbours.
TEST(Matmul, ColumnsTogetherAreColumnsAlone) {
  const Kernels kernels = *resolve_from_environment();
  const u32 rows = 50, columns = 19;
  for (Format format : {Format::kQ4_1, Format::kQ8_0, Format::kQ4_K, Format::kQ6_K, Format::kF32}) {
    const u32 cols = 512;
    const auto matrix = test::pack(
        format, test::file_bytes(format, rows, cols, test::Data::kRandom, 1), rows, cols);
    const u32 slot = u8(matrix.packed.layout);
    const ActivationKind kind = activation_kind(matrix.packed.layout);
    const auto values = test::activation_values(columns, cols, test::Data::kRandom, 2);
    const auto all = test::quantize(kernels, kind, values, columns, cols);
    std::vector<f32> together(columns * rows), alone(rows);
    kernels.matmul[slot](matrix.packed, all.activations, 0, 4, together.data(), rows, false);
    for (u32 column = 0; column < columns; ++column) {
      const std::vector<f32> one(values.begin() + column * cols,
                                 values.begin() + (column + 1) * cols);
      const auto x = test::quantize(kernels, kind, one, 1, cols);
      kernels.matmul[slot](matrix.packed, x.activations, 0, 4, alone.data(), rows, false);
      for (u32 row = 0; row < rows; ++row)
        ASSERT_EQ(std::bit_cast<u32>(alone[row]),
                  std::bit_cast<u32>(together[column * rows + row]));
    }
  }
}

}  // namespace
}  // namespace orrery::kernels
