// The loops of the probes. They are written in assembly where a compiler would see through them:
// a peak is the rate of instructions, and the instructions must be there.
#include "kernels/probe.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <vector>

#include "base/huge_buffer.h"

namespace orrery::kernels {
namespace {

using Clock = std::chrono::steady_clock;

f64 seconds_since(Clock::time_point start) {
  return std::chrono::duration<f64>(Clock::now() - start).count();
}

// The least time of a few rounds of job on the whole team.
template <typename Job>
f64 best_seconds(ThreadTeam& team, u32 rounds, const Job& job) {
  f64 best = 1e30;
  for (u32 i = 0; i < rounds; ++i) {
    const auto start = Clock::now();
    team.run(job);
    best = std::min(best, seconds_since(start));
  }
  return best;
}

// Adds up one word of each cache line, four lines a step: the memory system is the limit.
template <bool kPrefetch>
u64 read_all(const u8* from, u64 bytes) {
  u64 sums[4] = {};
  for (u64 at = 0; at + 256 <= bytes; at += 256)
    for (u32 i = 0; i < 4; ++i) {
      if (kPrefetch) __builtin_prefetch(from + at + 64 * i + 1024);
      u64 word;
      std::memcpy(&word, from + at + 64 * i, 8);
      sums[i] += word;
    }
  return sums[0] + sums[1] + sums[2] + sums[3];
}

#if defined(__x86_64__)
constexpr u64 kPeakSteps = 400'000;

// Twelve independent accumulators, as a register tile has them.
#define ORRERY_TWELVE(step) \
  step(0) step(1) step(2) step(3) step(4) step(5) step(6) step(7) step(8) step(9) step(10) step(11)

// A loop of `kPeakSteps` times twelve steps; `STEP(n)` is one, on accumulator n.
#define ORRERY_SPIN(name, STEP)                                                              \
  void name() {                                                                              \
    for (u64 i = 0; i < kPeakSteps; ++i)                                                     \
      __asm__ volatile(ORRERY_TWELVE(STEP)::                                                 \
                           : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
                             "xmm8", "xmm9", "xmm10", "xmm11", "xmm13");                     \
    __asm__ volatile("vzeroupper");                                                          \
  }
#define ORRERY_TWO(product, sum, register)                             \
  product " %%" register "15,%%" register "14,%%" register "13\n " sum \
                                                           " %%" register "13,%%" register
#define MADDUBS_YMM(n) ORRERY_TWO("vpmaddubsw", "vpaddw", "ymm") #n ",%%ymm" #n "\n"
#define MADDUBS_ZMM(n) ORRERY_TWO("vpmaddubsw", "vpaddw", "zmm") #n ",%%zmm" #n "\n"
#define MADDWD_YMM(n) ORRERY_TWO("vpmaddwd", "vpaddd", "ymm") #n ",%%ymm" #n "\n"
#define MADDWD_ZMM(n) ORRERY_TWO("vpmaddwd", "vpaddd", "zmm") #n ",%%zmm" #n "\n"
#define DPBUSD_YMM(n) "%{vex%} vpdpbusd %%ymm15,%%ymm14,%%ymm" #n "\n"
#define DPBUSD_ZMM(n) "vpdpbusd %%zmm15,%%zmm14,%%zmm" #n "\n"
#define FMA_YMM(n) "vfmadd231ps %%ymm15,%%ymm14,%%ymm" #n "\n"
#define FMA_ZMM(n) "vfmadd231ps %%zmm15,%%zmm14,%%zmm" #n "\n"
ORRERY_SPIN(spin_maddubs_ymm, MADDUBS_YMM)
ORRERY_SPIN(spin_maddubs_zmm, MADDUBS_ZMM)
ORRERY_SPIN(spin_maddwd_ymm, MADDWD_YMM)
ORRERY_SPIN(spin_maddwd_zmm, MADDWD_ZMM)
ORRERY_SPIN(spin_dpbusd_ymm, DPBUSD_YMM)
ORRERY_SPIN(spin_dpbusd_zmm, DPBUSD_ZMM)
ORRERY_SPIN(spin_fma_ymm, FMA_YMM)
ORRERY_SPIN(spin_fma_zmm, FMA_ZMM)

// Full tiles of zeros; four sums, as a matrix product has them. 12 products of 16 x 16 x 64 a step.
constexpr u64 kTileSteps = kPeakSteps / 32;
void spin_tiles() {
  alignas(64) u8 config[64] = {1};  // the palette of 8 tiles
  for (u32 tile = 0; tile < 8; ++tile) {
    config[16 + 2 * tile] = 64;  // bytes a row
    config[48 + tile] = 16;      // rows
  }
  __asm__ volatile("ldtilecfg %0" ::"m"(config));  // which makes all tiles zero
  for (u64 i = 0; i < kTileSteps; ++i)
    for (u32 third = 0; third < 3; ++third)
      __asm__ volatile(
          "tdpbusd %tmm6,%tmm4,%tmm0\n tdpbusd %tmm6,%tmm5,%tmm1\n"
          "tdpbusd %tmm7,%tmm4,%tmm2\n tdpbusd %tmm7,%tmm5,%tmm3\n");
  __asm__ volatile("tilerelease");
}
#endif

}  // namespace

Result<f64> read_bandwidth(ThreadTeam& team, u64 bytes) {
  TRY(const HugeBuffer buffer, HugeBuffer::allocate(bytes));
  std::vector<u64> sums(team.size() * 8);  // a line each
  team.run([&](Worker& worker) {
    const Range mine = worker.share(bytes, 4096);
    std::memset(buffer.data() + mine.begin, 1, mine.size());
  });
  const f64 plain = best_seconds(team, 3, [&](Worker& worker) {
    const Range mine = worker.share(bytes, 4096);
    sums[worker.index() * 8] += read_all<false>(buffer.data() + mine.begin, mine.size());
  });
  const f64 prefetched = best_seconds(team, 3, [&](Worker& worker) {
    const Range mine = worker.share(bytes, 4096);
    sums[worker.index() * 8] += read_all<true>(buffer.data() + mine.begin, mine.size());
  });
  return f64(bytes) / std::min(plain, prefetched);
}

DotKind dot_kind(Layout layout) {
  switch (layout) {
    case Layout::kF32:
    case Layout::kF16:
    case Layout::kBf16:
      return DotKind::kFloat;
    case Layout::kE4N:
    case Layout::kE4X:
    case Layout::kE8:
    case Layout::kE8M:
    case Layout::kS8M:
    case Layout::kS4N:
    case Layout::kS8:
      return DotKind::kByte;
    default:
      return DotKind::kNarrow;
  }
}

std::string_view name(DotKind kind) {
  constexpr std::string_view kNames[kDotKindCount] = {"narrow", "byte", "float"};
  return kNames[u8(kind)];
}

f64 dot_peak([[maybe_unused]] ThreadTeam& team, [[maybe_unused]] Isa isa,
             [[maybe_unused]] DotKind kind) {
#if defined(__x86_64__)
  struct Peak {
    void (*spin)() = nullptr;
    u32 products = 0;  // an accumulator's step
    u64 steps = kPeakSteps;
  };
  // One row a rung, in the order of DotKind.
  const auto peaks = [&]() -> std::array<Peak, kDotKindCount> {
    switch (isa) {
      case Isa::kScalar:
        return {};
      case Isa::kAvx2:
        return {{{spin_maddubs_ymm, 32}, {spin_maddwd_ymm, 16}, {spin_fma_ymm, 8}}};
      case Isa::kAvxVnni:
        return {{{spin_dpbusd_ymm, 32}, {spin_dpbusd_ymm, 32}, {spin_fma_ymm, 8}}};
      case Isa::kAvx512:
        return {{{spin_maddubs_zmm, 64}, {spin_maddwd_zmm, 32}, {spin_fma_zmm, 16}}};
      case Isa::kAvx512Vnni:
        return {{{spin_dpbusd_zmm, 64}, {spin_dpbusd_zmm, 64}, {spin_fma_zmm, 16}}};
      case Isa::kAmx:
        return {{{spin_tiles, 16 * 16 * 64, kTileSteps},
                 {spin_tiles, 16 * 16 * 64, kTileSteps},
                 {spin_fma_zmm, 16}}};
    }
    return {};
  }();
  const Peak& peak = peaks[u8(kind)];
  if (!peak.spin) return 0;
  const f64 seconds = best_seconds(team, 5, [&](Worker&) { peak.spin(); });
  return 2.0 * 12 * peak.products * f64(peak.steps) * team.size() / seconds;
#else
  return 0;
#endif
}

}  // namespace orrery::kernels
