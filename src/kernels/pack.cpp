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
#include "kernels/code_tables.h"
#include "kernels/layout.h"

namespace orrery::kernels {
namespace {

constexpr LayoutInfo kLayouts[kLayoutCount] = {
    {Layout::kF32, "F32", ActivationKind::kF32, 0, 0, 2048, false},
    {Layout::kF16, "F16", ActivationKind::kF32, 0, 0, 1024, false},
    {Layout::kBf16, "BF16", ActivationKind::kF32, 0, 0, 1024, false},
    {Layout::kE4, "E4", ActivationKind::kInt8Per32, 0, 32, 256, false},
    {Layout::kE4M, "E4M", ActivationKind::kInt8Per32, 0, 64, 256, false},
    {Layout::kE4N, "E4N", ActivationKind::kInt8Per32, 0, 32, 256, false},
    {Layout::kE4X, "E4X", ActivationKind::kInt8Per32, 0, 32, 256, false},
    {Layout::kE8, "E8", ActivationKind::kInt8Per32, 0, 32, 512, false},
    {Layout::kE8M, "E8M", ActivationKind::kInt8Per32, 0, 64, 512, false},
    {Layout::kS4M, "S4M", ActivationKind::kInt8Per256, 256, 0, 256, true},
    {Layout::kS8M, "S8M", ActivationKind::kInt8Per256, 256, 0, 512, true},
    {Layout::kS6, "S6", ActivationKind::kInt8Per256, 288, 0, 384, true},
    {Layout::kS4N, "S4N", ActivationKind::kInt8Per256, 288, 0, 256, true},
    {Layout::kS8, "S8", ActivationKind::kInt8Per256, 288, 0, 512, true},
    {Layout::kS2M, "S2M", ActivationKind::kInt8Per256, 320, 0, 256, true},
};

// The table whose values a layout counts; null: it holds the values themselves.
const CodeTable* code_table(Layout layout) {
  if (layout == Layout::kE4N || layout == Layout::kS4N) return &kIq4Codes;
  return layout == Layout::kE4X ? &kE2m1Codes : nullptr;
}

// Values of a table as their numbers in it.
template <typename Block>
void count_codes(const CodeTable& table, Block (&rows)[kPanelRows]) {
  u8 codes[256] = {};
  for (u32 code = 16; code-- > 0;)
    codes[table.value[code]] = u8(code);  // the first of equal values
  for (Block& row : rows)
    for (u8& q : row.q) q = codes[q];
}

u32 load_u32(const u8* from) {
  u32 value;
  std::memcpy(&value, from, 4);
  return value;
}
void store_u32(u8* to, u32 value) { std::memcpy(to, &value, 4); }
void store_u16(u8* to, u16 value) { std::memcpy(to, &value, 2); }

// Grain j of 16 rows' values (q: a byte each) into its data: 64 bytes after another, each four k of
// all rows. Written in order and once, because the memory is new.
template <typename Block>
void deal_4_bits(const Block (&rows)[kPanelRows], u32 j, u8* data) {
  for (u32 i = 0; i < 4; ++i, data += 64)
    for (u32 row = 0; row < kPanelRows; ++row) {
      const u8* q = rows[row].q + 32 * j + 4 * i;
      store_u32(data + 4 * row, load_u32(q) | load_u32(q + 16) << 4);
    }
}
template <typename Block>
void deal_6_bits(const Block (&rows)[kPanelRows], u32 j, u8* data) {
  for (u32 i = 0; i < 4; ++i, data += 64)
    for (u32 row = 0; row < kPanelRows; ++row) {
      const u8* q = rows[row].q + 32 * j + 4 * i;
      store_u32(data + 4 * row, (load_u32(q) & 0x0f0f0f0f) | (load_u32(q + 16) & 0x0f0f0f0f) << 4);
    }
  for (u32 half = 0; half < 2; ++half, data += 64)
    for (u32 row = 0; row < kPanelRows; ++row) {
      const u8* q = rows[row].q + 32 * j + 16 * half;
      u32 bits = 0;
      for (u32 g = 0; g < 4; ++g) bits |= (load_u32(q + 4 * g) >> 4 & 0x03030303) << 2 * g;
      store_u32(data + 4 * row, bits);
    }
}
template <typename Block>
void deal_8_bits(const Block (&rows)[kPanelRows], u32 j, u8* data) {
  for (u32 g = 0; g < 8; ++g, data += 64)
    for (u32 row = 0; row < kPanelRows; ++row)
      store_u32(data + 4 * row, load_u32(rows[row].q + 32 * j + 4 * g));
}

template <typename Block>
void deal(u32 grain_data_bytes, const Block (&rows)[kPanelRows], u32 j, u8* data) {
  if (grain_data_bytes == 256) return deal_4_bits(rows, j, data);
  if (grain_data_bytes == 384) return deal_6_bits(rows, j, data);
  deal_8_bits(rows, j, data);
}

// Block number `index` of 16 rows; a row that is not there is zeros.
template <typename Block>
void read_blocks(Format format, const u8* const from[kPanelRows], u64 index,
                 Block (&rows)[kPanelRows]) {
  for (u32 row = 0; row < kPanelRows; ++row) {
    if (from[row])
      read_block(format, from[row] + index * info(format).block_bytes, rows[row]);
    else
      std::memset(&rows[row], 0, sizeof rows[row]);
  }
}

void pack_panel_e(Format format, const LayoutInfo& layout, const u8* const from[kPanelRows],
                  u32 cols, u8* out) {
  const bool min = layout.grain_header_bytes == 64;
  for (u32 k = 0; k < cols; k += kBlockDepth) {
    const u32 grains = std::min(kBlockDepth, cols - k) / kDepthGrain;
    u8* data = out + header_bytes(layout, grains);
    std::memset(out, 0, data - out);  // it may be longer than what stands in it
    for (u32 j = 0; j < grains; ++j, data += layout.grain_data_bytes) {
      BlockE rows[kPanelRows];
      read_blocks(format, from, k / kDepthGrain + j, rows);
      for (u32 row = 0; row < kPanelRows; ++row) {
        store_u16(out + 32 * j + 2 * row, rows[row].d);
        if (min) store_u16(out + 32 * (grains + j) + 2 * row, rows[row].m);
      }
      if (const CodeTable* table = code_table(layout.layout)) count_codes(*table, rows);
      deal(layout.grain_data_bytes, rows, 0, data);
    }
    out += block_bytes(layout, grains);
  }
}

// The header of S4M and S8M (kernels/layout.h).
void pack_scales_of_32(const BlockS (&rows)[kPanelRows], u8* out) {
  u8 scale[128], min[128];
  for (u32 row = 0; row < kPanelRows; ++row)
    for (u32 j = 0; j < 8; ++j) {
      scale[16 * j + row] = u8(rows[row].scale[2 * j]);
      min[min_position(j, row)] = rows[row].min[2 * j];
    }
  for (u32 i = 0; i < 128; ++i) out[i] = u8((scale[i] & 15) | (min[i] & 15) << 4);
  for (u32 i = 0; i < 64; ++i)
    out[kHighOffset + i] = u8((scale[i] >> 4 & 3) | (min[i] >> 4 & 3) << 2 |
                              (scale[i + 64] >> 4 & 3) << 4 | (min[i + 64] >> 4 & 3) << 6);
  for (u32 row = 0; row < kPanelRows; ++row) {
    store_u16(out + kScaleOffset32 + 2 * row, rows[row].d);
    store_u16(out + kMinOffset32 + 2 * row, rows[row].dmin);
  }
}

void pack_scales_of_16(Layout layout, const BlockS (&rows)[kPanelRows], u8* out) {
  const bool min = layout == Layout::kS2M;
  for (u32 row = 0; row < kPanelRows; ++row) {
    for (u32 j = 0; j < 16; ++j)
      out[16 * j + row] = u8(u8(rows[row].scale[j]) | (min ? rows[row].min[j] << 4 : 0));
    store_u16(out + kScaleOffset16 + 2 * row, rows[row].d);
    if (min) store_u16(out + kMinOffset16 + 2 * row, rows[row].dmin);
  }
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

void pack_panel_s(Format format, const LayoutInfo& layout, const u8* const from[kPanelRows],
                  u32 cols, u8* out) {
  const FormatShape shape = shape_of(format);
  const bool fits = shape.d_factor == 1 && shape.lowest == 0;
  for (u32 k = 0; k < cols; k += kBlockDepth, out += block_bytes(layout, 8)) {
    BlockS rows[kPanelRows];
    read_blocks(format, from, k / kBlockDepth, rows);
    if (!fits)
      for (BlockS& row : rows) fit_to_layout(shape, row);
    u8* data = out + header_bytes(layout, 8);
    std::memset(out, 0, data - out);
    if (layout.layout == Layout::kS4M || layout.layout == Layout::kS8M)
      pack_scales_of_32(rows, out);
    else
      pack_scales_of_16(layout.layout, rows, out);
    if (const CodeTable* table = code_table(layout.layout)) count_codes(*table, rows);
    for (u32 j = 0; j < 8; ++j, data += layout.grain_data_bytes)
      deal(layout.grain_data_bytes, rows, j, data);
  }
}

// `Word`s of 16 rows side by side: a value each, or a pair of bf16, as their dot products take
// them.
template <typename Word>
void deal_words(const u8* const from[kPanelRows], u64 count, u8* out) {
  for (u64 i = 0; i < count; ++i)
    for (u32 row = 0; row < kPanelRows; ++row, out += sizeof(Word)) {
      Word word = 0;
      if (from[row]) std::memcpy(&word, from[row] + i * sizeof word, sizeof word);
      std::memcpy(out, &word, sizeof word);
    }
}

// `count` values of a row as words of a layout of floats.
void convert_run(Format format, Layout layout, const u8* from, u32 count, u8* to) {
  f32 values[kBlockDepth];
  decode(format, from, count, values);
  for (u32 i = 0; i < count; ++i) {
    if (layout == Layout::kF32) std::memcpy(to + 4 * i, &values[i], 4);
    if (layout == Layout::kF16) store_u16(to + 2 * i, f16_from_f32(values[i]));
    if (layout == Layout::kBf16) store_u16(to + 2 * i, bf16_from_f32(values[i]));
  }
}

// Run by run of 256 k, straight from the rows where they have the layout's words already and the
// run is whole.
void pack_panel_f(Format format, Layout layout, const u8* const from[kPanelRows], u32 cols,
                  u8* out) {
  const FormatInfo& file = info(format);
  const u32 word_bytes = layout == Layout::kF32 ? 4 : 2;
  const bool same = (format == Format::kF16 && layout == Layout::kF16) ||
                    (format == Format::kBF16 && layout == Layout::kBf16) ||
                    (format == Format::kF32 && layout == Layout::kF32);
  u8 runs[kPanelRows][kBlockDepth * sizeof(f32)];
  const u8* words[kPanelRows] = {};
  for (u32 k = 0; k < cols; k += kBlockDepth) {
    const u32 count = std::min(kBlockDepth, cols - k), padded = round_up(count, kDepthGrain);
    for (u32 row = 0; row < kPanelRows; ++row) {
      if (!from[row]) continue;
      const u8* run = from[row] + u64(k) / file.block_elements * file.block_bytes;
      words[row] = run;
      if (same && count == padded) continue;
      words[row] = runs[row];
      std::memset(runs[row] + count * word_bytes, 0, (padded - count) * word_bytes);
      convert_run(format, layout, run, count, runs[row]);
    }
    if (layout == Layout::kF16)
      deal_words<u16>(words, padded, out);
    else
      deal_words<u32>(words, padded * word_bytes / 4, out);
    out += padded * kPanelRows * word_bytes;
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
    case Format::kNVFP4:  // two significant bits times four
      return Layout::kBf16;
    case Format::kQ4_0:
      return Layout::kE4;
    case Format::kQ4_1:
      return Layout::kE4M;
    case Format::kIQ4_NL:
      return Layout::kE4N;
    case Format::kMXFP4:
      return Layout::kE4X;
    case Format::kQ8_0:
    case Format::kQ5_0:
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
    case Format::kIQ4_XS:
      return Layout::kS4N;
    case Format::kQ3_K:
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
  const LayoutInfo& row = info(layout);
  switch (row.activations) {
    case ActivationKind::kInt8Per32:
      return pack_panel_e(format, row, rows, cols, out);
    case ActivationKind::kInt8Per256:
      return pack_panel_s(format, row, rows, cols, out);
    case ActivationKind::kF32:
      return pack_panel_f(format, layout, rows, cols, out);
  }
}

}  // namespace orrery::kernels
