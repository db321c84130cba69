// The ladder of matrix x matrix, a prompt's work: the same weights meet many tokens.
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <cstring>

#include "ladder/ladder.h"

namespace orrery::ladder {
namespace {

using kernels::kBlockDepth;

// Rung 1: the definition. Every column reads the whole matrix again.
void floats(const Weights& w, const Inputs& x, f32* out) {
  for (u32 n = 0; n < x.columns; ++n)
    for (u32 row = 0; row < w.rows; ++row) {
      f32 sum = 0;
      for (u32 k = 0; k < w.cols; ++k) sum += w.floats[row * w.cols + k] * x.floats[n * w.cols + k];
      out[n * w.rows + row] = sum;
    }
}

// Rung 2: a weight that is loaded meets eight columns, whose sums are eight chains that do not wait
// for each other.
void eight_columns(const Weights& w, const Inputs& x, f32* out) {
  for (u32 first = 0; first < x.columns; first += 8)
    for (u32 row = 0; row < w.rows; ++row) {
      f32 sums[8] = {};
      for (u32 k = 0; k < w.cols; ++k) {
        const f32 weight = w.floats[row * w.cols + k];
        for (u32 n = 0; n < 8; ++n) sums[n] += weight * x.floats[(first + n) * w.cols + k];
      }
      for (u32 n = 0; n < 8; ++n) out[(first + n) * w.rows + row] = sums[n];
    }
}

// The 32 products of a block with column n, and its float step.
f32 block_step(const u8* scales, const u8* q, const Inputs& x, u32 n, u32 b, f32 sum) {
  const u64 slab = u64(b / 8) * x.columns + n;
  const i8* a = x.quantized.values + slab * kBlockDepth + b % 8 * 32;
  i32 dot = 0;
  for (u32 k = 0; k < 32; ++k) dot += q[k] * a[k];
  sum += f32(dot) * (half_at(scales) * x.quantized.scales[slab * 8 + b % 8]);
  return sum + half_at(scales + 2) * x.quantized.scaled_sums[slab * 8 + b % 8];
}

void unpack(const u8* block, u8* q) {
  for (u32 i = 0; i < 16; ++i) {
    q[i] = block[4 + i] & 15;
    q[16 + i] = block[4 + i] >> 4;
  }
}

// Rung 3: integers, the block unpacked for every column that it meets.
void integers(const Weights& w, const Inputs& x, f32* out) {
  const u32 blocks = w.cols / 32;
  for (u32 n = 0; n < x.columns; ++n)
    for (u32 row = 0; row < w.rows; ++row) {
      f32 sum = 0;
      for (u32 b = 0; b < blocks; ++b) {
        const u8* block = &w.file[(u64(row) * blocks + b) * kFileBlock];
        u8 q[32];
        unpack(block, q);
        sum = block_step(block, q, x, n, b, sum);
      }
      out[n * w.rows + row] = sum;
    }
}

// Rung 4: unpacked once, then all columns.
void unpack_once(const Weights& w, const Inputs& x, f32* out) {
  const u32 blocks = w.cols / 32;
  std::fill_n(out, u64(x.columns) * w.rows, 0.0f);
  for (u32 row = 0; row < w.rows; ++row)
    for (u32 b = 0; b < blocks; ++b) {
      const u8* block = &w.file[(u64(row) * blocks + b) * kFileBlock];
      u8 q[32];
      unpack(block, q);
      for (u32 n = 0; n < x.columns; ++n) {
        f32& sum = out[n * w.rows + row];
        sum = block_step(block, q, x, n, b, sum);
      }
    }
}

#if defined(__x86_64__)
// Eight rows of one grain, unpacked, against a column: sums of 16 bits for all 32 k (8 * 2 * 15 *
// 127 = 30,480 fits), widened once.
__attribute__((target("avx2"))) __m256i grain_of_8_rows(const u8* bytes, const i8* a) {
  __m256i sums = _mm256_setzero_si256();
  for (u32 g = 0; g < 8; ++g) {
    i32 four;
    std::memcpy(&four, a + 4 * g, 4);
    const __m256i weights = _mm256_load_si256(reinterpret_cast<const __m256i*>(bytes + 64 * g));
    sums = _mm256_add_epi16(sums, _mm256_maddubs_epi16(weights, _mm256_set1_epi32(four)));
  }
  return _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
}

// Rung 5: 16 rows interleaved, a grain unpacked once for all columns, vector instructions.
__attribute__((target("avx2,fma,f16c"))) void vectors(const Weights& w, const Inputs& x, f32* out) {
  const u32 blocks = w.cols / 32;
  std::fill_n(out, u64(x.columns) * w.rows, 0.0f);
  const __m256i nibble = _mm256_set1_epi8(15);
  for (u32 panel = 0; panel < w.packed.panels(); ++panel) {
    const u8* block = w.packed.data + panel * w.packed.panel_bytes;
    for (u32 b = 0; b < blocks; ++b) {
      const u32 in_block = std::min(8u, blocks - b / 8 * 8), j = b % 8;
      if (b > 0 && j == 0) block += 64 * 8 + 256 * 8;
      const u8* data = block + 64 * in_block + 256 * j;
      alignas(32) u8 bytes[512];
      for (u32 i = 0; i < 8; ++i) {
        const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + 32 * i));
        auto* to = reinterpret_cast<__m256i*>(bytes + 32 * i);
        _mm256_store_si256(to, _mm256_and_si256(both, nibble));
        _mm256_store_si256(to + 8, _mm256_and_si256(_mm256_srli_epi16(both, 4), nibble));
      }
      for (u32 n = 0; n < x.columns; ++n) {
        const u64 slab = u64(b / 8) * x.columns + n;
        const i8* a = x.quantized.values + slab * kBlockDepth + j * 32;
        for (u32 half = 0; half < 2; ++half) {
          f32* to = out + u64(n) * w.rows + 16 * panel + 8 * half;
          const auto* d = reinterpret_cast<const __m128i*>(block + 32 * j + 16 * half);
          const auto* m = reinterpret_cast<const __m128i*>(block + 32 * (in_block + j) + 16 * half);
          const __m256 scale = _mm256_mul_ps(_mm256_cvtph_ps(_mm_loadu_si128(d)),
                                             _mm256_set1_ps(x.quantized.scales[slab * 8 + j]));
          const __m256 dots = _mm256_cvtepi32_ps(grain_of_8_rows(bytes + 32 * half, a));
          __m256 sum = _mm256_fmadd_ps(dots, scale, _mm256_loadu_ps(to));
          sum = _mm256_fmadd_ps(_mm256_cvtph_ps(_mm_loadu_si128(m)),
                                _mm256_set1_ps(x.quantized.scaled_sums[slab * 8 + j]), sum);
          _mm256_storeu_ps(to, sum);
        }
      }
    }
  }
}
#endif

}  // namespace

