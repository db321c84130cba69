// Layouts with integer sub-scales under one float scale for each 256 of K (scalar/matmul.cpp, S).
#pragma once

#include "kernels/generic/matmul.h"

namespace orrery::kernels {
namespace {

template <Layout kLayout>
struct KernelS {
  static constexpr LayoutTraits kTraits = traits(kLayout);
  static constexpr bool kWholeBlocks = true;
  static constexpr u32 kTile = kTraits.operand == Operand::kByte ? kTileBytes : kTileNibbles;
  static constexpr bool kScalesOf32 = kLayout == Layout::kS4M || kLayout == Layout::kS8M;
  static constexpr u32 kSubBlocks = kBlockDepth / kTraits.sub_block;
  using Source = Packed<kLayout>;
  using Wide = Unpacked<kLayout>;

  static constexpr u32 header_size(u32) { return kScalesOf32 ? 256 : 320; }
  static constexpr u32 block_size(u32) { return header_size(8) + 8 * Source::kGrainBytes; }

  struct View {
    const i8* values;
    const f32* scales;
    const i16* offset_halves;
    const i16* sums_of_32;
    ORRERY_INLINE static View at(const Activations& x, u32 block, u32 column) {
      const u64 slab = u64(block) * x.columns + column;
      return {x.values + slab * kBlockDepth, x.scales + slab, x.offset_halves + slab * 32,
              x.sums_of_32 + slab * 8};
    }
  };

  // The header taken apart: what the kernel multiplies, 16 rows each.
  struct Header {
    alignas(64) u8 scale_bytes[16][16];  // by sub-blocks of 32 or of 16, as the file has them
    alignas(
        64) u8 min_bytes[16][16];  // kScalesOf32: [pair of sub-blocks][row][2] in the first half
    F32x16 d, dmin;

    ORRERY_INLINE Scales scale(u32 j) const {
      return load_scales(scale_bytes[kScalesOf32 && kTraits.sub_block == 16 ? j / 2 : j]);
    }
  };

  using NarrowScales = Header;
  using WideScales = Header;
  ORRERY_INLINE static void read_scales(const u8* from, u32, Header& to) {
    if constexpr (kScalesOf32) {
      const Bytes high = load_bytes(from + kHighOffset);
      const Bytes low[2] = {load_bytes(from), load_bytes(from + 64)};
      const Bytes scale_high[2] = {and_each(shift_words_left<4>(high), 0x30), and_each(high, 0x30)};
      const Bytes min_high[2] = {and_each(shift_words_left<2>(high), 0x30),
                                 and_each(shift_words_right<2>(high), 0x30)};
      ORRERY_UNROLL
      for (u32 i = 0; i < 2; ++i) {
        store_bytes(to.scale_bytes[4 * i], and_each(low[i], 15) | scale_high[i]);
        store_bytes(to.min_bytes[4 * i], and_each(shift_words_right<4>(low[i]), 15) | min_high[i]);
      }
      to.d = load_f16(from + kScaleOffset32);
      to.dmin = load_f16(from + kMinOffset32);
    } else {
      ORRERY_UNROLL
      for (u32 i = 0; i < 4; ++i) {
        const Bytes both = load_bytes(from + 64 * i);
        store_bytes(to.scale_bytes[4 * i], kTraits.min ? and_each(both, 15) : both);
        if (kTraits.min) store_bytes(to.min_bytes[4 * i], and_each(shift_words_right<4>(both), 15));
      }
      to.d = load_f16(from + kScaleOffset16);
      if (kTraits.min) to.dmin = load_f16(from + kMinOffset16);
    }
  }

