// Layouts of floats (scalar/matmul.cpp, F): an even and an odd fma chain for each 32 of K.
#pragma once

#include "kernels/generic/matmul.h"

namespace orrery::kernels {
namespace {

// The weights of 16 rows at k = 2p ("even") and 2p + 1 ("odd").
template <Layout kLayout>
struct FloatSource {
  static constexpr u32 kRowBytes = kLayout == Layout::kF32 ? 64 : 32;  // of one k
  const u8* data;
  ORRERY_INLINE F32x16 at(u32 k) const {
    if constexpr (kLayout == Layout::kF32)
      return load(reinterpret_cast<const f32*>(data + k * kRowBytes));
    else
      return load_f16(data + k * kRowBytes);
  }
  ORRERY_INLINE F32x16 even(u32 p) const {
    if constexpr (kLayout == Layout::kBf16)
      return even_bf16(data + 64 * p);
    else
      return at(2 * p);
  }
  ORRERY_INLINE F32x16 odd(u32 p) const {
    if constexpr (kLayout == Layout::kBf16)
      return odd_bf16(data + 64 * p);
    else
      return at(2 * p + 1);
  }
  ORRERY_INLINE void prefetch(u32 grain) const {
    ORRERY_UNROLL
    for (u32 line = 0; line < 32 * kRowBytes; line += 64)
      __builtin_prefetch(data + grain * 32 * kRowBytes + kPrefetchBytes + line);
  }
};

struct WideFloats : FloatSource<Layout::kF32> {
  static constexpr u32 kBytes = kBlockDepth * 64;
  template <Layout kLayout>
  ORRERY_INLINE static void fill(const FloatSource<kLayout>& from, u32 grains, u8* to) {
    f32* values = reinterpret_cast<f32*>(to);
    for (u32 p = 0; p < 16 * grains; ++p, values += 32) {
      store(values, from.even(p));
      store(values + 16, from.odd(p));
    }
  }
  ORRERY_INLINE void prefetch(u32) const {}
};

template <Layout kLayout>
struct KernelF {
  static constexpr bool kWholeBlocks = false;
  static constexpr u32 kTile = kTileFloats;
  using Source = FloatSource<kLayout>;
  using Wide = WideFloats;

  static constexpr u32 header_size(u32) { return 0; }
  static constexpr u32 block_size(u32 grains) { return grains * 32 * Source::kRowBytes; }

  struct View {
    const f32* values;
    u64 padded;
    ORRERY_INLINE static View at(const Activations& x, u32 block, u32 column) {
      const u64 padded = (u64(x.depth) + kDepthGrain - 1) / kDepthGrain * kDepthGrain;
      return {x.f32_values + column * padded + u64(block) * kBlockDepth, padded};
    }
    ORRERY_INLINE f32 at(u32 n, u32 k) const { return values[n * padded + k]; }
  };
  struct NarrowScales {};
  using WideScales = NarrowScales;
  ORRERY_INLINE static void read_scales(const u8*, u32, NarrowScales&) {}

  // 16 k of one parity: column n's chain goes on by weight x activation.
  template <u32 kParity, u32 kColumns, class Weights>
  ORRERY_INLINE static void chain(const Weights& weights, u32 j, const View& x,
                                  F32x16 (&sums)[kColumns]) {
    ORRERY_UNROLL
    for (auto& sum : sums) sum = splat(0);
    for (u32 p = 16 * j; p < 16 * j + 16; ++p) {
      const F32x16 weight = kParity ? weights.odd(p) : weights.even(p);
      ORRERY_UNROLL
      for (u32 n = 0; n < kColumns; ++n)
        sums[n] = fma(weight, splat(x.at(n, 2 * p + kParity)), sums[n]);
    }
  }

  template <u32 kColumns, class Weights>
  ORRERY_INLINE static void block(const Weights& weights, const NarrowScales&, u32 grains,
                                  const View& x, F32x16 (&c)[kColumns]) {
    for (u32 j = 0; j < grains; ++j) {
      if constexpr (kColumns <= kTileFloats / 2) {  // both chains of all columns fit the registers
        F32x16 even[kColumns], odd[kColumns];
        ORRERY_UNROLL
        for (u32 n = 0; n < kColumns; ++n) even[n] = odd[n] = splat(0);
        for (u32 p = 16 * j; p < 16 * j + 16; ++p) {
          const F32x16 even_weight = weights.even(p), odd_weight = weights.odd(p);
          ORRERY_UNROLL
          for (u32 n = 0; n < kColumns; ++n) {
            even[n] = fma(even_weight, splat(x.at(n, 2 * p)), even[n]);
            odd[n] = fma(odd_weight, splat(x.at(n, 2 * p + 1)), odd[n]);
          }
        }
        ORRERY_UNROLL
        for (u32 n = 0; n < kColumns; ++n) c[n] = c[n] + (even[n] + odd[n]);
      } else {  // one chain after the other: half as many loads of weights an fma
        alignas(64) f32 evens[kColumns][kPanelRows];
        F32x16 sums[kColumns];
        chain<0, kColumns>(weights, j, x, sums);
        ORRERY_UNROLL
        for (u32 n = 0; n < kColumns; ++n) store(evens[n], sums[n]);
        chain<1, kColumns>(weights, j, x, sums);
        ORRERY_UNROLL
        for (u32 n = 0; n < kColumns; ++n) c[n] = c[n] + (load(evens[n]) + sums[n]);
      }
      weights.prefetch(j);
    }
  }
};

}  // namespace
}  // namespace orrery::kernels
