// The amx rung: integer matrix products of many columns on tiles (Intel Xeon from 2023). Few
// columns and all that is not an integer matrix product stay with avx512_vnni, whose installation
// comes first; layouts of floats cannot follow the contract on bf16 tiles (docs/adr/0006).
#include "kernels/kernels.h"
#include "kernels/x86_amx/primitives.h"

namespace orrery::kernels {
namespace {

// As in avx512_vnni, for the few columns.
constexpr u32 kTileNibbles = 12;
constexpr u32 kTileBytes = 12;
constexpr u32 kPrefetchBytes = 2048;

ORRERY_INLINE I32x16 add_dots(I32x16 sum, Bytes weights, Bytes activations) {
  return {_mm512_dpbusd_epi32(sum.v, weights.v, activations.v)};
}

}  // namespace
}  // namespace orrery::kernels

#include "kernels/generic/dot_vnni.h"
#include "kernels/x86_amx/tiles_e.h"
#include "kernels/x86_amx/tiles_s.h"

namespace orrery::kernels {

void install_amx(Kernels& kernels) {
  kernels.matmul[u8(Layout::kE4)] = tile_matmul<TilesE<Layout::kE4>>;
  kernels.matmul[u8(Layout::kE4M)] = tile_matmul<TilesE<Layout::kE4M>>;
  kernels.matmul[u8(Layout::kE4N)] = tile_matmul<TilesE<Layout::kE4N>>;
  kernels.matmul[u8(Layout::kE4X)] = tile_matmul<TilesE<Layout::kE4X>>;
  kernels.matmul[u8(Layout::kE8)] = tile_matmul<TilesE<Layout::kE8>>;
  kernels.matmul[u8(Layout::kE8M)] = tile_matmul<TilesE<Layout::kE8M>>;
  kernels.matmul[u8(Layout::kS4M)] = tile_matmul<TilesS<Layout::kS4M>>;
  kernels.matmul[u8(Layout::kS8M)] = tile_matmul<TilesS<Layout::kS8M>>;
  kernels.matmul[u8(Layout::kS6)] = tile_matmul<TilesS<Layout::kS6>>;
  kernels.matmul[u8(Layout::kS4N)] = tile_matmul<TilesS<Layout::kS4N>>;
  kernels.matmul[u8(Layout::kS8)] = tile_matmul<TilesS<Layout::kS8>>;
  kernels.matmul[u8(Layout::kS2M)] = tile_matmul<TilesS<Layout::kS2M>>;
}

}  // namespace orrery::kernels
