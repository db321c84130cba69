// The avx_vnni rung: AVX2 with the VNNI instructions in their 256-bit form (Intel from 2021,
// without AVX-512: Alder Lake and its kin).
#include "kernels/kernels.h"
#include "kernels/x86_avx2/primitives.h"

namespace orrery::kernels {
namespace {

constexpr u32 kTileNibbles = 6;
constexpr u32 kTileBytes = 6;
constexpr u32 kTileFloats = 6;
constexpr u32 kQueryTile = 6;
constexpr u32 kAttentionTile = 4;
constexpr u32 kPrefetchBytes = 2048;

ORRERY_INLINE I32x16 add_dots(I32x16 sum, Bytes weights, Bytes activations) {
  return {_mm256_dpbusd_avx_epi32(sum.lo, weights.lo, activations.lo),
          _mm256_dpbusd_avx_epi32(sum.hi, weights.hi, activations.hi)};
}

}  // namespace
}  // namespace orrery::kernels

#include "kernels/generic/dot_vnni.h"
#include "kernels/generic/install.h"

namespace orrery::kernels {

void install_avx_vnni(Kernels& kernels) { install_generic(kernels); }

}  // namespace orrery::kernels
