// Which instruction sets this CPU has *and* the operating system saves: CPUID alone would promise
// registers that a context switch loses, so XGETBV has the last word; for the tiles of AMX, 8 KiB a
// thread, the kernel must be asked, too (Documentation/arch/x86/xstate.rst).
#include "kernels/kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace orrery::kernels {
namespace {

constexpr std::string_view kNames[kIsaCount] = {"scalar", "avx2",        "avx_vnni",
                                                "avx512", "avx512_vnni", "amx"};

#if defined(__x86_64__)
struct CpuFeatures {
  bool avx2 = false, avx_vnni = false, avx512 = false, avx512_vnni = false;
};

u64 enabled_state() {
  u32 low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return u64(high) << 32 | low;
}

CpuFeatures detect() {
  CpuFeatures has;
  u32 a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return has;
  const bool os_saves = c >> 27 & 1, fma = c >> 12 & 1, f16c = c >> 29 & 1;
  if (!os_saves || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return has;
  const u64 state = enabled_state();
  const bool ymm = (state & 0x06) == 0x06, zmm = (state & 0xe6) == 0xe6;
  has.avx2 = ymm && fma && f16c && (b >> 5 & 1);
  const bool f = b >> 16 & 1, dq = b >> 17 & 1, bw = b >> 30 & 1, vl = b >> 31 & 1;
  has.avx512 = has.avx2 && zmm && f && dq && bw && vl;
  has.avx512_vnni = has.avx512 && (c >> 11 & 1);
  if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) has.avx_vnni = has.avx2 && (a >> 4 & 1);
  return has;
}

// Linux gives the state of tiles only to a process that asks for it; threads inherit the answer. No
// is an answer: an older kernel, a sandbox, or signal stacks too small for 8 KiB more.
bool kernel_permits_tiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

// Asked last and only where the CPU has tiles: permission makes the frames of signals larger.
bool detect_tiles() {
  u32 a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  const bool tiles = d >> 24 & 1, int8 = d >> 25 & 1;
  constexpr u64 kTileState = u64(3) << 17;  // configuration and data
  return tiles && int8 && (enabled_state() & kTileState) == kTileState && kernel_permits_tiles();
}
#endif

}  // namespace

std::string_view name(Isa isa) { return kNames[u8(isa)]; }

bool cpu_has(Isa isa) {
  if (isa == Isa::kScalar) return true;
#if defined(__x86_64__)
  static const CpuFeatures has = detect();
  switch (isa) {
    case Isa::kAvx2:
      return has.avx2;
    case Isa::kAvxVnni:
      return has.avx_vnni;
    case Isa::kAvx512:
      return has.avx512;
    case Isa::kAvx512Vnni:
      return has.avx512_vnni;
    case Isa::kAmx: {
      static const bool tiles = has.avx512_vnni && detect_tiles();
      return tiles;
    }
    default:
      return false;
  }
#endif
  return false;
}

}  // namespace orrery::kernels
