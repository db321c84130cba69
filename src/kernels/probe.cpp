// The loops of the probes. They are written in assembly where a compiler would see through them:
// a peak is the rate of instructions, and the instructions must be there.
#include "kernels/probe.h"

#include <algorithm>
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

void spin_maddubs_ymm() {
#define STEP(n) "vpmaddubsw %%ymm15,%%ymm14,%%ymm13\n vpaddw %%ymm13,%%ymm" #n ",%%ymm" #n "\n"
  for (u64 i = 0; i < kPeakSteps; ++i)
    __asm__ volatile(ORRERY_TWELVE(STEP)::
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                           "xmm9", "xmm10", "xmm11", "xmm13");
#undef STEP
  __asm__ volatile("vzeroupper");
}

void spin_maddubs_zmm() {
#define STEP(n) "vpmaddubsw %%zmm15,%%zmm14,%%zmm13\n vpaddw %%zmm13,%%zmm" #n ",%%zmm" #n "\n"
  for (u64 i = 0; i < kPeakSteps; ++i)
    __asm__ volatile(ORRERY_TWELVE(STEP)::
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                           "xmm9", "xmm10", "xmm11", "xmm13");
#undef STEP
  __asm__ volatile("vzeroupper");
}

void spin_dpbusd_ymm() {
#define STEP(n) "%{vex%} vpdpbusd %%ymm15,%%ymm14,%%ymm" #n "\n"
  for (u64 i = 0; i < kPeakSteps; ++i)
    __asm__ volatile(ORRERY_TWELVE(STEP)::
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                           "xmm9", "xmm10", "xmm11");
#undef STEP
  __asm__ volatile("vzeroupper");
}

void spin_dpbusd_zmm() {
#define STEP(n) "vpdpbusd %%zmm15,%%zmm14,%%zmm" #n "\n"
  for (u64 i = 0; i < kPeakSteps; ++i)
    __asm__ volatile(ORRERY_TWELVE(STEP)::
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                           "xmm9", "xmm10", "xmm11");
#undef STEP
  __asm__ volatile("vzeroupper");
}

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

f64 int8_peak([[maybe_unused]] ThreadTeam& team, [[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  void (*spin)() = nullptr;
  f64 operations = 12 * 64;  // 32 multiplications of a ymm register, each with its addition
  switch (isa) {
    case Isa::kScalar:
      return 0;
    case Isa::kAvx2:
      spin = spin_maddubs_ymm;
      break;
    case Isa::kAvxVnni:
      spin = spin_dpbusd_ymm;
      break;
    case Isa::kAvx512:
      spin = spin_maddubs_zmm, operations *= 2;
      break;
    case Isa::kAvx512Vnni:
      spin = spin_dpbusd_zmm, operations *= 2;
      break;
    case Isa::kAmx:
      spin = spin_tiles;
      operations = f64(12 * 2 * 16 * 16 * 64) * kTileSteps / kPeakSteps;
      break;
  }
  const f64 seconds = best_seconds(team, 5, [&](Worker&) { spin(); });
  return operations * f64(kPeakSteps) * team.size() / seconds;
#else
  return 0;
#endif
}

}  // namespace orrery::kernels
