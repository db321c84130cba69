// Every rung against the oracle, bit for bit: all layouts, shapes with odd tails, extreme data.
#include "kernels/rungs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/test_data.h"

namespace orrery::kernels {

void install_avx_vnni_emulated(Kernels& kernels);
void install_avx512_emulated(Kernels& kernels);
void install_avx512_vnni_emulated(Kernels& kernels);
void install_amx_emulated(Kernels& kernels);

namespace {

using test::Data;

bool same(f32 a, f32 b) { return std::bit_cast<u32>(a) == std::bit_cast<u32>(b); }

struct TestedRung {
  std::string what;
  Kernels kernels;
  bool emulated;       // slow, so large cases leave it out:
  u64 most = 100'000;  // of this many products
};

// The rungs that this CPU has, and those that it lacks with their instructions emulated.
const std::vector<TestedRung>& rungs() {
  static const std::vector<TestedRung> tested = [] {
    std::vector<TestedRung> all;
    for (const Rung& rung : kRungs)
      if (rung.isa != Isa::kScalar && cpu_has(rung.isa))
        all.push_back({std::string(name(rung.isa)), *resolve(name(rung.isa)), false});
#if defined(__x86_64__)
    const auto emulate = [&](const char* what, void (*install)(Kernels&)) {
      all.push_back({what, *resolve("scalar"), true});
      install(all.back().kernels);
    };
    if (!cpu_has(Isa::kAvxVnni) && cpu_has(Isa::kAvx2))
      emulate("avx_vnni emulated", install_avx_vnni_emulated);
    if (!cpu_has(Isa::kAvx512)) emulate("avx512 emulated", install_avx512_emulated);
    if (!cpu_has(Isa::kAvx512Vnni)) emulate("avx512_vnni emulated", install_avx512_vnni_emulated);
    if (!cpu_has(Isa::kAmx)) {
      emulate("amx emulated", install_amx_emulated);
      all.back().most = 5'000'000;
    }
#endif
    return all;
  }();
  return tested;
}

constexpr Format kPackedFormats[] = {
    Format::kF32,   Format::kF16,   Format::kBF16,   Format::kQ4_0,   Format::kQ4_1,
    Format::kQ8_0,  Format::kQ5_1,  Format::kQ4_K,   Format::kQ5_K,   Format::kQ6_K,
    Format::kQ3_K,  Format::kQ2_K,  Format::kQ5_0,   Format::kIQ4_NL, Format::kIQ4_XS,
    Format::kMXFP4, Format::kIQ1_S, Format::kIQ2_XS, Format::kIQ3_S,  Format::kTQ2_0};

class EveryLayout : public testing::TestWithParam<Format> {};
INSTANTIATE_TEST_SUITE_P(Rungs, EveryLayout, testing::ValuesIn(kPackedFormats),
                         [](const auto& test) { return std::string(name(test.param)); });

// `only`: the rungs whose names begin like this.
void compare_matmul(Format format, u32 rows, u32 cols, u32 columns, Data data,
                    std::string_view only = "") {
  const Kernels scalar = *resolve("scalar");
  const auto bytes = test::file_bytes(format, rows, cols, data, rows + cols);
  const auto matrix = test::pack(format, bytes, rows, cols);
  const auto values = test::activation_values(columns, cols, data, columns);
  const ActivationKind kind = activation_kind(matrix.packed.layout);
  const auto x = test::quantize(scalar, kind, values, columns, cols);
  const u32 slot = u8(matrix.packed.layout), panels = matrix.packed.panels(), stride = rows + 3;
  for (bool add : {false, true}) {
    const std::vector<f32> before(columns * stride, 0.5f);
    std::vector<f32> expected = before;
    scalar.matmul[slot](matrix.packed, x.activations, 0, panels, expected.data(), stride, add);
    for (const auto& [what, rung, emulated, most] : rungs()) {
      if ((emulated && u64(rows) * cols * columns > most) || !what.starts_with(only)) continue;
      std::vector<f32> out = before;  // in two calls, as two threads would
      rung.matmul[slot](matrix.packed, x.activations, 0, panels / 2, out.data(), stride, add);
      rung.matmul[slot](matrix.packed, x.activations, panels / 2, panels, out.data(), stride, add);
      for (u32 i = 0; i < out.size(); ++i)
        ASSERT_TRUE(same(out[i], expected[i]))
            << what << " " << name(format) << " " << rows << "x" << cols << " column " << i / stride
            << " of " << columns << " row " << i % stride << ": " << out[i] << ", scalar "
            << expected[i];
    }
  }
}

TEST_P(EveryLayout, MatmulHasTheBitsOfScalar) {
  for (u32 cols : {32u, 64u, 96u, 256u, 288u, 576u, 1536u}) {
    if (cols % info(GetParam()).block_elements) continue;
    for (u32 columns : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 9u, 13u, 33u})
      compare_matmul(GetParam(), 1 + (cols + columns * 7) % 40, cols, columns, Data::kRandom);
    compare_matmul(GetParam(), 17, cols, 8, Data::kExtreme);
    compare_matmul(GetParam(), 17, cols, 8, Data::kZero);
  }
}

TEST_P(EveryLayout, ManyPanelsAndColumnsHaveTheBitsOfScalar) {
  compare_matmul(GetParam(), 155, 512, 99, Data::kRandom);
}

// Tiles take 16 or 32 columns and overlap at the end; every count, with panels that begin late.
TEST_P(EveryLayout, TilesOfAnyNumberOfColumnsHaveTheBitsOfScalar) {
  if (activation_kind(*layout_for(GetParam(), false)) == ActivationKind::kF32) return;
  for (u32 columns = 1; columns <= 70; ++columns)
    for (u32 cols : {32u, 224u, 256u}) {
      if (cols % info(GetParam()).block_elements) continue;
      compare_matmul(GetParam(), 1 + columns % 35, cols, columns, Data::kRandom, "amx");
    }
}

// Past the groups of 8 panels and the passes of 256 columns, and at the bounds of all sums.
TEST_P(EveryLayout, TilesPastTheirBuffersHaveTheBitsOfScalar) {
  if (activation_kind(*layout_for(GetParam(), false)) == ActivationKind::kF32) return;
  compare_matmul(GetParam(), 285, 256, 35, Data::kRandom, "amx");
  for (u32 columns : {64u, 255u, 256u, 257u, 300u, 513u})
    compare_matmul(GetParam(), 17, 512, columns, Data::kRandom, "amx");
  for (u32 columns : {17u, 32u, 50u})
    compare_matmul(GetParam(), 33, 768, columns, Data::kExtreme, "amx");
  compare_matmul(GetParam(), 16, 512, 40, Data::kZero, "amx");
}

// Fails with the place of the first difference; NaN equals NaN.
void expect_same(const std::vector<f32>& out, const std::vector<f32>& expected,
                 const std::string& what) {
  ASSERT_EQ(out.size(), expected.size());
  for (size_t i = 0; i < out.size(); ++i)
    ASSERT_TRUE(same(out[i], expected[i]) || (std::isnan(out[i]) && std::isnan(expected[i])))
        << what << " at " << i << ": " << out[i] << ", scalar " << expected[i];
}

TEST(Rungs, QuantizeHasTheBytesOfScalar) {
  const Kernels scalar = *resolve("scalar");
  for (const auto& [what, rung, emulated, most] : rungs())
    for (ActivationKind kind :
         {ActivationKind::kF32, ActivationKind::kInt8Per32, ActivationKind::kInt8Per256})
      for (u32 depth : {32u, 64u, 96u, 256u, 288u, 576u, 1536u, 100u, 7u}) {
        const bool floats = kind == ActivationKind::kF32;
        if (!floats && depth % 32) continue;
        for (Data data : {Data::kRandom, Data::kExtreme, Data::kZero}) {
          auto values = test::activation_values(5, depth, data, depth);
          values[depth - 1] = 0x1p-140f;
          values[depth] = -0.0f;
          if (depth >= 32) values[2 * depth + 3] = NAN;
          if (depth >= 64) values[3 * depth + 40] = INFINITY;
          const auto x = test::quantize(scalar, kind, values, 5, depth);
          const auto y = test::quantize(rung, kind, values, 5, depth);
          const u64 bytes = activation_bytes(kind, depth, 5);
          for (u64 i = 0; i < bytes; ++i)
            ASSERT_EQ(x.memory.data()[i], y.memory.data()[i])
                << what << " kind " << u32(kind) << " depth " << depth << " byte " << i;
        }
      }
}

TEST(Rungs, ElementwiseHasTheBitsOfScalar) {
  const Kernels scalar = *resolve("scalar");
  for (const auto& [what, rung, emulated, most] : rungs())
    for (u32 n : {1u, 5u, 15u, 16u, 17u, 31u, 64u, 576u, 577u, 1000u}) {
      const std::string where = fmt::format("{} n {}", what, n);
      const auto x = test::activation_values(1, n, Data::kRandom, n);
      const auto y = test::activation_values(1, n, Data::kRandom, n + 1);
      std::vector<f32> expected(n), out(n);
      scalar.rms_norm(x.data(), y.data(), expected.data(), n, 1e-5f);
      rung.rms_norm(x.data(), y.data(), out.data(), n, 1e-5f);
      expect_same(out, expected, where + " rms_norm");
      scalar.swiglu(x.data(), y.data(), expected.data(), n);
      rung.swiglu(x.data(), y.data(), out.data(), n);
      expect_same(out, expected, where + " swiglu");
      out = expected = x;
      scalar.silu(expected.data(), n);
      rung.silu(out.data(), n);
      expect_same(out, expected, where + " silu");
      out = expected = x;
      scalar.add(y.data(), expected.data(), n);
      rung.add(y.data(), out.data(), n);
      expect_same(out, expected, where + " add");
      scalar.scale(0.37f, expected.data(), n);
      rung.scale(0.37f, out.data(), n);
      expect_same(out, expected, where + " scale");
      const f32 largest = scalar.max(x.data(), n);
      EXPECT_TRUE(same(rung.max(x.data(), n), largest)) << where;
      EXPECT_TRUE(
          same(rung.exp_sum(out.data(), n, largest), scalar.exp_sum(expected.data(), n, largest)));
      expect_same(out, expected, where + " exp_sum");
    }
}

TEST(Rungs, DeltaNetsHaveTheBitsOfScalar) {
  const Kernels scalar = *resolve("scalar");
  for (const auto& [what, rung, emulated, most] : rungs())
    for (u32 value_dim : {1u, 8u, 16u, 24u, 32u, 40u, 64u, 128u})
      for (u32 key_dim : {1u, 16u, 100u})
        for (u32 tokens : {1u, 5u}) {
          const u32 stride = value_dim + 3;
          const auto state = test::activation_values(key_dim, value_dim, Data::kRandom, 1);
          const auto q = test::activation_values(tokens, key_dim, Data::kRandom, 2);
          const auto k = test::activation_values(tokens, key_dim, Data::kRandom, 3);
          const auto v = test::activation_values(tokens, stride, Data::kRandom, 4);
          const std::vector<f32> decay = {0.5f, 1, 0.999f, 0.01f, 0}, beta = {1, 0.25f, 0, 0.9f, 1};
          const auto run_on = [&](const Kernels& kernels) {
            std::vector<f32> after = state, out(tokens * stride, 7);
            kernels.delta({tokens, key_dim, value_dim, q.data(), k.data(), v.data(), stride,
                           decay.data(), beta.data(), after.data(), out.data(), stride});
            after.insert(after.end(), out.begin(), out.end());
            return after;
          };
          expect_same(run_on(rung), run_on(scalar),
                      fmt::format("{} {}x{}, {} tokens", what, key_dim, value_dim, tokens));
        }
}

TEST(Rungs, ExpHasTheBitsOfScalarEverywhere) {
  const Kernels scalar = *resolve("scalar");
  for (const auto& [what, rung, emulated, most] : rungs())
    for (u64 start = 0; start < u64(1) << 32; start += u64(1) << (emulated ? 29 : 26)) {
      std::vector<f32> x(4096);
      for (u32 i = 0; i < x.size(); ++i) x[i] = std::bit_cast<f32>(u32(start + i * 16381));
      auto expected = x, out = x;
      scalar.exp_sum(expected.data(), u32(x.size()), 0);
      rung.exp_sum(out.data(), u32(x.size()), 0);
      expect_same(out, expected, what);
    }
}

TEST(Rungs, RopeHasTheBitsOfScalar) {
  const Kernels scalar = *resolve("scalar");
  for (const auto& [what, rung, emulated, most] : rungs())
    for (u32 rotary : {2u, 8u, 24u, 32u, 64u, 96u, 128u}) {
      const auto x = test::activation_values(3, 128, Data::kRandom, 1);
      const auto cos = test::activation_values(1, 64, Data::kRandom, 2);
      const auto sin = test::activation_values(1, 64, Data::kRandom, 3);
      auto expected = x, out = x;
      scalar.rope(expected.data(), 3, 128, rotary, cos.data(), sin.data());
      rung.rope(out.data(), 3, 128, rotary, cos.data(), sin.data());
      expect_same(out, expected, fmt::format("{} rotary {}", what, rotary));
    }
}

// A cache of two chunks with keys everywhere, and NaN in what no query may see.
struct AttentionCase {
  KvFormat format;
  u32 head_dim, value_dim, page_tiles;
  std::vector<u32> begin, end;  // of each query, in one chunk
};

struct AttentionResult {
  std::vector<f32> max, sum, values;
};

AttentionResult run_attention(const Kernels& kernels, const AttentionCase& c) {
  const u32 pages = 32 / c.page_tiles, keys_each = c.page_tiles * 16, queries = u32(c.begin.size());
  const u64 tile = key_tile_bytes(c.format, c.head_dim), row = kv_row_bytes(c.format, c.value_dim);
  const u32 last = *std::max_element(c.end.begin(), c.end.end());
  const auto ks = test::activation_values(512, c.head_dim, Data::kRandom, 1);
  const auto vs = test::activation_values(512, c.value_dim, Data::kRandom, 2);
  std::vector<std::vector<u8>> k(pages), v(pages);
  std::vector<const void*> k_pages, v_pages;
  for (u32 p = 0; p < pages; ++p) {
    k[p].assign(c.page_tiles * tile, 0xff);  // NaN in every format
    v[p].assign(keys_each * row, 0xff);
    k_pages.push_back(k[p].data());
    v_pages.push_back(v[p].data());
  }
  for (u32 key = 0; key < last; ++key)
    kernels.store_kv(c.format, &ks[key * c.head_dim], &vs[key * c.value_dim], c.head_dim,
                     c.value_dim, k[key / keys_each].data() + key % keys_each / 16 * tile,
                     v[key / keys_each].data() + key % keys_each * row, key % 16);
  const auto qs = test::activation_values(queries, c.head_dim, Data::kRandom, 3);
  AttentionResult result{std::vector<f32>(queries, -INFINITY), std::vector<f32>(queries, 0),
                         std::vector<f32>(queries * c.value_dim, 0)};
  std::vector<const f32*> q;
  std::vector<f32*> values;
  for (u32 n = 0; n < queries; ++n) {
    q.push_back(&qs[n * c.head_dim]);
    values.push_back(&result.values[n * c.value_dim]);
  }
  test::Memory scratch(attention_scratch_floats(c.value_dim) * 4);
  const AttentionChunk chunk{c.format,          c.head_dim,     c.value_dim,     0.125f,
                             queries,           q.data(),       c.page_tiles,    k_pages.data(),
                             v_pages.data(),    c.begin.data(), c.end.data(),    result.max.data(),
                             result.sum.data(), values.data(),  scratch.floats()};
  kernels.attend(chunk);
  kernels.attend(chunk);  // as if the next chunk had the same keys: joins with what stands there
  return result;
}

void compare_attention(const AttentionCase& c) {
  const AttentionResult expected = run_attention(*resolve("scalar"), c);
  for (const auto& [what, rung, emulated, most] : rungs()) {
    if (emulated && c.begin.size() * c.head_dim > 400) continue;
    const std::string where =
        fmt::format("{} dims {} {} queries {}", what, c.head_dim, c.value_dim, c.begin.size());
    const AttentionResult result = run_attention(rung, c);
    expect_same(result.max, expected.max, where + " max");
    expect_same(result.sum, expected.sum, where + " sum");
    expect_same(result.values, expected.values, where + " values");
  }
}

TEST(Rungs, AttentionHasTheBitsOfScalar) {
  for (KvFormat format : kKvFormats)
    for (u32 dim : {8u, 24u, 64u, 80u, 128u}) {
      if (dim % kv_dim_grain(format)) continue;
      for (u32 queries = 1; queries <= 15; ++queries) {
        const u32 value_dim = dim == 80 ? 40 / kv_dim_grain(format) * kv_dim_grain(format) : dim;
        AttentionCase c{format, dim, value_dim, queries % 2 ? 4u : 32u, {}, {}};
        for (u32 n = 0; n < queries;
             ++n) {  // causal, tile edges, a window, and queries that see nothing
          const u32 end = std::min(512u, 5 + 37 * queries + n / 3);
          c.begin.push_back(queries % 3 == 0 ? end - std::min(end, 20 + n) : 0);
          c.end.push_back(n % 5 == 4 ? c.begin.back() : end);
        }
        compare_attention(c);
      }
    }
}

TEST(Rungs, AttentionAtTileAndChunkEdges) {
  for (u32 end : {1u, 15u, 16u, 17u, 64u, 511u, 512u})
    for (u32 begin : {0u, 1u, 15u, 16u, 31u, 500u}) {
      if (begin >= end) continue;
      compare_attention({KvFormat::kF16, 64, 64, 2, {begin}, {end}});
      compare_attention(
          {KvFormat::kF16, 64, 64, 2, {begin, 0, begin}, {end, 1, end}});  // nothing in common
    }
}

TEST(Rungs, StoreKvHasTheBytesOfScalar) {
  const Kernels scalar = *resolve("scalar");
  for (const auto& [what, rung, emulated, most] : rungs())
    for (KvFormat format : {KvFormat::kF16, KvFormat::kBf16, KvFormat::kF32}) {
      std::vector<f32> values(72);
      std::mt19937 random(9);
      for (f32& value : values) value = std::bit_cast<f32>(u32(random()));  // any pattern
      std::vector<u8> k(72 * 16 * 4, 1), v(72 * 4, 1), k2 = k, v2 = v;
      scalar.store_kv(format, values.data(), values.data(), 72, 40, k.data(), v.data(), 11);
      rung.store_kv(format, values.data(), values.data(), 72, 40, k2.data(), v2.data(), 11);
      EXPECT_EQ(k, k2) << what;
      EXPECT_EQ(v, v2) << what;
    }
}

TEST(Rungs, TileRowsHasTheBytesOfScalar) {
  const Kernels scalar = *resolve("scalar");
  std::mt19937 random(4);
  for (const auto& [what, rung, emulated, most] : rungs())
    for (u32 element : {2u, 4u})
      for (u32 n : {1u, 8u, 16u, 24u, 64u, 576u}) {
        std::vector<u8> rows(16 * n * element), expected(rows.size()), out(rows.size() + 1, 77);
        for (u8& byte : rows) byte = u8(random());
        std::vector<const void*> at;
        for (u32 row = 0; row < 16; ++row) at.push_back(&rows[row * n * element]);
        scalar.tile_rows(at.data(), n, element, expected.data());
        rung.tile_rows(at.data(), n, element, out.data());
        EXPECT_EQ(out.back(), 77) << what << " n " << n;
        out.pop_back();
        EXPECT_EQ(out, expected) << what << " n " << n << " element " << element;
      }
}

}  // namespace
}  // namespace orrery::kernels
