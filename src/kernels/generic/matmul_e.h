// Layouts with a float scale for each 32 of K (scalar/matmul.cpp, E).
#pragma once

#include "kernels/generic/matmul.h"

namespace orrery::kernels {
namespace {

template <Layout kLayout>
struct KernelE {
  static constexpr LayoutTraits kTraits = traits(kLayout);
  static constexpr bool kWholeBlocks = false;
  static constexpr u32 kTile = kTraits.operand == Operand::kByte ? kTileBytes : kTileNibbles;
  using Source = Packed<kLayout>;
  using Wide = Unpacked<kLayout>;

  static constexpr u32 header_size(u32 grains) {
    const u32 bytes = (kTraits.min ? 64 : 32) * grains;
    return (bytes + 63) / 64 * 64;
  }
  static constexpr u32 block_size(u32 grains) {
    return header_size(grains) + grains * Source::kGrainBytes;
  }

  // Activations of one block of K, from the first column of a tile on.
  struct View {
    const i8* values;
    const f32* scales;
    const f32* scaled_sums;
    const i32* sums;
    ORRERY_INLINE static View at(const Activations& x, u32 block, u32 column) {
      const u64 slab = u64(block) * x.columns + column;
      return {x.values + slab * kBlockDepth, x.scales + slab * 8, x.scaled_sums + slab * 8,
              x.sums + slab * 8};
    }
  };

  // The scales, read where they stand (few columns) or as floats of an unpacked block.
  struct NarrowScales {
    const u8* d;
    const u8* m;
    ORRERY_INLINE F32x16 scale(u32 j) const {
      if constexpr (kTraits.brain_scale) return load_bf16(d + 32 * j);
      return load_f16(d + 32 * j);
    }
    ORRERY_INLINE F32x16 min(u32 j) const { return load_f16(m + 32 * j); }
  };
  struct WideScales {
    alignas(64) f32 d[8][16];
    alignas(64) f32 m[8][16];
    ORRERY_INLINE F32x16 scale(u32 j) const { return load(d[j]); }
    ORRERY_INLINE F32x16 min(u32 j) const { return load(m[j]); }
  };
  ORRERY_INLINE static void read_scales(const u8* block, u32 grains, NarrowScales& to) {
    to = {block, block + 32 * grains};
  }
  ORRERY_INLINE static void read_scales(const u8* block, u32 grains, WideScales& to) {
    const NarrowScales from{block, block + 32 * grains};
    for (u32 j = 0; j < grains; ++j) {
      store(to.d[j], from.scale(j));
      if constexpr (kTraits.min) store(to.m[j], from.min(j));
    }
  }

  template <u32 kColumns, class Weights, class Scales>
  ORRERY_INLINE static void block(const Weights& weights, const Scales& scales, u32 grains,
                                  const View& x, F32x16 (&c)[kColumns]) {
    for (u32 j = 0; j < grains; ++j) {
      typename OperandOf<kTraits.operand>::Sum sums[kColumns];
      ORRERY_UNROLL
      for (auto& sum : sums) set_zero(sum);
      ORRERY_UNROLL
      for (u32 g = 0; g < kGroups; ++g) {
        const auto group = weights.group(j, g);
        ORRERY_UNROLL
        for (u32 n = 0; n < kColumns; ++n)
          sums[n] = dot(sums[n], group, splat4(x.values + n * kBlockDepth + 32 * j + 4 * g));
      }
      weights.prefetch(j);
      const F32x16 d = scales.scale(j);
      ORRERY_UNROLL
      for (u32 n = 0; n < kColumns; ++n) {
        I32x16 whole = total(sums[n]);
        if constexpr (kTraits.offset == 8)
          whole = whole - shift_left<3>(splat_i32(x.sums[n * 8 + j]));
        if constexpr (kTraits.offset == 128)
          whole = whole - shift_left<7>(splat_i32(x.sums[n * 8 + j]));
        c[n] = fma(to_f32(whole), d * splat(x.scales[n * 8 + j]), c[n]);
        if constexpr (kTraits.min) c[n] = fma(scales.min(j), splat(x.scaled_sums[n * 8 + j]), c[n]);
      }
    }
  }
};

}  // namespace
}  // namespace orrery::kernels
