// Tile products of the layouts with a float scale for each 32 of K (E).
//
// The contract has a float step after every 32 of K, so a tile product may be only half as deep as
// the hardware's, and each one is stored. That halves the tiles' speed and is still the best that
// keeps the bits: a dot of 32 has 17 to 20 bits (offset 8: 8 * 127 * 32), so two of them do not
// share an int32, and bytes have no room to shift one above the other. What helps: the offset is
// taken off while unpacking (signed bytes), and all 8 steps of a column are taken with its output
// in a register, from the buffer in the first-level cache.
#pragma once

#include "kernels/generic/matmul_e.h"
#include "kernels/x86_amx/matmul.h"

namespace orrery::kernels {
namespace {

template <Layout kLayout>
struct TilesE {
  using Kernel = KernelE<kLayout>;
  using View = typename Kernel::View;
  static constexpr LayoutTraits kTraits = traits(kLayout);
  static constexpr bool kSigned = kTraits.offset != 0;

  static constexpr u32 kDepth = 32, kSteps = kBlockDepth / kDepth, kTilesMost = 1;
  static constexpr u32 kTileSums = kTileColumns * kPanelRows;
  static constexpr u32 kSums = kSteps * kTileSums;  // [grain][column][16]
  static constexpr u32 kStepBytes = kDepth * kPanelRows;

  struct Panel {
    alignas(64) u8 bytes[kBlockDepth * kPanelRows];  // [k / 4][16][4]
    typename Kernel::WideScales scales;
    u32 grains;
  };

  ORRERY_INLINE static void unpack(const u8* block, u32 grains, Panel& to) {
    to.grains = grains;
    Kernel::read_scales(block, grains, to.scales);
    const typename Kernel::Source source{block + Kernel::header_size(grains)};
    for (u32 j = 0; j < grains; ++j) {
      ORRERY_UNROLL
      for (u32 g = 0; g < kGroups; ++g) {
        Bytes group = source.group(j, g);
        if constexpr (kSigned) group = subtract_each(group, u8(kTraits.offset));
        store_bytes(to.bytes + j * kStepBytes + g * 64, group);
      }
    }
  }

  ORRERY_INLINE static void begin() {}

  ORRERY_INLINE static void multiply(const Panel& panel, const View& x, u32, u32 step, i32* sums) {
    if (step >= panel.grains) return;
    const i8* a = x.values + step * kDepth;
    const u8* b = panel.bytes + step * kStepBytes;
    i32* to = sums + step * kTileSums;
    if (step % 2 == 0) {
      _tile_zero(0);
      _tile_loadd(4, a, kBlockDepth);
      _tile_loadd(6, b, 64);
      if constexpr (kSigned)
        _tile_dpbssd(0, 4, 6);
      else
        _tile_dpbsud(0, 4, 6);
      _tile_stored(0, to, 64);
    } else {
      _tile_zero(1);
      _tile_loadd(5, a, kBlockDepth);
      _tile_loadd(7, b, 64);
      if constexpr (kSigned)
        _tile_dpbssd(1, 5, 7);
      else
        _tile_dpbsud(1, 5, 7);
      _tile_stored(1, to, 64);
    }
  }

  ORRERY_INLINE static void end(u32, i32*) {}

  // The float steps of scalar's output_e() for columns [from, to) of an item; c is that of `from`.
  ORRERY_INLINE static void to_floats(const Panel& panel, const i32* sums, const View& x, f32* c,
                                      u32 from, u32 to) {
    for (u32 n = from; n < to; ++n, c += kPanelRows) {
      F32x16 sum = load(c);
      for (u32 j = 0; j < panel.grains; ++j) {
        const F32x16 dot = to_f32(load_i32(sums + j * kTileSums + n * kPanelRows));
        sum = fma(dot, panel.scales.scale(j) * splat(x.scales[n * 8 + j]), sum);
        if constexpr (kTraits.min)
          sum = fma(panel.scales.min(j), splat(x.scaled_sums[n * 8 + j]), sum);
      }
      store(c, sum);
    }
  }
};

}  // namespace
}  // namespace orrery::kernels
