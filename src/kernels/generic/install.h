// All generic kernels of one rung. The rung has defined its primitives, its dot products and the
// sizes of its register tiles before it includes this.
#pragma once

#include "kernels/generic/attention.h"
#include "kernels/generic/matmul_e.h"
#include "kernels/generic/matmul_f.h"
#include "kernels/generic/matmul_s.h"
#include "kernels/generic/quantize.h"

namespace orrery::kernels {
namespace {

ORRERY_INLINE void install_generic(Kernels& kernels) {
  kernels.matmul[u8(Layout::kF32)] = matmul<KernelF<Layout::kF32>>;
  kernels.matmul[u8(Layout::kF16)] = matmul<KernelF<Layout::kF16>>;
  kernels.matmul[u8(Layout::kBf16)] = matmul<KernelF<Layout::kBf16>>;
  kernels.matmul[u8(Layout::kE4)] = matmul<KernelE<Layout::kE4>>;
  kernels.matmul[u8(Layout::kE4M)] = matmul<KernelE<Layout::kE4M>>;
  kernels.matmul[u8(Layout::kE4N)] = matmul<KernelE<Layout::kE4N>>;
  kernels.matmul[u8(Layout::kE4X)] = matmul<KernelE<Layout::kE4X>>;
  kernels.matmul[u8(Layout::kE8)] = matmul<KernelE<Layout::kE8>>;
  kernels.matmul[u8(Layout::kE8M)] = matmul<KernelE<Layout::kE8M>>;
  kernels.matmul[u8(Layout::kS4M)] = matmul<KernelS<Layout::kS4M>>;
  kernels.matmul[u8(Layout::kS8M)] = matmul<KernelS<Layout::kS8M>>;
  kernels.matmul[u8(Layout::kS6)] = matmul<KernelS<Layout::kS6>>;
  kernels.matmul[u8(Layout::kS4N)] = matmul<KernelS<Layout::kS4N>>;
  kernels.matmul[u8(Layout::kS8)] = matmul<KernelS<Layout::kS8>>;
  kernels.matmul[u8(Layout::kS2M)] = matmul<KernelS<Layout::kS2M>>;
  install_elementwise(kernels);
  kernels.quantize = quantize;
  kernels.attend = attend;
  kernels.store_kv = store_kv;
}

}  // namespace
}  // namespace orrery::kernels
