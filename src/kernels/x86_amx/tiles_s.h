// Tile products of the layouts with integer sub-scales under one float scale for 256 (S).
//
// The sub-scale is multiplied into the weight while a panel is unpacked, so that a tile sums up 256
// of K without a stop. The product does not fit a byte; two planes of bytes hold it, exactly:
//   S4M  q sc = q (sc mod 16) + 16 q (sc / 16)    q <= 15: at most 225 and 45
//   S8M  q sc = q (sc mod 8) + 8 q (sc / 8)       q <= 31: at most 217 each
//   S6, S8, S4N  (q - offset) sc in 16 bits = low byte, unsigned, + 256 high byte, signed
//   S2M  q sc <= 225 is one byte; the second plane holds the mins, negative, each 16 times
// A product by a factor of 16 bits multiplies two bytes at once where neither product carries.
// Largest sums of a plane: 255 * 127 * 256 = 8.3 million; together they are scalar's int32.
#pragma once

#include "kernels/generic/matmul_s.h"
#include "kernels/x86_amx/matmul.h"

namespace orrery::kernels {
namespace {

template <Layout kLayout>
struct TilesS {
  using Kernel = KernelS<kLayout>;
  using View = typename Kernel::View;
  static constexpr LayoutTraits kTraits = traits(kLayout);
  static constexpr bool kMinPlane = kLayout == Layout::kS2M;
  static constexpr bool kWords = kTraits.offset != 0;
  static constexpr bool kSignedHigh = kWords || kMinPlane;
  static constexpr int kShift = kWords ? 8 : kLayout == Layout::kS4M ? 4 : 3;  // of the high plane

  static constexpr u32 kDepth = 64, kSteps = kBlockDepth / kDepth, kTilesMost = 2;
  static constexpr u32 kPlaneSums = kTilesMost * kTileColumns * kPanelRows;
  static constexpr u32 kSums = 2 * kPlaneSums;  // [plane][column][16]
  static constexpr u32 kStepBytes = kDepth * kPanelRows;

  struct Panel {
    alignas(64) u8 low[kBlockDepth * kPanelRows];  // [k / 4][16][4]
    alignas(64) u8 high[kBlockDepth * kPanelRows];
    alignas(64) f32 d[kPanelRows];
    alignas(64) f32 dmin[kPanelRows];
    alignas(64) i16 minus_mins[4][2 * kPanelRows];  // [pair of sub-blocks][row][2]
  };

  ORRERY_INLINE static void unpack(const u8* block, u32 grains, Panel& to) {
    typename Kernel::Header header;
    Kernel::read_scales(block, grains, header);
    store(to.d, header.d);
    if constexpr (kTraits.min) store(to.dmin, header.dmin);
    if constexpr (Kernel::kScalesOf32)
      for (u32 p = 0; p < 4; ++p)
        store_pairs(to.minus_mins[p],
                    multiply_words(widen_pairs(header.min_bytes[2 * p]), splat_i16(-1)));
    const typename Kernel::Source source{block + Kernel::header_size(grains)};
    for (u32 j = 0; j < 16; ++j) {  // 16 of K
      const u32 sub_block = Kernel::kScalesOf32 ? j / 2 : j;
      const Pairs scale = twin_pairs(header.scale_bytes[sub_block]);
      ORRERY_UNROLL
      for (u32 g = 0; g < 4; ++g) {
        const u32 at = (4 * j + g) * 64;
        const Pairs q{source.group(j / 2, j % 2 * 4 + g).v};
        if constexpr (kMinPlane) {
          store_pairs(to.low + at, multiply_words(q, scale));
          const Pairs minus_min = multiply_words(twin_pairs(header.min_bytes[j]), splat_i16(-1));
          store_bytes(to.high + at, low_bytes(minus_min, minus_min));
        } else if constexpr (kWords) {
          split_words(q, scale, to.low + at, to.high + at);
        } else {
          constexpr i16 kMask = (1 << kShift) - 1;
          store_pairs(to.low + at, multiply_words(q, and_words(scale, kMask)));
          store_pairs(to.high + at, multiply_words(q, shift_pairs_right<kShift>(scale)));
        }
      }
    }
  }

