// The tile instructions as this rung uses them, and the few vector instructions that only it needs.
//
// A tile register holds up to 16 rows of 64 bytes; its number is part of the instruction, so the
// names below are macros over literals. g++ 12 declares tile loads and the load of the
// configuration without saying that they read memory: stores before them could be dropped.
// tiles_see_memory() stands between (docs/adr/0006).
#pragma once

#include "kernels/x86_avx512/primitives.h"

namespace orrery::kernels {
namespace {

ORRERY_INLINE void tiles_see_memory() { __asm__ volatile("" ::: "memory"); }

// What LDTILECFG reads: Intel's manual, volume 1, chapter 18, "tile configuration".
struct TileConfig {
  u8 palette = 1;  // 8 tiles of 16 rows of 64 bytes
  u8 start_row = 0;
  u8 reserved[14] = {};
  u16 row_bytes[16] = {};
  u8 rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

// Tiles 0 to 3 collect sums [16 columns][16 rows of weights], 4 and 5 hold activations [16
// columns][depth], 6 and 7 weights [depth / 4][16 rows][4]. The depth of a product is 32 or 64.
ORRERY_INLINE void configure_tiles(u32 depth) {
  alignas(64) TileConfig config;
  for (u32 tile = 0; tile < 8; ++tile) {
    const bool activations = tile == 4 || tile == 5, weights = tile >= 6;
    config.row_bytes[tile] = u16(activations ? depth : 64);
    config.rows[tile] = u8(weights ? depth / 4 : 16);
  }
  tiles_see_memory();
  _tile_loadconfig(&config);
}

ORRERY_INLINE Bytes subtract_each(Bytes a, u8 b) {
  return {_mm512_sub_epi8(a.v, _mm512_set1_epi8(i8(b)))};
}
// The low halves of the products of words.
ORRERY_INLINE Pairs multiply_words(Pairs a, Pairs b) { return {_mm512_mullo_epi16(a.v, b.v)}; }
ORRERY_INLINE Pairs and_words(Pairs a, i16 mask) {
  return {_mm512_and_si512(a.v, _mm512_set1_epi16(mask))};
}
template <int kBy>
ORRERY_INLINE Pairs shift_pairs_right(Pairs a) {  // zeros come in
  return {_mm512_srli_epi16(a.v, kBy)};
}
// sum + the products of the two int16 of each dword.
ORRERY_INLINE I32x16 add_products(I32x16 sum, Pairs a, Pairs b) {
  return {_mm512_dpwssd_epi32(sum.v, a.v, b.v)};
}
ORRERY_INLINE I32x16 load_i32(const void* from) { return {_mm512_loadu_si512(from)}; }
ORRERY_INLINE void store_pairs(void* to, Pairs a) { _mm512_storeu_si512(to, a.v); }

}  // namespace
}  // namespace orrery::kernels
