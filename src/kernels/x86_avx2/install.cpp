// The avx2 rung: AVX2, FMA and F16C (Intel from 2013, AMD from 2017).
#include "kernels/kernels.h"
#include "kernels/x86_avx2/primitives.h"

namespace orrery::kernels {
namespace {

// 12 accumulators, two registers of weights, one activation and one product: all 16 ymm.
constexpr u32 kTileNibbles = 6;
constexpr u32 kTileBytes = 3;   // two planes each
constexpr u32 kTileFloats = 6;  // 12 chains of one parity, the weight, an activation
constexpr u32 kQueryTile = 6;   // 12 chains, two of keys, one of the query
constexpr u32 kAttentionTile = 4;
constexpr u32 kPrefetchBytes = 2048;

}  // namespace
}  // namespace orrery::kernels

#include "kernels/generic/dot_words.h"
#include "kernels/generic/install.h"
#include "kernels/x86_avx2/tile_rows.h"

namespace orrery::kernels {

void install_avx2(Kernels& kernels) {
  install_generic(kernels);
  kernels.tile_rows = tile_rows;
}

}  // namespace orrery::kernels
