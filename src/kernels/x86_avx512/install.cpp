// The avx512 rung: AVX-512 F, BW, DQ and VL, without VNNI (Intel from 2017).
#include "kernels/kernels.h"
#include "kernels/x86_avx512/primitives.h"

namespace orrery::kernels {
namespace {

constexpr u32 kTileNibbles = 12;  // 12 accumulators and 12 outputs of 32 zmm
constexpr u32 kTileBytes = 6;     // two planes each
constexpr u32 kTileFloats = 12;   // chains of one parity
constexpr u32 kQueryTile = 8;
constexpr u32 kAttentionTile = 8;
constexpr u32 kPrefetchBytes = 2048;

}  // namespace
}  // namespace orrery::kernels

#include "kernels/generic/dot_words.h"
#include "kernels/generic/install.h"

namespace orrery::kernels {

void install_avx512(Kernels& kernels) { install_generic(kernels); }

}  // namespace orrery::kernels