Result<Ladder> matrix_matrix(const kernels::Kernels& kernels) {
  constexpr u32 kRows = 256, kCols = 576, kColumns = 64;
  TRY(const auto w, make_weights(kRows, kCols, 1));
  TRY(const auto x, make_inputs(kernels, kCols, kColumns));
  const auto rung = [&](std::string_view name, std::string_view idea,
                        void (*run)(const Weights&, const Inputs&, f32*)) {
    return Rung{name, idea, [w, x, run](f32* out) { run(*w, *x, out); }};
  };
  Ladder ladder{"matrix_matrix",
                "a prompt: Q4_1 256 x 576, 64 tokens",
                2.0 * kRows * kCols * kColumns,
                u64(kRows) * kColumns,
                0.1,
                {}};
  ladder.rungs = {
      rung("floats", "the definition: every token reads the matrix again", floats),
      rung("eight columns", "a loaded weight meets eight tokens: eight chains", eight_columns),
      rung("integers", "quantised tokens, but each block unpacked for each of them", integers),
      rung("unpack once", "an unpacked block meets all tokens", unpack_once)};
#if defined(__x86_64__)
  if (kernels::cpu_has(kernels::Isa::kAvx2))
    ladder.rungs.push_back(
        rung("vector instructions", "16 rows side by side, sums of 16 bits for 32 k", vectors));
#endif
  ladder.rungs.push_back({"the kernel", "6 tokens x 16 rows in registers, 256 k at a time in cache",
                          [w, x, kernels](f32* out) {
                            kernels.matmul[u8(w->packed.layout)](w->packed, x->quantized, 0,
                                                                 w->packed.panels(), out, w->rows,
                                                                 false);
                          }});
  return ladder;
}

}  // namespace orrery::ladder