  // Sub-block j's weights times activations, added under its scale to each column's sum.
  template <u32 kColumns, class Weights>
  ORRERY_INLINE static void sub_block(const Weights& weights, Scales scale, u32 j, const View& x,
                                      I32x16 (&isums)[kColumns]) {
    typename OperandOf<kTraits.operand>::Sum sums[kColumns];
    ORRERY_UNROLL
    for (u32 n = 0; n < kColumns; ++n) {
      if constexpr (kTraits.offset == 32)
        set_offset_32(sums[n], x.offset_halves + n * 32 + 2 * j);
      else
        set_zero(sums[n]);
    }
    constexpr u32 kGroupsEach = kTraits.sub_block / 4;
    const u32 grain = j * kTraits.sub_block / 32, first = j * kGroupsEach % kGroups;
    ORRERY_UNROLL
    for (u32 g = 0; g < kGroupsEach; ++g) {
      const auto group = weights.group(grain, first + g);
      ORRERY_UNROLL
      for (u32 n = 0; n < kColumns; ++n)
        sums[n] =
            dot(sums[n], group, splat4(x.values + n * kBlockDepth + kTraits.sub_block * j + 4 * g));
    }
    ORRERY_UNROLL
    for (u32 n = 0; n < kColumns; ++n) isums[n] = add_scaled(isums[n], sums[n], scale);
  }

  // -128 * sum of scale_j * (sum of 16 activations)_j, from 4 * scale_j and -32 * sums.
  template <u32 kColumns>
  ORRERY_INLINE static void undo_offset_128(const Header& header, const View& x,
                                            I32x16 (&isums)[kColumns]) {
    for (u32 j = 0; j < 16; ++j) {
      const Pairs scale = shift_pairs_left<2>(twin_pairs(header.scale_bytes[j]));
      ORRERY_UNROLL
      for (u32 n = 0; n < kColumns; ++n)
        isums[n] = isums[n] + products(scale, splat_pair(x.offset_halves + n * 32 + 2 * j));
    }
  }

  // -sum of min_j * (activation sum)_j.
  template <u32 kColumns>
  ORRERY_INLINE static void minus_min_sums(const Header& header, const View& x,
                                           I32x16 (&msums)[kColumns]) {
    ORRERY_UNROLL
    for (auto& msum : msums) msum = splat_i32(0);
    if constexpr (kScalesOf32) {
      ORRERY_UNROLL
      for (u32 p = 0; p < 4; ++p) {
        const Pairs mins = widen_pairs(header.min_bytes[2 * p]);
        ORRERY_UNROLL
        for (u32 n = 0; n < kColumns; ++n)
          msums[n] = msums[n] + products(mins, splat_pair(x.sums_of_32 + n * 8 + 2 * p));
      }
      ORRERY_UNROLL
      for (auto& msum : msums) msum = splat_i32(0) - msum;
    } else {
      for (u32 j = 0; j < 16; ++j) {
        const Pairs mins = twin_pairs(header.min_bytes[j]);
        ORRERY_UNROLL
        for (u32 n = 0; n < kColumns; ++n)
          msums[n] = msums[n] + products(mins, splat_pair(x.offset_halves + n * 32 + 2 * j));
      }
      ORRERY_UNROLL
      for (auto& msum : msums) msum = shift_right<5>(msum);  // -32 * sums, a multiple of 32
    }
  }

  template <u32 kColumns, class Weights>
  ORRERY_INLINE static void block(const Weights& weights, const Header& header, u32, const View& x,
                                  F32x16 (&c)[kColumns]) {
    I32x16 isums[kColumns];
    ORRERY_UNROLL
    for (auto& isum : isums) isum = splat_i32(0);
    for (u32 grain = 0; grain < 8; ++grain) {
      constexpr u32 kEach = 32 / kTraits.sub_block;
      ORRERY_UNROLL
      for (u32 i = 0; i < kEach; ++i) {
        const u32 j = grain * kEach + i;
        sub_block<kColumns>(weights, header.scale(j), j, x, isums);
      }
      weights.prefetch(grain);
    }
    if constexpr (kTraits.offset == 128) undo_offset_128<kColumns>(header, x, isums);
    ORRERY_UNROLL
    for (u32 n = 0; n < kColumns; ++n)
      c[n] = fma(to_f32(isums[n]) * splat(x.scales[n]), header.d, c[n]);
    if constexpr (kTraits.min) {
      I32x16 msums[kColumns];
      minus_min_sums<kColumns>(header, x, msums);
      ORRERY_UNROLL
      for (u32 n = 0; n < kColumns; ++n)
        c[n] = fma(to_f32(msums[n]) * splat(x.scales[n]), header.dmin, c[n]);
    }
  }
};

}  // namespace
}  // namespace orrery::kernels
