// Blocks of file formats as plain integers: the one place that knows how GGUF lays out its bits.
//
// Every quantised format is read into one of two shapes, by its arithmetic (kernels/packed.h): a
// BlockE of 32 values under one scale, or a BlockS of 256 values with sub-scales. Decoding
// multiplies them out, packing interleaves them; neither looks at the file's bytes itself.
#pragma once

#include "base/format.h"
#include "base/types.h"

namespace orrery::kernels {

// weight = d * (q - offset) + m
struct BlockE {
  u16 d, m;  // f16 bits (d of MXFP4: bf16 bits); m is 0 for formats without a min
  u8 q[32];
};

// weight = (d * scale[j]) * (q - offset) - dmin * min[j], where j counts sub-blocks of 16 values.
// Formats with sub-blocks of 32 repeat each scale and min.
struct BlockS {
  u16 d, dmin;  // f16 bits
  i8 scale[16];
  u8 min[16];
  u8 q[256];
};

// What q is stored with, so that it is unsigned: the offset that the arithmetic takes away again.
// IQ formats also have a factor of d, a power of two (weight = d_factor * d * ...), and those whose
// values are the odd numbers from `lowest` to -lowest are packed as nibbles with a min: half of the
// bytes, and only d is rounded.
struct FormatShape {
  enum Kind : u8 { kNone, kE, kS } kind;
  u8 offset;
  bool min;
  f32 d_factor = 1;
  i32 lowest = 0;  // 0: packed as they are
};
[[nodiscard]] FormatShape shape_of(Format format);

// `from` points to one block of the format; the format's shape must be of that kind.
void read_block(Format format, const u8* from, BlockE& to);
void read_block(Format format, const u8* from, BlockS& to);

}  // namespace orrery::kernels
