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
    // The activations of column n at k = 2p and 2p + 1, each in all lanes.
    ORRERY_INLINE void pair(u32 n, u32 p, F32x16& even, F32x16& odd) const {
      const f32* at = values + n * padded + 2 * p;
      even = splat(at[0]);
      odd = splat(at[1]);
    }
  };
  struct NarrowScales {};
  using WideScales = NarrowScales;
  ORRERY_INLINE static void read_scales(const u8*, u32, NarrowScales&) {}

  template <u32 kColumns, class Weights>
  ORRERY_INLINE static void block(const Weights& weights, const NarrowScales&, u32 grains,
                                  const View& x, F32x16 (&c)[kColumns]) {
    for (u32 j = 0; j < grains; ++j) {
      F32x16 even[kColumns], odd[kColumns];
      ORRERY_UNROLL
      for (u32 n = 0; n < kColumns; ++n) even[n] = odd[n] = splat(0);
      for (u32 p = 16 * j; p < 16 * j + 16; ++p) {
        const F32x16 even_weight = weights.even(p), odd_weight = weights.odd(p);
        ORRERY_UNROLL
        for (u32 n = 0; n < kColumns; ++n) {
          F32x16 even_x, odd_x;
          x.pair(n, p, even_x, odd_x);
          even[n] = fma(even_weight, even_x, even[n]);
          odd[n] = fma(odd_weight, odd_x, odd[n]);
        }
      }
      weights.prefetch(j);
      ORRERY_UNROLL
      for (u32 n = 0; n < kColumns; ++n) c[n] = c[n] + (even[n] + odd[n]);
    }
  }
};

}  // namespace
}  // namespace orrery::kernels
