// PackedMatrix: a weight matrix in the one layout that matrix x vector and matrix x matrix read.
//
// Rows go in panels of 16, the depth K in blocks of 256 (the last may be shorter, a multiple of
// 32); a panel is one sequential stream of blocks, a block is a header (scales, in order of use)
// and data in which 16 rows are interleaved by 4 values of K, so that 64 bytes are one operand of
// vpdpbusd and four of them are rows of an AMX tile. docs/formats/packed.md has the byte layouts.
//
// File formats map onto few layouts, named by their arithmetic:
//   scale per 32 ("E"):   weight = d * (q - offset) [+ m]    d, m are f16 each 32 values
//   sub-scales under one scale per 256 ("S"):  weight = d * sc_j * (q - offset) [- dmin * m_j]
//   floats ("F")
#pragma once

#include "base/error.h"
#include "base/format.h"
#include "base/types.h"

namespace orrery::kernels {

inline constexpr u32 kPanelRows = 16;
inline constexpr u32 kBlockDepth = 256;
inline constexpr u32 kDepthGrain = 32;

// The layout, and with it the arithmetic.
enum class Layout : u8 {
  kF32,   // F32, and every format in exact mode
  kF16,   // F16
  kBf16,  // BF16, NVFP4, floats of eight bits
  kE4,    // Q4_0: 4 bits, offset 8
  kE4M,   // Q4_1: 4 bits, min
  kE4N,   // IQ4_NL: 4 bits that count a table's values (kernels/code_tables.h)
  kE4X,   // MXFP4: the same with another table; d is a power of two, as bf16
  kE8,    // Q8_0, Q5_0: stored unsigned, offset 128
  kE8M,   // Q5_1: unsigned, min
  kS4M,   // Q4_K, IQ3_S: 4 bits, 8 sub-blocks of 32, scale and min 6 bits
  kS8M,   // Q5_K: 8 bits, 8 sub-blocks of 32, scale and min
  kS6,    // Q6_K: 6 bits, 16 sub-blocks of 16, int8 scales, offset 32
  kS4N,   // IQ4_XS: 4 bits that count a table's values, 16 sub-blocks of 16, int8 scales
  kS8,    // Q3_K, IQ2, IQ3_XXS: 8 bits, 16 sub-blocks of 16, int8 scales, offset 128
  kS2M,   // Q2_K, IQ1, TQ: in 4-bit fields, 16 sub-blocks of 16, scale and min 4 bits
};
inline constexpr u32 kLayoutCount = 15;
[[nodiscard]] std::string_view name(Layout layout);

enum class ActivationKind : u8 { kF32, kInt8Per32, kInt8Per256 };
inline constexpr u8 kActivationKindCount = 3;
[[nodiscard]] ActivationKind activation_kind(Layout layout);

struct PackedMatrix {
  Layout layout;
  u32 rows, cols;   // as in the model: out = rows, depth K = cols
  u64 panel_bytes;  // bytes of one panel
  const u8* data;   // [panels][panel_bytes], 64-byte aligned; not owned
  [[nodiscard]] u32 panels() const { return divide_up(rows, kPanelRows); }
};

// The layout that a file format is packed into; an error names a format that cannot be packed.
// `exact`: always kF32.
[[nodiscard]] Result<Layout> layout_for(Format format, bool exact);

// Bytes of one panel of 16 rows and `cols` values, and of a whole matrix (64-byte aligned panels).
[[nodiscard]] u64 panel_bytes(Layout layout, u32 cols);
[[nodiscard]] u64 packed_bytes(Layout layout, u32 rows, u32 cols);

// Packs one panel. `rows[r]` points to the file's bytes of row r in `format` (null: a row of zeros
// past the end); `out` has panel_bytes(layout, cols). Safe for any bytes: NaN or infinite scales
// are found by the loader's check, not here.
void pack_panel(Format format, Layout layout, const u8* const rows[kPanelRows], u32 cols, u8* out);

// Decodes `n` values (whole blocks) of a file format, bit for bit what PyPI `gguf` gives.
// Returns false for a format that has no decoder.
bool decode(Format format, const u8* from, u64 n, f32* to);
[[nodiscard]] bool can_decode(Format format);

// True when every scale in `n` values of `format` is finite (floats: every value).
[[nodiscard]] bool all_finite(Format format, const u8* from, u64 n);

}  // namespace orrery::kernels
