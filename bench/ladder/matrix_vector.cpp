// The ladder of matrix x vector, one token's work: from two loops over floats to the kernel.
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <cstring>

#include "ladder/ladder.h"

namespace orrery::ladder {
namespace {

using kernels::kBlockDepth;

// Rung 1: the definition. Every weight is a float of 4 bytes, and memory has to deliver them all.
void floats(const Weights& w, const Inputs& x, f32* out) {
  for (u32 row = 0; row < w.rows; ++row) {
    f32 sum = 0;
    for (u32 k = 0; k < w.cols; ++k) sum += w.floats[row * w.cols + k] * x.floats[k];
    out[row] = sum;
  }
}

// Rung 2: the file's 5 bits a weight, decoded on the way. Few bytes, but work for every single
// weight.
void decode_on_the_way(const Weights& w, const Inputs& x, f32* out) {
  const u32 blocks = w.cols / 32;
  const u8* block = w.file.data();
  for (u32 row = 0; row < w.rows; ++row) {
    f32 sum = 0;
    for (u32 b = 0; b < blocks; ++b, block += kFileBlock)
      for (u32 i = 0; i < 16; ++i) {
        const f32 d = half_at(block), m = half_at(block + 2);
        sum += (d * f32(block[4 + i] & 15) + m) * x.floats[32 * b + i];
        sum += (d * f32(block[4 + i] >> 4) + m) * x.floats[32 * b + 16 + i];
      }
    out[row] = sum;
  }
}

// Rung 3: quantise the vector as well. 32 products in integers, then one float step with the
// scales; the min needs only the sum of the activations.
void integers(const Weights& w, const Inputs& x, f32* out) {
  const u32 blocks = w.cols / 32;
  const u8* block = w.file.data();
  for (u32 row = 0; row < w.rows; ++row) {
    f32 sum = 0;
    for (u32 b = 0; b < blocks; ++b, block += kFileBlock) {
      const i8* a = x.quantized.values + b / 8 * kBlockDepth + b % 8 * 32;
      i32 dot = 0;
      for (u32 i = 0; i < 16; ++i)
        dot += (block[4 + i] & 15) * a[i] + (block[4 + i] >> 4) * a[16 + i];
      sum += f32(dot) * (half_at(block) * x.quantized.scales[b]);
      sum += half_at(block + 2) * x.quantized.scaled_sums[b];
    }
    out[row] = sum;
  }
}

// Rung 4: 16 rows side by side. Lanes are rows, so nothing is ever summed across a register, the
// scales of 16 rows come in one load, and the panel is a single stream. Still plain loops.
void interleaved(const Weights& w, const Inputs& x, f32* out) {
  const u32 blocks = w.cols / 32;
  for (u32 panel = 0; panel < w.packed.panels(); ++panel) {
    const u8* block = w.packed.data + panel * w.packed.panel_bytes;
    f32 sums[16] = {};
    for (u32 b = 0; b < blocks; b += 8) {
      const u32 grains = std::min(8u, blocks - b);
      const u8* data = block + 64 * grains;
      for (u32 j = 0; j < grains; ++j, data += 256) {
        const i8* a = x.quantized.values + b / 8 * kBlockDepth + j * 32;
        i32 dots[16] = {};
        for (u32 i = 0; i < 4; ++i)
          for (u32 row = 0; row < 16; ++row)
            for (u32 k = 0; k < 4; ++k) {
              const u8 both = data[64 * i + 4 * row + k];
              dots[row] += (both & 15) * a[4 * i + k] + (both >> 4) * a[16 + 4 * i + k];
            }
        for (u32 row = 0; row < 16; ++row) {
          sums[row] +=
              f32(dots[row]) * (half_at(block + 32 * j + 2 * row) * x.quantized.scales[b + j]);
          sums[row] +=
              half_at(block + 32 * (grains + j) + 2 * row) * x.quantized.scaled_sums[b + j];
        }
      }
      block = data;
    }
    std::memcpy(out + 16 * panel, sums, sizeof sums);
  }
}

#if defined(__x86_64__)
// Eight rows of one grain: 32 products an instruction, widened to 32 bits after every one.
__attribute__((target("avx2"))) __m256i grain_of_8_rows(const u8* data, const i8* a) {
  const __m256i nibble = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
  __m256i dots = _mm256_setzero_si256();
  for (u32 i = 0; i < 4; ++i) {
    i32 low, high;
    std::memcpy(&low, a + 4 * i, 4);
    std::memcpy(&high, a + 16 + 4 * i, 4);
    const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + 64 * i));
    const __m256i first =
        _mm256_maddubs_epi16(_mm256_and_si256(both, nibble), _mm256_set1_epi32(low));
    const __m256i second = _mm256_maddubs_epi16(
        _mm256_and_si256(_mm256_srli_epi16(both, 4), nibble), _mm256_set1_epi32(high));
    dots = _mm256_add_epi32(dots, _mm256_madd_epi16(first, ones));
    dots = _mm256_add_epi32(dots, _mm256_madd_epi16(second, ones));
  }
  return dots;
}

