// The loops around tile products: many columns against a group of panels.
//
// For each 256 of K a group of panels is unpacked once into bytes that tiles load as they stand
// (second-level cache), and meets all columns of a pass: 64 columns at a time, whose activations
// stay in the first-level cache while the panels pass by. An item is one panel and 16 or 32
// columns: its tile products leave int32 sums in a small buffer, and the vector units turn the
// buffer of the item before into floats between the tile products of this one; both units work at
// once.
//
// A tile always has 16 columns. Where fewer are left, it begins earlier and the columns that it has
// in common with its neighbour are computed but not added again: no copies, no reads past the end.
#pragma once

#include "kernels/generic/matmul.h"
#include "kernels/x86_amx/primitives.h"

namespace orrery::kernels {
namespace {

// Up to this many columns the vector kernels run: a tile costs the same for 1 column as for 16, and
// unpacking must pay for itself.
constexpr u32 kColumnsOfVectors = 16;
constexpr u32 kTileColumns = 16;
constexpr u32 kTilePanels = 8;     // x 2 planes of 4 KiB: 64 KiB
constexpr u32 kPassColumns = 256;  // x 8 panels x 16 floats: 128 KiB
constexpr u32 kChunkColumns = 64;  // x 256 bytes of activations: 16 KiB

// 16 * tiles columns from `first` on; those before `skip` were counted by another item.
struct Item {
  u32 first, tiles, skip;
};

// The item that starts with column `next` of those before `end`, in a matrix of at least 16.
ORRERY_INLINE Item item_at(u32 next, u32 end, u32 tiles_most) {
  const u32 left = end - next;
  for (u32 tiles = tiles_most; tiles > 1; --tiles) {
    const u32 columns = tiles * kTileColumns;
    if (left >= columns) return {next, tiles, 0};
    if (left > columns - kTileColumns && end >= columns)
      return {end - columns, tiles, columns - left};
  }
  if (left >= kTileColumns) return {next, 1, 0};
  return {end - kTileColumns, 1, kTileColumns - left};
}

template <class Tiles>
struct TileGroup {
  alignas(64) typename Tiles::Panel panels[kTilePanels];
  alignas(64) f32 c[kTilePanels][kPassColumns][kPanelRows];
  alignas(64) i32 sums[2][Tiles::kSums];
};

// An item whose integer sums wait to become floats.
template <class Tiles>
struct Pending {
  const typename Tiles::Panel* panel;
  typename Tiles::View x;
  const i32* sums;
  f32* c;     // [column of the pass][16]
  i64 shift;  // the item's first column among those of the pass; below 0 where it begins earlier
  u32 begin, end;  // its columns that count

  // Part `step` of Tiles::kSteps.
  ORRERY_INLINE void part(u32 step) const {
    constexpr u32 kEach = Tiles::kTilesMost * kTileColumns / Tiles::kSteps;
    const u32 to = (step + 1) * kEach < end ? (step + 1) * kEach : end;
    const u32 from = step * kEach < begin ? begin : step * kEach;
    if (from < to) Tiles::to_floats(*panel, sums, x, c + (shift + from) * kPanelRows, from, to);
  }
};

template <class Tiles>
__attribute__((noinline)) void run_item(const typename Tiles::Panel& panel, const Item& item,
                                        const typename Tiles::View& x, i32* sums,
                                        const Pending<Tiles>& before) {
  tiles_see_memory();
  Tiles::begin();
  for (u32 step = 0; step < Tiles::kSteps; ++step) {
    Tiles::multiply(panel, x, item.tiles, step, sums);
    before.part(step);
  }
  Tiles::end(item.tiles, sums);
}

// Panels [panel_begin, panel_end) against columns [first, end).
template <class Tiles>
void tile_pass(const Destination& to, const Activations& x, u32 panel_begin, u32 panel_end,
               u32 first, u32 end) {
  TileGroup<Tiles> group;
  const u32 panels = panel_end - panel_begin;
  for (u32 p = 0; p < panels; ++p)
    __builtin_memset(group.c[p], 0, (end - first) * sizeof group.c[p][0]);
  const u32 grains = grains_of(to.weights, Tiles::Kernel::kWholeBlocks);
  for (u32 b = 0; 8 * b < grains; ++b) {
    const u32 count = grains - 8 * b < 8 ? grains - 8 * b : 8;
    const u64 offset = b * u64(Tiles::Kernel::block_size(8));
    for (u32 p = 0; p < panels; ++p)
      Tiles::unpack(to.weights.data + (panel_begin + p) * to.weights.panel_bytes + offset, count,
                    group.panels[p]);
    Pending<Tiles> pending{};
    u32 turn = 0;
    for (u32 chunk = first; chunk < end; chunk += kChunkColumns) {
      const u32 chunk_end = end - chunk < kChunkColumns ? end : chunk + kChunkColumns;
      for (u32 p = 0; p < panels; ++p)
        for (u32 next = chunk; next < chunk_end;) {
          const Item item = item_at(next, chunk_end, Tiles::kTilesMost);
          const auto view = Tiles::View::at(x, b, item.first);
          run_item<Tiles>(group.panels[p], item, view, group.sums[turn], pending);
          pending = {&group.panels[p],
                     view,
                     group.sums[turn],
                     &group.c[p][0][0],
                     i64(item.first) - i64(first),
                     item.skip,
                     item.tiles * kTileColumns};
          turn ^= 1;
          next = item.first + item.tiles * kTileColumns;
        }
    }
    for (u32 step = 0; step < Tiles::kSteps; ++step) pending.part(step);
  }
  for (u32 p = 0; p < panels; ++p)
    for (u32 n = first; n < end; ++n) to.put(panel_begin + p, n, load(group.c[p][n - first]));
}

template <class Tiles>
void tile_matmul(const PackedMatrix& weights, const Activations& x, u32 panel_begin, u32 panel_end,
                 f32* out, u64 out_stride, bool add) {
  if (x.columns <= kColumnsOfVectors)
    return matmul<typename Tiles::Kernel>(weights, x, panel_begin, panel_end, out, out_stride, add);
  const Destination to{weights, out, out_stride, add};
  // Passes of about equal width, whole chunks but for the last.
  const u32 passes = (x.columns + kPassColumns - 1) / kPassColumns;
  const u32 each = (x.columns + passes - 1) / passes;
  const u32 width = (each + kChunkColumns - 1) / kChunkColumns * kChunkColumns;
  configure_tiles(Tiles::kDepth);
  for (u32 p = panel_begin; p < panel_end; p += kTilePanels) {
    const u32 end = panel_end - p < kTilePanels ? panel_end : p + kTilePanels;
    for (u32 first = 0; first < x.columns; first += width) {
      const u32 last = x.columns - first < width ? x.columns : first + width;
      tile_pass<Tiles>(to, x, p, end, first, last);
    }
  }
  _tile_release();
}

}  // namespace
}  // namespace orrery::kernels