  // The low bytes of the words of `even` and `odd`, in turns.
  ORRERY_INLINE static Bytes low_bytes(Pairs even, Pairs odd) {
    return Bytes{and_words(even, 255).v} | Bytes{shift_pairs_left<8>(odd).v};
  }

  // The low and the high bytes of (q - offset) * scale of 64 unsigned q.
  ORRERY_INLINE static void split_words(Pairs q, Pairs scale, u8* low, u8* high) {
    const Pairs minus_offset = splat_i16(i16(-i32(kTraits.offset)));
    const Pairs even = multiply_words(add_pairs(and_words(q, 255), minus_offset), scale);
    const Pairs odd = multiply_words(add_pairs(shift_pairs_right<8>(q), minus_offset), scale);
    store_bytes(low, low_bytes(even, odd));
    store_bytes(high, Bytes{shift_pairs_right<8>(even).v} | Bytes{and_words(odd, i16(-256)).v});
  }

  ORRERY_INLINE static void begin() {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }

  ORRERY_INLINE static void multiply(const Panel& panel, const View& x, u32 tiles, u32 step, i32*) {
    const i8* a = x.values + step * kDepth;
    _tile_loadd(4, a, kBlockDepth);
    _tile_loadd(6, panel.low + step * kStepBytes, 64);
    _tile_loadd(7, panel.high + step * kStepBytes, 64);
    _tile_dpbsud(0, 4, 6);
    if constexpr (kSignedHigh)
      _tile_dpbssd(2, 4, 7);
    else
      _tile_dpbsud(2, 4, 7);
    if (tiles < 2) return;
    _tile_loadd(5, a + kTileColumns * kBlockDepth, kBlockDepth);
    _tile_dpbsud(1, 5, 6);
    if constexpr (kSignedHigh)
      _tile_dpbssd(3, 5, 7);
    else
      _tile_dpbsud(3, 5, 7);
  }

  ORRERY_INLINE static void end(u32 tiles, i32* sums) {
    _tile_stored(0, sums, 64);
    _tile_stored(2, sums + kPlaneSums, 64);
    if (tiles < 2) return;
    _tile_stored(1, sums + kPlaneSums / 2, 64);
    _tile_stored(3, sums + kPlaneSums + kPlaneSums / 2, 64);
  }

  // The float steps of scalar's output_s() for columns [from, to) of an item; c is that of `from`.
  ORRERY_INLINE static void to_floats(const Panel& panel, const i32* sums, const View& x, f32* c,
                                      u32 from, u32 to) {
    const F32x16 d = load(panel.d);
    for (u32 n = from; n < to; ++n, c += kPanelRows) {
      const I32x16 low = load_i32(sums + n * kPanelRows);
      const I32x16 high = load_i32(sums + kPlaneSums + n * kPanelRows);
      const F32x16 scale = splat(x.scales[n]);
      const I32x16 isum = kMinPlane ? low : low + shift_left<kShift>(high);
      F32x16 sum = fma(to_f32(isum) * scale, d, load(c));
      if constexpr (kTraits.min) {
        I32x16 minus_msum = high;
        if constexpr (!kMinPlane) {
          minus_msum = splat_i32(0);
          ORRERY_UNROLL
          for (u32 p = 0; p < 4; ++p)
            minus_msum = add_products(minus_msum, load_i32(panel.minus_mins[p]),
                                      splat_pair(x.sums_of_32 + n * 8 + 2 * p));
        }
        sum = fma(to_f32(minus_msum) * scale, load(panel.dmin), sum);
      }
      store(c, sum);
    }
  }
};

}  // namespace
}  // namespace orrery::kernels
