// The avx512_vnni rung: AVX-512 with VNNI (Intel Xeon from 2019, AMD from 2022).
#include "kernels/kernels.h"
#include "kernels/x86_avx512/primitives.h"

namespace orrery::kernels {
namespace {

constexpr u32 kTileNibbles = 12;  // 12 accumulators and 12 outputs of 32 zmm
constexpr u32 kTileBytes = 12;
constexpr u32 kTileFloats = 12;
constexpr u32 kQueryTile = 8;
constexpr u32 kAttentionTile = 8;
constexpr u32 kPrefetchBytes = 2048;

ORRERY_INLINE I32x16 add_dots(I32x16 sum, Bytes weights, Bytes activations) {
  return {_mm512_dpbusd_epi32(sum.v, weights.v, activations.v)};
}

}  // namespace
}  // namespace orrery::kernels

#include "kernels/generic/dot_vnni.h"
#include "kernels/generic/install.h"

namespace orrery::kernels {

void install_avx512_vnni(Kernels& kernels) { install_generic(kernels); }

}  // namespace orrery::kernels