// Rung 5: the same loops with vector instructions.
__attribute__((target("avx2,fma,f16c"))) void vectors(const Weights& w, const Inputs& x, f32* out) {
  const u32 blocks = w.cols / 32;
  for (u32 panel = 0; panel < w.packed.panels(); ++panel) {
    const u8* block = w.packed.data + panel * w.packed.panel_bytes;
    __m256 sums[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    for (u32 b = 0; b < blocks; b += 8) {
      const u32 grains = std::min(8u, blocks - b);
      const u8* data = block + 64 * grains;
      for (u32 j = 0; j < grains; ++j, data += 256) {
        const i8* a = x.quantized.values + b / 8 * kBlockDepth + j * 32;
        for (u32 half = 0; half < 2; ++half) {
          const __m256i dots = grain_of_8_rows(data + 32 * half, a);
          const auto* d = reinterpret_cast<const __m128i*>(block + 32 * j + 16 * half);
          const auto* m = reinterpret_cast<const __m128i*>(block + 32 * (grains + j) + 16 * half);
          const __m256 scale = _mm256_mul_ps(_mm256_cvtph_ps(_mm_loadu_si128(d)),
                                             _mm256_set1_ps(x.quantized.scales[b + j]));
          sums[half] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots), scale, sums[half]);
          sums[half] = _mm256_fmadd_ps(_mm256_cvtph_ps(_mm_loadu_si128(m)),
                                       _mm256_set1_ps(x.quantized.scaled_sums[b + j]), sums[half]);
        }
      }
      block = data;
    }
    _mm256_storeu_ps(out + 16 * panel, sums[0]);
    _mm256_storeu_ps(out + 16 * panel + 8, sums[1]);
  }
}
#endif

// Rung 6: the kernel of src/kernels/generic: nibble products stay in 16 bits for all 32 k, so one
// widening serves eight products, and the stream is prefetched.
void kernel(const kernels::Kernels& kernels, const Weights& w, const Inputs& x, f32* out) {
  kernels.matmul[u8(w.packed.layout)](w.packed, x.quantized, 0, w.packed.panels(), out, w.rows,
                                      false);
}

}  // namespace

Result<Ladder> matrix_vector(const kernels::Kernels& kernels) {
  constexpr u32 kRows = 1536, kCols = 576;
  TRY(const auto w, make_weights(kRows, kCols, 1));
  TRY(const auto x, make_inputs(kernels, kCols, 1));
  const auto rung = [&](std::string_view name, std::string_view idea,
                        void (*run)(const Weights&, const Inputs&, f32*)) {
    return Rung{name, idea, [w, x, run](f32* out) { run(*w, *x, out); }};
  };
  Ladder ladder{"matrix_vector", "one token: Q4_1 1536 x 576", 2.0 * kRows * kCols, kRows, 0.1, {}};
  ladder.rungs = {
      rung("floats", "the definition; 4 bytes a weight, one long chain of additions", floats),
      rung("decode on the way", "the file's 5 bits a weight, but work for each of them",
           decode_on_the_way),
      rung("integers", "quantise the vector too: one float step for each 32 products", integers),
      rung("interleave 16 rows", "lanes are rows: no sum across a register", interleaved)};
#if defined(__x86_64__)
  if (kernels::cpu_has(kernels::Isa::kAvx2))
    ladder.rungs.push_back(
        rung("vector instructions", "32 products at once, widened after each", vectors));
#endif
  ladder.rungs.push_back({"the kernel", "sums stay in 16 bits for 32 k; the stream is prefetched",
                          [w, x, kernels](f32* out) { kernel(kernels, *w, *x, out); }});
  return ladder;
}

}  // namespace orrery::ladder
