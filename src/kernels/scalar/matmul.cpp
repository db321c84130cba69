// Matrix products, one output at a time: the meaning of each layout's arithmetic.
//
// E: each 32 of K, in ascending order, C = fma(f32(dot), d * a, C), then with a min C = fma(m, s,
// C);
//    dot = sum of (q - offset) * activation in int32, a the activations' scale, s scale times their
//    sum.
// S: each 256 of K, C = fma(f32(isum) * a, d, C), then with a min C = fma(f32(-msum) * a, dmin, C);
//    isum = sum of scale_j * dot_j and msum = sum of min_j * (activation sum)_j in int32.
// F: each 32 of K, one fma chain over its even k and one over its odd k; C = C + (even + odd).
// C starts as +0 and is added to `out` once at the end. All int32 sums are exact
// (docs/formats/packed.md has the bounds), so only the float steps have an order, and this is it.
#include <algorithm>

#include "kernels/scalar/arithmetic.h"
#include "kernels/scalar/quant.h"
#include "kernels/scalar/scalar.h"

namespace orrery::kernels::scalar {
namespace {

// Calls block(header, grains, index) for the blocks of one panel.
template <typename Block>
void for_each_block(const LayoutInfo& layout, u32 cols, const u8* panel, Block block) {
  const u32 grains = divide_up(cols, layout.whole_blocks ? kBlockDepth : kDepthGrain);
  const u32 total = layout.whole_blocks ? grains * 8 : grains;
  for (u32 done = 0; done < total; done += 8) {
    const u32 count = std::min(8u, total - done);
    block(panel, count, done / 8);
    panel += block_bytes(layout, count);
  }
}

template <Layout kLayout>
f32 output_e(const PackedMatrix& weights, const u8* panel, u32 row, const Activations& x,
             u32 column) {
  const LayoutInfo& layout = info(kLayout);
  f32 c = 0;
  for_each_block(layout, weights.cols, panel, [&](const u8* block, u32 grains, u32 index) {
    const u8* data = block + header_bytes(layout, grains);
    const u64 slab = u64(index) * x.columns + column;
    for (u32 j = 0; j < grains; ++j, data += layout.grain_data_bytes) {
      const i8* a = x.values + slab * kBlockDepth + 32 * j;
      i32 dot = 0;
      for (u32 k = 0; k < 32; ++k)
        dot += (i32(stored<kLayout>(data, row, k)) - stored_offset(kLayout)) * a[k];
      c = fma(f32(dot), grain_scale<kLayout>(block + 32 * j, row) * x.scales[slab * 8 + j], c);
      if (has_min(kLayout))
        c = fma(load_f16(block + 32 * (grains + j), row), x.scaled_sums[slab * 8 + j], c);
    }
  });
  return c;
}

template <Layout kLayout>
f32 output_s(const PackedMatrix& weights, const u8* panel, u32 row, const Activations& x,
             u32 column) {
  const LayoutInfo& layout = info(kLayout);
  f32 c = 0;
  for_each_block(layout, weights.cols, panel, [&](const u8* block, u32 grains, u32 index) {
    const u8* data = block + header_bytes(layout, grains);
    const u64 slab = u64(index) * x.columns + column;
    i32 isum = 0, msum = 0;
    for (u32 j = 0; j < 16; ++j) {
      const i8* a = x.values + slab * kBlockDepth + 16 * j;
      const SubScale sub = sub_scale<kLayout>(block, row, j);
      i32 dot = 0, sum = 0;
      for (u32 k = 0; k < 16; ++k) {
        const u8* grain = data + layout.grain_data_bytes * (j / 2);
        const u32 q = stored<kLayout>(grain, row, j % 2 * 16 + k);
        dot += (i32(q) - stored_offset(kLayout)) * a[k];
        sum += a[k];
      }
      isum += sub.scale * dot;
      msum += sub.min * sum;
    }
    const f32 scale = x.scales[slab];
    c = fma(f32(isum) * scale, block_scale<kLayout>(block, row), c);
    if (has_min(kLayout)) c = fma(f32(-msum) * scale, block_min<kLayout>(block, row), c);
  });
  return c;
}

// The weight of `row` at k.
template <Layout kLayout>
f32 float_weight(const u8* panel, u32 row, u64 k) {
  if constexpr (kLayout == Layout::kF16) return load_f16(panel + k * 32, row);
  if constexpr (kLayout == Layout::kBf16) {
    u16 bits;
    std::memcpy(&bits, panel + ((k / 2 * 16 + row) * 2 + k % 2) * 2, 2);
    return f32_from_bf16(bits);
  }
  f32 value;
  std::memcpy(&value, panel + (k * 16 + row) * 4, 4);
  return value;
}
template <Layout kLayout>
f32 output_f(const PackedMatrix& weights, const u8* panel, u32 row, const Activations& x,
             u32 column) {
  const u32 padded = round_up(weights.cols, kDepthGrain);
  const u64 first = u64(column) * padded;
  f32 c = 0;
  for (u32 k = 0; k < padded; k += 32) {
    f32 even = 0, odd = 0;
    for (u32 i = k; i < k + 32; i += 2) {
      even = fma(float_weight<kLayout>(panel, row, i), x.f32_values[first + i], even);
      odd = fma(float_weight<kLayout>(panel, row, i + 1), x.f32_values[first + i + 1], odd);
    }
    c = c + (even + odd);
  }
  return c;
}

using Output = f32 (*)(const PackedMatrix&, const u8*, u32, const Activations&, u32);

template <Output output>
void matmul(const PackedMatrix& weights, const Activations& activations, u32 panel_begin,
            u32 panel_end, f32* out, u64 out_stride, bool add) {
  for (u32 p = panel_begin; p < panel_end; ++p) {
    const u8* panel = weights.data + p * weights.panel_bytes;
    for (u32 column = 0; column < activations.columns; ++column)
      for (u32 row = 0; row < kPanelRows && p * kPanelRows + row < weights.rows; ++row) {
        f32& to = out[column * out_stride + p * kPanelRows + row];
        const f32 c = output(weights, panel, row, activations, column);
        to = add ? to + c : c;
      }
  }
}

template <Output output>
void fill(Layout layout, Kernels& kernels) {
  kernels.matmul[u8(layout)] = matmul<output>;
}

}  // namespace

void install_matmul(Kernels& kernels) {
  fill<output_f<Layout::kF32>>(Layout::kF32, kernels);
  fill<output_f<Layout::kF16>>(Layout::kF16, kernels);
  fill<output_f<Layout::kBf16>>(Layout::kBf16, kernels);
  fill<output_e<Layout::kE4>>(Layout::kE4, kernels);
  fill<output_e<Layout::kE4M>>(Layout::kE4M, kernels);
  fill<output_e<Layout::kE4N>>(Layout::kE4N, kernels);
  fill<output_e<Layout::kE4X>>(Layout::kE4X, kernels);
  fill<output_e<Layout::kE8>>(Layout::kE8, kernels);
  fill<output_e<Layout::kE8M>>(Layout::kE8M, kernels);
  fill<output_s<Layout::kS4M>>(Layout::kS4M, kernels);
  fill<output_s<Layout::kS8M>>(Layout::kS8M, kernels);
  fill<output_s<Layout::kS6>>(Layout::kS6, kernels);
  fill<output_s<Layout::kS4N>>(Layout::kS4N, kernels);
  fill<output_s<Layout::kS8>>(Layout::kS8, kernels);
  fill<output_s<Layout::kS2M>>(Layout::kS2M, kernels);
}

}  // namespace orrery::kernels::scalar
