// One row of a packed matrix as floats: the same bits that kernels/decode.cpp gives for the file's
// row.
#include <algorithm>

#include "kernels/scalar/quant.h"
#include "kernels/scalar/scalar.h"

namespace orrery::kernels::scalar {
namespace {

template <Layout kLayout>
void decode_e(const u8* block, u32 cols, u32 row, f32* out) {
  const LayoutInfo& layout = info(kLayout);
  for (u32 k = 0; k < cols; k += kBlockDepth) {
    const u32 grains = std::min(kBlockDepth, cols - k) / kDepthGrain;
    const u8* data = block + header_bytes(layout, grains);
    for (u32 j = 0; j < grains; ++j, data += layout.grain_data_bytes) {
      const f32 d = grain_scale<kLayout>(block + 32 * j, row);
      const f32 m = has_min(kLayout) ? load_f16(block + 32 * (grains + j), row) : 0;
      for (u32 i = 0; i < 32; ++i) {
        const i32 q = i32(stored<kLayout>(data, row, i)) - stored_offset(kLayout);
        *out++ = has_min(kLayout) ? d * f32(q) + m : d * f32(q);
      }
    }
    block += block_bytes(layout, grains);
  }
}

template <Layout kLayout>
void decode_s(const u8* block, u32 cols, u32 row, f32* out) {
  const LayoutInfo& layout = info(kLayout);
  for (u32 k = 0; k < cols; k += kBlockDepth, block += block_bytes(layout, 8)) {
    const u8* data = block + header_bytes(layout, 8);
    const f32 d = block_scale<kLayout>(block, row);
    const f32 dmin = has_min(kLayout) ? block_min<kLayout>(block, row) : 0;
    for (u32 i = 0; i < kBlockDepth; ++i) {
      const SubScale sub = sub_scale<kLayout>(block, row, i / 16);
      const u8* grain = data + layout.grain_data_bytes * (i / 32);
      const i32 q = i32(stored<kLayout>(grain, row, i % 32)) - stored_offset(kLayout);
      const f32 product = d * f32(sub.scale) * f32(q);
      *out++ = has_min(kLayout) ? product - dmin * f32(sub.min) : product;
    }
  }
}

void decode_f(Layout layout, const u8* panel, u32 cols, u32 row, f32* out) {
  for (u64 k = 0; k < cols; ++k) {
    if (layout == Layout::kF32) std::memcpy(&out[k], panel + (k * 16 + row) * 4, 4);
    if (layout == Layout::kF16) out[k] = load_f16(panel + k * 32, row);
    if (layout == Layout::kBf16) {
      u16 bits;
      std::memcpy(&bits, panel + ((k / 2 * 16 + row) * 2 + k % 2) * 2, 2);
      out[k] = f32_from_bf16(bits);
    }
  }
}

}  // namespace

void decode_row(const PackedMatrix& weights, u32 row, f32* out) {
  const u8* panel = weights.data + row / kPanelRows * weights.panel_bytes;
  const u32 cols = weights.cols, lane = row % kPanelRows;
  switch (weights.layout) {
    case Layout::kF32:
    case Layout::kF16:
    case Layout::kBf16:
      return decode_f(weights.layout, panel, cols, lane, out);
    case Layout::kE4:
      return decode_e<Layout::kE4>(panel, cols, lane, out);
    case Layout::kE4M:
      return decode_e<Layout::kE4M>(panel, cols, lane, out);
    case Layout::kE4N:
      return decode_e<Layout::kE4N>(panel, cols, lane, out);
    case Layout::kE4X:
      return decode_e<Layout::kE4X>(panel, cols, lane, out);
    case Layout::kE8:
      return decode_e<Layout::kE8>(panel, cols, lane, out);
    case Layout::kE8M:
      return decode_e<Layout::kE8M>(panel, cols, lane, out);
    case Layout::kS4M:
      return decode_s<Layout::kS4M>(panel, cols, lane, out);
    case Layout::kS8M:
      return decode_s<Layout::kS8M>(panel, cols, lane, out);
    case Layout::kS6:
      return decode_s<Layout::kS6>(panel, cols, lane, out);
    case Layout::kS4N:
      return decode_s<Layout::kS4N>(panel, cols, lane, out);
    case Layout::kS8:
      return decode_s<Layout::kS8>(panel, cols, lane, out);
    case Layout::kS2M:
      return decode_s<Layout::kS2M>(panel, cols, lane, out);
  }
}

}  // namespace orrery::kernels::scalar
