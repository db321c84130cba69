// Packing: rows of a file format into panels of 16, interleaved for the kernels
// (docs/formats/packed.md).
//
// A quantised row is read block by block into plain integers (kernels/blocks.h) and its dwords of
// four neighbouring k are dealt out to the panel; floats are widened and dealt out by k. It only
// moves and regroups bits (and rounds d of the IQ formats): any bytes are safe here.
#include <algorithm>
#include <cstring>

#include "base/half.h"
#include "kernels/blocks.h"
#include "kernels/layout.h"

namespace orrery::kernels {
namespace {

constexpr LayoutInfo kLayouts[kLayoutCount] = {
    {Layout::kF32, "F32", ActivationKind::kF32, 0, 0, 2048, false},
    {Layout::kF16, "F16", ActivationKind::kF32, 0, 0, 1024, false},
    {Layout::kBf16, "BF16", ActivationKind::kF32, 0, 0, 1024, false},
    {Layout::kE4, "E4", ActivationKind::kInt8Per32, 0, 32, 256, false},
    {Layout::kE4M, "E4M", ActivationKind::kInt8Per32, 0, 64, 256, false},
    {Layout::kE8, "E8", ActivationKind::kInt8Per32, 0, 32, 512, false},
    {Layout::kE8M, "E8M", ActivationKind::kInt8Per32, 0, 64, 512, false},
    {Layout::kS4M, "S4M", ActivationKind::kInt8Per256, 256, 0, 256, true},
    {Layout::kS8M, "S8M", ActivationKind::kInt8Per256, 256, 0, 512, true},
    {Layout::kS6, "S6", ActivationKind::kInt8Per256, 288, 0, 384, true},
    {Layout::kS8, "S8", ActivationKind::kInt8Per256, 288, 0, 512, true},
    {Layout::kS2M, "S2M", ActivationKind::kInt8Per256, 320, 0, 256, true},
};

u32 load_u32(const u8* from) {
  u32 value;
  std::memcpy(&value, from, 4);
  return value;
}
u16 load_u16(const u8* from) {
  u16 value;
  std::memcpy(&value, from, 2);
  return value;
}
void store_u32(u8* to, u32 value) { std::memcpy(to, &value, 4); }
void store_u16(u8* to, u16 value) { std::memcpy(to, &value, 2); }

// 32 values of one row into a grain of data: dword `row` of each vector of 64 bytes.
void deal_4_bits(const u8* q, u32 row, u8* data) {
  for (u32 i = 0; i < 4; ++i)
    store_u32(data + 64 * i + 4 * row, load_u32(q + 4 * i) | load_u32(q + 16 + 4 * i) << 4);
}
void deal_6_bits(const u8* q, u32 row, u8* data) {
  for (u32 i = 0; i < 4; ++i) {
    const u32 low = load_u32(q + 4 * i) & 0x0f0f0f0f, high = load_u32(q + 16 + 4 * i) & 0x0f0f0f0f;
    store_u32(data + 64 * i + 4 * row, low | high << 4);
  }
  for (u32 h = 0; h < 2; ++h) {
    u32 bits = 0;
    for (u32 g = 0; g < 4; ++g) bits |= (load_u32(q + 16 * h + 4 * g) >> 4 & 0x03030303) << 2 * g;
    store_u32(data + 256 + 64 * h + 4 * row, bits);
  }
}
void deal_8_bits(const u8* q, u32 row, u8* data) {
  for (u32 g = 0; g < 8; ++g) store_u32(data + 64 * g + 4 * row, load_u32(q + 4 * g));
}

void deal(u32 grain_data_bytes, const u8* q, u32 row, u8* data) {
  if (grain_data_bytes == 256) return deal_4_bits(q, row, data);
  if (grain_data_bytes == 384) return deal_6_bits(q, row, data);
  deal_8_bits(q, row, data);
}

void pack_row_e(Format format, const LayoutInfo& layout, const u8* from, u32 cols, u32 row,
                u8* out) {
  const bool min = layout.grain_header_bytes == 64;
  const u32 file_bytes = info(format).block_bytes;
  for (u32 k = 0; k < cols; k += kBlockDepth) {
    const u32 grains = std::min(kBlockDepth, cols - k) / kDepthGrain;
    u8* data = out + header_bytes(layout, grains);
    for (u32 j = 0; j < grains; ++j, from += file_bytes) {
      BlockE block;
      read_block(format, from, block);
      store_u16(out + 32 * j + 2 * row, block.d);
      if (min) store_u16(out + 32 * (grains + j) + 2 * row, block.m);
      deal(layout.grain_data_bytes, block.q, row, data + layout.grain_data_bytes * j);
    }
    out += block_bytes(layout, grains);
  }
}

void pack_header_s(Layout layout, const BlockS& block, u32 row, u8* out) {
  if (layout == Layout::kS4M || layout == Layout::kS8M) {
    for (u32 j = 0; j < 8; ++j) {
      const u32 scale = u8(block.scale[2 * j]), min = block.min[2 * j];
      const u32 scale_at = 16 * j + row, min_at = min_position(j, row);
      out[scale_at] |= u8(scale & 15);
      out[min_at] |= u8((min & 15) << 4);
      out[kHighOffset + scale_at % 64] |= u8(scale >> 4 << (scale_at / 64 * 4));
      out[kHighOffset + min_at % 64] |= u8(min >> 4 << (min_at / 64 * 4 + 2));
    }
    store_u16(out + kScaleOffset32 + 2 * row, block.d);
    store_u16(out + kMinOffset32 + 2 * row, block.dmin);
    return;
  }
  for (u32 j = 0; j < 16; ++j)
    out[16 * j + row] =
        layout == Layout::kS2M ? u8(block.scale[j] | block.min[j] << 4) : u8(block.scale[j]);
  store_u16(out + kScaleOffset16 + 2 * row, block.d);
  if (layout == Layout::kS2M) store_u16(out + kMinOffset16 + 2 * row, block.dmin);
}

// What a block needs before it is dealt out where its format is no layout (FormatShape).
void fit_to_layout(const FormatShape& shape, BlockS& block) {
  const f32 d = f32_from_f16(block.d) * shape.d_factor;
  if (shape.lowest == 0) {
    block.d = f16_from_f32(d);
    return;
  }
  block.d = f16_from_f32(2 * d);
  block.dmin = f16_from_f32(f32(-shape.lowest) * d);
  for (u32 j = 0; j < 16; ++j) block.min[j] = u8(block.scale[j]);
  for (u8& q : block.q) q = u8((i32(q) - shape.offset - shape.lowest) / 2);
}

void pack_row_s(Format format, const LayoutInfo& layout, const u8* from, u32 cols, u32 row,
                u8* out) {
  const u32 file_bytes = info(format).block_bytes;
  const FormatShape shape = shape_of(format);
  const bool fits = shape.d_factor == 1 && shape.lowest == 0;
  for (u32 k = 0; k < cols; k += kBlockDepth, from += file_bytes, out += block_bytes(layout, 8)) {
    BlockS block;
    read_block(format, from, block);
    if (!fits) fit_to_layout(shape, block);
    pack_header_s(layout.layout, block, row, out);
    u8* data = out + header_bytes(layout, 8);
    for (u32 j = 0; j < 8; ++j)
      deal(layout.grain_data_bytes, block.q + 32 * j, row, data + layout.grain_data_bytes * j);
  }
}

// One value of 16 or 32 bits at k: rows are neighbours; bf16 comes in pairs of k, as its dot
// products take it.
void deal_f32(f32 value, u32 row, u64 k, u8* out) {
  std::memcpy(out + (k * 16 + row) * 4, &value, 4);
}
void deal_f16(u16 bits, u32 row, u64 k, u8* out) { store_u16(out + (k * 16 + row) * 2, bits); }
void deal_bf16(u16 bits, u32 row, u64 k, u8* out) {
  store_u16(out + ((k / 2 * 16 + row) * 2 + k % 2) * 2, bits);
}

// A row of floats; where the file's format is not the layout's, decoded in short runs so that the
// buffer stays on the stack.
void pack_row_f(Format format, Layout layout, const u8* from, u32 cols, u32 row, u8* out) {
  if (format == Format::kF16 && layout == Layout::kF16) {
    for (u64 k = 0; k < cols; ++k) deal_f16(load_u16(from + 2 * k), row, k, out);
    return;
  }
  if (format == Format::kBF16 && layout == Layout::kBf16) {
    for (u64 k = 0; k < cols; ++k) deal_bf16(load_u16(from + 2 * k), row, k, out);
    return;
  }
  const FormatInfo& file = info(format);
  f32 values[kBlockDepth];
  for (u32 k = 0; k < cols; k += kBlockDepth) {
    const u32 count = std::min(kBlockDepth, cols - k);
    decode(format, from + u64(k) / file.block_elements * file.block_bytes, count, values);
    for (u32 i = 0; i < count; ++i) {
      if (layout == Layout::kF32) deal_f32(values[i], row, k + i, out);
      if (layout == Layout::kF16) deal_f16(f16_from_f32(values[i]), row, k + i, out);
      if (layout == Layout::kBf16) deal_bf16(bf16_from_f32(values[i]), row, k + i, out);
    }
  }
}

}  // namespace

const LayoutInfo& info(Layout layout) { return kLayouts[u8(layout)]; }
std::string_view name(Layout layout) { return info(layout).name; }
ActivationKind activation_kind(Layout layout) { return info(layout).activations; }

Result<Layout> layout_for(Format format, bool exact) {
  if (!can_decode(format)) return fail("weights in format {} cannot be used", name(format));
  if (exact) return Layout::kF32;
  switch (format) {
    case Format::kF16:
      return Layout::kF16;
    case Format::kBF16:
    case Format::kF8_E4M3:
    case Format::kF8_E5M2:
    case Format::kMXFP4:  // four bits and a power of two: exact in bf16
    case Format::kNVFP4:  // two significant bits times four
      return Layout::kBf16;
    case Format::kQ4_0:
      return Layout::kE4;
    case Format::kQ4_1:
      return Layout::kE4M;
    case Format::kQ8_0:
    case Format::kQ5_0:
    case Format::kIQ4_NL:
      return Layout::kE8;
    case Format::kQ5_1:
      return Layout::kE8M;
    case Format::kQ4_K:
    case Format::kIQ3_S:
      return Layout::kS4M;
    case Format::kQ5_K:
      return Layout::kS8M;
    case Format::kQ6_K:
      return Layout::kS6;
    case Format::kQ3_K:
    case Format::kIQ4_XS:
    case Format::kIQ2_XXS:
    case Format::kIQ2_XS:
    case Format::kIQ2_S:
    case Format::kIQ3_XXS:
      return Layout::kS8;
    case Format::kQ2_K:
    case Format::kIQ1_S:
    case Format::kIQ1_M:
    case Format::kTQ1_0:
    case Format::kTQ2_0:
      return Layout::kS2M;
    default:
      return Layout::kF32;
  }
}

u64 panel_bytes(Layout layout, u32 cols) {
  const LayoutInfo& row = info(layout);
  const u32 grains =
      divide_up(cols, row.whole_blocks ? kBlockDepth : kDepthGrain) * (row.whole_blocks ? 8 : 1);
  const u64 whole = grains / 8 * block_bytes(row, 8);
  return grains % 8 ? whole + block_bytes(row, grains % 8) : whole;
}

u64 packed_bytes(Layout layout, u32 rows, u32 cols) {
  return divide_up(rows, kPanelRows) * panel_bytes(layout, cols);
}

void pack_panel(Format format, Layout layout, const u8* const rows[kPanelRows], u32 cols, u8* out) {
  std::memset(out, 0, panel_bytes(layout, cols));
  const LayoutInfo& row_info = info(layout);
  for (u32 row = 0; row < kPanelRows; ++row) {
    if (!rows[row]) continue;
    if (row_info.activations == ActivationKind::kInt8Per32)
      pack_row_e(format, row_info, rows[row], cols, row, out);
    else if (row_info.activations == ActivationKind::kInt8Per256)
      pack_row_s(format, row_info, rows[row], cols, row, out);
    else
      pack_row_f(format, layout, rows[row], cols, row, out);
  }
}

}  // namespace orrery::kernels
