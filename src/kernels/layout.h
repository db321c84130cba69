// The byte geometry of the packed layouts, shared by packing, the scalar oracle and the fast rungs.
//
// One row a layout: how many header and data bytes 32 values of K take for 16 rows. Everything else
// (where a block, its scales and a quant lie) follows from that. docs/formats/packed.md has
// pictures.
#pragma once

#include <string_view>

#include "kernels/packed.h"

namespace orrery::kernels {

struct LayoutInfo {
  Layout layout;
  std::string_view name;
  ActivationKind activations;
  u32 fixed_header_bytes;  // a block of 256
  u32 grain_header_bytes;  // each 32 of K in the block
  u32 grain_data_bytes;    // each 32 of K in the block
  bool whole_blocks;       // K is always a multiple of 256
};

[[nodiscard]] const LayoutInfo& info(Layout layout);

// Header and data bytes of a block that holds `grains` times 32 values of K; both keep data aligned
// to 64 bytes, so that no vector crosses a cache line.
[[nodiscard]] inline u64 header_bytes(const LayoutInfo& row, u32 grains) {
  return round_up(row.fixed_header_bytes + row.grain_header_bytes * grains, 64u);
}
[[nodiscard]] inline u64 block_bytes(const LayoutInfo& row, u32 grains) {
  return header_bytes(row, grains) + u64(row.grain_data_bytes) * grains;
}

// Headers of the layouts with sub-scales: byte offsets within the header.
//   S4M, S8M: low[128]: low nibble, 4 bits of the scale of sub-block i / 16 and row i % 16; high
//   nibble,
//             4 bits of the min of sub-block i / 32 * 2 + i % 2 and row i % 32 / 2 (mins of two
//             neighbours side by side, because they are multiplied in pairs);
//             high[64]: bits 0-1 and 2-3 go on top of scale i and min i, bits 4-5 and 6-7 on top of
//             scale i + 64 and min i + 64; then d[16] f16, dmin[16] f16
//   S6, S8:   scale[16][16] int8, d[16] f16
//   S2M:      scale | min << 4 [16][16], d[16] f16, dmin[16] f16
inline constexpr u32 kHighOffset = 128, kScaleOffset32 = 192, kMinOffset32 = 224;
inline constexpr u32 kScaleOffset16 = 256, kMinOffset16 = 288;

// Where the min of sub-block j (0 .. 7) and a row stands among the 128 of an S4M or S8M header.
[[nodiscard]] constexpr u32 min_position(u32 j, u32 row) { return 32 * (j / 2) + 2 * row + j % 2; }

}  // namespace orrery::kernels
