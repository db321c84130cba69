// The avx2 rung: AVX2, FMA and F16C (Intel from 2013, AMD from 2017).
#include "kernels/x86_avx2/primitives.h"

#include "kernels/x86_avx2/dot.h"

#include "kernels/rungs.h"

namespace orrery::kernels {
namespace {

constexpr u32 kTileNibbles = 6;  // 12 accumulators, two weights, one activation, one product: 16 ymm
constexpr u32 kTileBytes = 3;    // two planes each
constexpr u32 kPrefetchBytes = 2048;

}  // namespace
}  // namespace orrery::kernels

#include "kernels/generic/matmul_e.h"
#include "kernels/generic/matmul_s.h"

namespace orrery::kernels {

void install_avx2(Kernels& kernels) {
  kernels.matmul[u8(Layout::kE4)] = matmul<KernelE<Layout::kE4>>;
  kernels.matmul[u8(Layout::kE4M)] = matmul<KernelE<Layout::kE4M>>;
  kernels.matmul[u8(Layout::kE8)] = matmul<KernelE<Layout::kE8>>;
  kernels.matmul[u8(Layout::kE8M)] = matmul<KernelE<Layout::kE8M>>;
  kernels.matmul[u8(Layout::kS4M)] = matmul<KernelS<Layout::kS4M>>;
  kernels.matmul[u8(Layout::kS8M)] = matmul<KernelS<Layout::kS8M>>;
  kernels.matmul[u8(Layout::kS6)] = matmul<KernelS<Layout::kS6>>;
  kernels.matmul[u8(Layout::kS8)] = matmul<KernelS<Layout::kS8>>;
  kernels.matmul[u8(Layout::kS2M)] = matmul<KernelS<Layout::kS2M>>;
}

}  // namespace orrery::kernels
