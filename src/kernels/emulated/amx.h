// AMX's tile instructions as plain loops over the words of Intel's manual: only for tests.
//
// Every condition under which the CPU would raise an exception (a bad configuration, a tile not
// configured, shapes that do not fit, tile numbers used twice) is checked and counted, so that a
// test can demand that there was none. Include after emulated/avx512.h.
#pragma once

#include <cstring>

#include "base/types.h"

namespace orrery::emulated {

struct TileRegisters {
  bool configured = false;
  u16 row_bytes[8] = {};
  u8 rows[8] = {};
  u8 data[8][16][64] = {};
  u32 faults = 0;    // where the CPU would have raised an exception
  u64 products = 0;  // tile products so far
};
inline thread_local TileRegisters tiles;

// LDTILECFG: palette 1 has 8 tiles of at most 16 rows of 64 bytes; what it does not know must be 0.
inline void tile_loadconfig(const void* from) {
  u8 bytes[64];
  std::memcpy(bytes, from, 64);
  bool good = bytes[0] == 1;
  for (u32 i = 2; i < 16; ++i) good = good && bytes[i] == 0;
  for (u32 i = 32; i < 48; ++i) good = good && bytes[i] == 0;
  for (u32 i = 56; i < 64; ++i) good = good && bytes[i] == 0;
  TileRegisters next;
  for (u32 tile = 0; tile < 8; ++tile) {
    std::memcpy(&next.row_bytes[tile], bytes + 16 + 2 * tile, 2);
    next.rows[tile] = bytes[48 + tile];
    good = good && next.row_bytes[tile] <= 64 && next.rows[tile] <= 16;
    good = good && (next.row_bytes[tile] == 0) == (next.rows[tile] == 0);
  }
  next.configured = good;
  next.faults = tiles.faults + !good;
  next.products = tiles.products;
  tiles = next;
}
inline void tile_release() {
  TileRegisters next;
  next.faults = tiles.faults;
  next.products = tiles.products;
  tiles = next;
}

inline bool usable(u32 tile) {
  const bool good = tile < 8 && tiles.configured && tiles.rows[tile] > 0;
  tiles.faults += !good;
  return good;
}
inline void tile_zero(u32 tile) {
  if (usable(tile)) std::memset(tiles.data[tile], 0, sizeof tiles.data[tile]);
}
// TILELOADD: what the configuration leaves out becomes zero, in every row and below the last.
inline void tile_loadd(u32 tile, const void* base, i64 stride) {
  if (!usable(tile)) return;
  std::memset(tiles.data[tile], 0, sizeof tiles.data[tile]);
  for (u32 row = 0; row < tiles.rows[tile]; ++row)
    std::memcpy(tiles.data[tile][row], static_cast<const u8*>(base) + row * stride,
                tiles.row_bytes[tile]);
}
inline void tile_stored(u32 tile, void* base, i64 stride) {
  if (!usable(tile)) return;
  for (u32 row = 0; row < tiles.rows[tile]; ++row)
    std::memcpy(static_cast<u8*>(base) + row * stride, tiles.data[tile][row],
                tiles.row_bytes[tile]);
}

// TDPB[SU][SU]D: sum[m][n] += sum over k and i of a[m][4 k + i] * b[k][4 n + i], wrapping.
template <typename A, typename B>
void tile_dp(u32 sum, u32 a, u32 b) {
  if (!usable(sum) || !usable(a) || !usable(b)) return;
  const u32 rows = tiles.rows[sum], columns = tiles.row_bytes[sum] / 4u;
  const u32 depth = tiles.row_bytes[a] / 4u;
  const bool fits = tiles.rows[a] == rows && tiles.row_bytes[b] == tiles.row_bytes[sum] &&
                    tiles.rows[b] == depth && tiles.row_bytes[sum] % 4 == 0 &&
                    tiles.row_bytes[a] % 4 == 0 && sum != a && sum != b && a != b;
  tiles.faults += !fits;
  if (!fits) return;
  ++tiles.products;
  for (u32 m = 0; m < rows; ++m)
    for (u32 n = 0; n < columns; ++n) {
      u32 total;
      std::memcpy(&total, tiles.data[sum][m] + 4 * n, 4);
      for (u32 k = 0; k < depth; ++k)
        for (u32 i = 0; i < 4; ++i)
          total += u32(i32(A(tiles.data[a][m][4 * k + i])) * i32(B(tiles.data[b][k][4 * n + i])));
      std::memcpy(tiles.data[sum][m] + 4 * n, &total, 4);
    }
}

inline V512 dpwssd_epi32(V512 sum, V512 a, V512 b) { return add_epi32(sum, madd_epi16(a, b)); }
inline V512 mullo_epi16(V512 a, V512 b) {
  return each<u16>([&](u32 i) { return u32(a.get<u16>(i)) * b.get<u16>(i); });
}
inline V512 sub_epi8(V512 a, V512 b) {
  return each<u8>([&](u32 i) { return a.get<u8>(i) - b.get<u8>(i); });
}

}  // namespace orrery::emulated

#define _tile_loadconfig ::orrery::emulated::tile_loadconfig
#define _tile_release ::orrery::emulated::tile_release
#undef _tile_zero
#define _tile_zero ::orrery::emulated::tile_zero
#undef _tile_loadd
#define _tile_loadd ::orrery::emulated::tile_loadd
#undef _tile_stored
#define _tile_stored ::orrery::emulated::tile_stored
#undef _tile_dpbssd
#define _tile_dpbssd ::orrery::emulated::tile_dp<::orrery::i8, ::orrery::i8>
#undef _tile_dpbsud
#define _tile_dpbsud ::orrery::emulated::tile_dp<::orrery::i8, ::orrery::u8>
#undef _tile_dpbusd
#define _tile_dpbusd ::orrery::emulated::tile_dp<::orrery::u8, ::orrery::i8>
#undef _tile_dpbuud
#define _tile_dpbuud ::orrery::emulated::tile_dp<::orrery::u8, ::orrery::u8>
#define _mm512_dpwssd_epi32 ::orrery::emulated::dpwssd_epi32
#define _mm512_mullo_epi16 ::orrery::emulated::mullo_epi16
#define _mm512_sub_epi8 ::orrery::emulated::sub_epi8
