// The loops around the matmul kernels, the same for every integer layout.
//
// Few columns ("narrow", up to some register tiles): each panel is read straight from its packed
// form, with the outputs in registers. Many columns ("wide"): a group of panels at a time; each
// block of 256 K is unpacked once into the first-level cache and meets all columns there, a
// register tile of them after another, while the activations of the block stay in cache for the
// whole group. The outputs wait between blocks in a buffer of floats. Goto & van de Geijn 2008
// explain the cache blocking.
#pragma once

#include "kernels/generic/source.h"

namespace orrery::kernels {
namespace {

constexpr u32 kPanelGroup = 8;  // 8 panels x 96 columns of floats: 48 KiB in the second-level cache
constexpr u32 kColumnChunk = 96;  // x 256 bytes: 24 KiB in the first-level cache

constexpr u32 kNarrowTiles = 4;  // with more, unpacking once pays

struct Destination {
  const PackedMatrix& weights;
  f32* out;
  u64 stride;
  bool add;

  ORRERY_INLINE void put(u32 panel, u32 column, F32x16 c) const {
    f32* to = out + column * stride + panel * kPanelRows;
    const u32 rows = weights.rows - panel * kPanelRows;
    if (rows >= kPanelRows) return store(to, add ? load(to) + c : c);
    alignas(64) f32 values[kPanelRows];
    store(values, c);
    for (u32 row = 0; row < rows; ++row) to[row] = add ? to[row] + values[row] : values[row];
  }
};

ORRERY_INLINE u32 grains_of(const PackedMatrix& weights, bool whole_blocks) {
  return whole_blocks ? (weights.cols + kBlockDepth - 1) / kBlockDepth * 8
                      : (weights.cols + kDepthGrain - 1) / kDepthGrain;
}

template <class Kernel, u32 kColumns>
__attribute__((noinline)) void narrow(const Destination& to, const Activations& x, u32 first,
                                      u32 panel_begin, u32 panel_end) {
  const u32 grains = grains_of(to.weights, Kernel::kWholeBlocks);
  for (u32 p = panel_begin; p < panel_end; ++p) {
    const u8* block = to.weights.data + p * to.weights.panel_bytes;
    F32x16 c[kColumns];
    ORRERY_UNROLL
    for (auto& sum : c) sum = splat(0);
    for (u32 b = 0; 8 * b < grains; ++b) {
      const u32 count = grains - 8 * b < 8 ? grains - 8 * b : 8;
      typename Kernel::NarrowScales scales;
      Kernel::read_scales(block, count, scales);
      const typename Kernel::Source source{block + Kernel::header_size(count)};
      Kernel::template block<kColumns>(source, scales, count, Kernel::View::at(x, b, first), c);
      block += Kernel::block_size(count);
    }
    ORRERY_UNROLL
    for (u32 n = 0; n < kColumns; ++n) to.put(p, first + n, c[n]);
  }
}

template <class Kernel>
struct WideBlock {
  alignas(64) u8 bytes[Kernel::Wide::kBytes];
  typename Kernel::WideScales scales;
  u32 grains;
};

template <class Kernel, u32 kColumns>
__attribute__((noinline)) void wide_tile(const WideBlock<Kernel>& block,
                                         const typename Kernel::View& x, f32* out) {
  F32x16 c[kColumns];
  ORRERY_UNROLL
  for (u32 n = 0; n < kColumns; ++n) c[n] = load(out + n * kPanelRows);
  Kernel::template block<kColumns>(typename Kernel::Wide{block.bytes}, block.scales, block.grains,
                                   x, c);
  ORRERY_UNROLL
  for (u32 n = 0; n < kColumns; ++n) store(out + n * kPanelRows, c[n]);
}

template <class Kernel>
struct WideTileCall {
  const WideBlock<Kernel>& block;
  const typename Kernel::View& x;
  f32* out;
  template <u32 kColumns>
  ORRERY_INLINE void run() const {
    wide_tile<Kernel, kColumns>(block, x, out);
  }
};

template <class Kernel>
struct NarrowCall {
  const Destination& to;
  const Activations& x;
  u32 first, panel_begin, panel_end;
  template <u32 kColumns>
  ORRERY_INLINE void run() const {
    narrow<Kernel, kColumns>(to, x, first, panel_begin, panel_end);
  }
};

// Columns in `tiles` register tiles of about the same width, panel by panel: the second tile finds
// the panel in the caches.
template <class Kernel>
void narrow_tiles(const Destination& to, const Activations& x, u32 tiles, u32 panel_begin,
                  u32 panel_end) {
  const u32 step = tiles == 1 ? panel_end - panel_begin : 1;
  for (u32 p = panel_begin; p < panel_end; p += step)
    for (u32 tile = 0; tile < tiles; ++tile) {
      const u32 first = x.columns * tile / tiles, end = x.columns * (tile + 1) / tiles;
      with_constant<Kernel::kTile>(end - first, NarrowCall<Kernel>{to, x, first, p, p + step});
    }
}

// One group of panels against columns [first, first + count).
template <class Kernel>
void wide_group(const Destination& to, const Activations& x, u32 panel_begin, u32 panel_end,
                u32 first, u32 count) {
  alignas(64) f32 c[kPanelGroup][kColumnChunk][kPanelRows];
  for (u32 p = 0; p < panel_end - panel_begin; ++p)
    __builtin_memset(c[p], 0, count * sizeof c[p][0]);
  const u32 grains = grains_of(to.weights, Kernel::kWholeBlocks);
  for (u32 b = 0; 8 * b < grains; ++b) {
    WideBlock<Kernel> block;
    block.grains = grains - 8 * b < 8 ? grains - 8 * b : 8;
    for (u32 p = panel_begin; p < panel_end; ++p) {
      const u8* from =
          to.weights.data + p * to.weights.panel_bytes + b * u64(Kernel::block_size(8));
      Kernel::read_scales(from, block.grains, block.scales);
      const typename Kernel::Source source{from + Kernel::header_size(block.grains)};
      Kernel::Wide::fill(source, block.grains, block.bytes);
      for (u32 n = 0; n < count; n += Kernel::kTile) {
        const auto view = Kernel::View::at(x, b, first + n);
        const u32 columns = count - n < Kernel::kTile ? count - n : Kernel::kTile;
        with_constant<Kernel::kTile>(columns,
                                     WideTileCall<Kernel>{block, view, c[p - panel_begin][n]});
      }
    }
  }
  for (u32 p = panel_begin; p < panel_end; ++p)
    for (u32 n = 0; n < count; ++n) to.put(p, first + n, load(c[p - panel_begin][n]));
}

template <class Kernel>
void matmul(const PackedMatrix& weights, const Activations& x, u32 panel_begin, u32 panel_end,
            f32* out, u64 out_stride, bool add) {
  const Destination to{weights, out, out_stride, add};
  if (x.columns == 0) return;
  const u32 tiles = (x.columns + Kernel::kTile - 1) / Kernel::kTile;
  if (tiles <= kNarrowTiles) return narrow_tiles<Kernel>(to, x, tiles, panel_begin, panel_end);
  // Groups of about the same height: one panel alone would read all activations for itself.
  const u32 panels = panel_end - panel_begin, groups = (panels + kPanelGroup - 1) / kPanelGroup;
  for (u32 group = 0; group < groups; ++group) {
    const u32 p = panel_begin + panels * group / groups;
    const u32 end = panel_begin + panels * (group + 1) / groups;
    for (u32 first = 0; first < x.columns; first += kColumnChunk) {
      const u32 count = x.columns - first < kColumnChunk ? x.columns - first : kColumnChunk;
      wide_group<Kernel>(to, x, p, end, first, count);
    }
  }
}

}  // namespace
}  // namespace orrery::kernels
