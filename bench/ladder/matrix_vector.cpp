// The ladder of matrix × vector: from two loops over floats to the kernel, one idea a rung.
//
// All rungs multiply the same Q4_1 matrix (4 bits a weight, a scale and a min for each 32) by the
// same vector and are checked against the first. Read them from the top; the program prints what
// each is worth.
#include <fmt/core.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "base/half.h"
#include "base/huge_buffer.h"
#include "kernels/kernels.h"

namespace orrery::kernels {
namespace {

constexpr u32 kRows = 1536, kCols = 576, kBlocks = kCols / 32, kFileBlock = 20;

struct Problem {
  std::vector<u8> file;     // [rows][blocks][d f16, m f16, 16 bytes of nibbles]
  std::vector<f32> floats;  // [rows][cols], decoded
  std::vector<f32> x;       // [cols]
  HugeBuffer packed_memory, x_memory;
  PackedMatrix packed;  // the layout of docs/formats/packed.md
  Activations quantized;
  Kernels kernels;
};

f32 half_at(const u8* from) {
  u16 bits;
  std::memcpy(&bits, from, 2);
  return f32_from_f16(bits);
}

// Rung 1: the definition. Every weight is a float of 4 bytes, and memory has to deliver them all.
void floats(const Problem& p, f32* out) {
  for (u32 row = 0; row < kRows; ++row) {
    f32 sum = 0;
    for (u32 k = 0; k < kCols; ++k) sum += p.floats[row * kCols + k] * p.x[k];
    out[row] = sum;
  }
}

// Rung 2: the file's 5 bits a weight, decoded on the way. Few bytes, but work for every single
// weight.
void decode_on_the_way(const Problem& p, f32* out) {
  const u8* block = p.file.data();
  for (u32 row = 0; row < kRows; ++row) {
    f32 sum = 0;
    for (u32 b = 0; b < kBlocks; ++b, block += kFileBlock)
      for (u32 i = 0; i < 16; ++i) {
        const f32 d = half_at(block), m = half_at(block + 2);
        sum += (d * f32(block[4 + i] & 15) + m) * p.x[32 * b + i];
        sum += (d * f32(block[4 + i] >> 4) + m) * p.x[32 * b + 16 + i];
      }
    out[row] = sum;
  }
}

// Rung 3: quantise the vector as well. 32 products in integers, then one float step with the
// scales; the min needs only the sum of the activations.
void integers(const Problem& p, f32* out) {
  const u8* block = p.file.data();
  for (u32 row = 0; row < kRows; ++row) {
    f32 sum = 0;
    for (u32 b = 0; b < kBlocks; ++b, block += kFileBlock) {
      const i8* a = p.quantized.values + b / 8 * kBlockDepth + b % 8 * 32;
      i32 dot = 0;
      for (u32 i = 0; i < 16; ++i)
        dot += (block[4 + i] & 15) * a[i] + (block[4 + i] >> 4) * a[16 + i];
      sum += f32(dot) * (half_at(block) * p.quantized.scales[b]);
      sum += half_at(block + 2) * p.quantized.scaled_sums[b];
    }
    out[row] = sum;
  }
}

// Rung 4: 16 rows side by side. Lanes are rows, so nothing is ever summed across a register, the
// scales of 16 rows come in one load, and the panel is a single stream. Still plain loops.
void interleaved(const Problem& p, f32* out) {
  for (u32 panel = 0; panel < p.packed.panels(); ++panel) {
    const u8* block = p.packed.data + panel * p.packed.panel_bytes;
    f32 sums[16] = {};
    for (u32 b = 0; b < kBlocks; b += 8) {
      const u32 grains = std::min(8u, kBlocks - b);
      const u8* data = block + 64 * grains;
      for (u32 j = 0; j < grains; ++j, data += 256) {
        const i8* a = p.quantized.values + b / 8 * kBlockDepth + j * 32;
        i32 dots[16] = {};
        for (u32 i = 0; i < 4; ++i)
          for (u32 row = 0; row < 16; ++row)
            for (u32 k = 0; k < 4; ++k) {
              const u8 both = data[64 * i + 4 * row + k];
              dots[row] += (both & 15) * a[4 * i + k] + (both >> 4) * a[16 + 4 * i + k];
            }
        for (u32 row = 0; row < 16; ++row) {
          sums[row] +=
              f32(dots[row]) * (half_at(block + 32 * j + 2 * row) * p.quantized.scales[b + j]);
          sums[row] +=
              half_at(block + 32 * (grains + j) + 2 * row) * p.quantized.scaled_sums[b + j];
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
__attribute__((target("avx2,fma,f16c"))) void vectors(const Problem& p, f32* out) {
  for (u32 panel = 0; panel < p.packed.panels(); ++panel) {
    const u8* block = p.packed.data + panel * p.packed.panel_bytes;
    __m256 sums[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    for (u32 b = 0; b < kBlocks; b += 8) {
      const u32 grains = std::min(8u, kBlocks - b);
      const u8* data = block + 64 * grains;
      for (u32 j = 0; j < grains; ++j, data += 256) {
        const i8* a = p.quantized.values + b / 8 * kBlockDepth + j * 32;
        for (u32 half = 0; half < 2; ++half) {
          const __m256i dots = grain_of_8_rows(data + 32 * half, a);
          const auto* d = reinterpret_cast<const __m128i*>(block + 32 * j + 16 * half);
          const auto* m = reinterpret_cast<const __m128i*>(block + 32 * (grains + j) + 16 * half);
          const __m256 scale = _mm256_mul_ps(_mm256_cvtph_ps(_mm_loadu_si128(d)),
                                             _mm256_set1_ps(p.quantized.scales[b + j]));
          sums[half] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots), scale, sums[half]);
          sums[half] = _mm256_fmadd_ps(_mm256_cvtph_ps(_mm_loadu_si128(m)),
                                       _mm256_set1_ps(p.quantized.scaled_sums[b + j]), sums[half]);
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
void kernel(const Problem& p, f32* out) {
  p.kernels.matmul[u8(p.packed.layout)](p.packed, p.quantized, 0, p.packed.panels(), out, kRows,
                                        false);
}

Result<Problem> make_problem() {
  Problem p;
  TRY(p.kernels, resolve_from_environment());
  std::mt19937 random(1);
  std::normal_distribution<f32> normal;
  p.file.resize(kRows * kBlocks * kFileBlock);
  for (u8& byte : p.file) byte = u8(random());
  for (u64 at = 0; at < p.file.size(); at += kFileBlock) {
    const u16 d = f16_from_f32(0.01f), m = f16_from_f32(-0.08f);
    std::memcpy(&p.file[at], &d, 2);
    std::memcpy(&p.file[at + 2], &m, 2);
  }
  p.floats.resize(kRows * kCols);
  decode(Format::kQ4_1, p.file.data(), p.floats.size(), p.floats.data());
  for (u32 k = 0; k < kCols; ++k) p.x.push_back(normal(random));
  TRY(p.packed_memory, HugeBuffer::allocate(packed_bytes(Layout::kE4M, kRows, kCols)));
  const u64 size = panel_bytes(Layout::kE4M, kCols);
  p.packed = {Layout::kE4M, kRows, kCols, size, p.packed_memory.data()};
  for (u32 panel = 0; panel < p.packed.panels(); ++panel) {
    const u8* rows[kPanelRows];
    for (u32 r = 0; r < kPanelRows; ++r)
      rows[r] = p.file.data() + u64(panel * kPanelRows + r) * kBlocks * kFileBlock;
    pack_panel(Format::kQ4_1, Layout::kE4M, rows, kCols, p.packed_memory.data() + panel * size);
  }
  const ActivationKind kind = activation_kind(Layout::kE4M);
  TRY(p.x_memory, HugeBuffer::allocate(activation_bytes(kind, kCols, 1)));
  p.quantized = place_activations(kind, kCols, 1, p.x_memory.data());
  p.kernels.quantize(p.x.data(), kCols, p.quantized, 0, 1);
  return p;
}

// The least time of many rounds: what the code can do when nobody interrupts it.
f64 least_seconds(void (*rung)(const Problem&, f32*), const Problem& p, f32* out) {
  f64 best = 1e30;
  const auto start = std::chrono::steady_clock::now();
  for (auto now = start; now - start < std::chrono::milliseconds(400);) {
    const auto begin = now;
    rung(p, out);
    now = std::chrono::steady_clock::now();
    best = std::min(best, std::chrono::duration<f64>(now - begin).count());
  }
  return best;
}

Result<void> climb() {
  struct Step {
    const char* name;
    void (*run)(const Problem&, f32*);
  };
  std::vector<Step> steps = {{"1 floats", floats},
                             {"2 decode on the way", decode_on_the_way},
                             {"3 integers", integers},
                             {"4 interleave 16 rows", interleaved}};
#if defined(__x86_64__)
  if (cpu_has(Isa::kAvx2)) steps.push_back({"5 vector instructions", vectors});
#endif
  steps.push_back({"6 the kernel", kernel});
  TRY(const Problem p, make_problem());
  std::vector<f32> expected(kRows), out(kRows);
  floats(p, expected.data());
  f64 first = 0, magnitude = 0;
  for (f32 value : expected) magnitude += std::fabs(value) / kRows;
  fmt::print("Q4_1 {} x {}, one thread, rung {}\n", kRows, kCols, name(p.kernels.isa));
  for (const Step& step : steps) {
    const f64 seconds = least_seconds(step.run, p, out.data());
    if (first == 0) first = seconds;
    f64 error = 0;
    for (u32 row = 0; row < kRows; ++row)
      error = std::max(error, f64(std::fabs(out[row] - expected[row])));
    if (error > 0.1 * magnitude) return fail("rung '{}' is wrong by {}", step.name, error);
    fmt::print("{:<24}{:>9.1f} us {:>7.1f} GOPS {:>7.1f} x\n", step.name, seconds * 1e6,
               2.0 * kRows * kCols / seconds / 1e9, first / seconds);
  }
  return {};
}

}  // namespace
}  // namespace orrery::kernels

int main() {
  const auto climbed = orrery::kernels::climb();
  if (!climbed) fmt::print(stderr, "ladder_bench: {}\n", climbed.error().message);
  return climbed ? 0 : 1;
}
