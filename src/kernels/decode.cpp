// Decoding: any supported file format to float32, bit for bit what PyPI `gguf` gives.
//
// The order of the float operations is the format's definition (gguf/quants.py): the scales
// multiply first, then the integer, then the min is added or taken away; nothing is fused.
#include <bit>
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "kernels/blocks.h"
#include "kernels/packed.h"

namespace orrery::kernels {
namespace {

template <typename T>
T load(const u8* from, u64 index) {
  T value;
  std::memcpy(&value, from + index * sizeof(T), sizeof(T));
  return value;
}

void decode_e(Format format, FormatShape shape, const u8* from, u64 n, f32* to) {
  for (u64 at = 0; at < n; at += 32, from += info(format).block_bytes) {
    BlockE block;
    read_block(format, from, block);
    const f32 d = f32_from_f16(block.d), m = f32_from_f16(block.m);
    for (u32 k = 0; k < 32; ++k) {
      const f32 product = d * f32(i32(block.q[k]) - shape.offset);
      to[at + k] = shape.min ? product + m : product;
    }
  }
}

void decode_s(Format format, FormatShape shape, const u8* from, u64 n, f32* to) {
  for (u64 at = 0; at < n; at += 256, from += info(format).block_bytes) {
    BlockS block;
    read_block(format, from, block);
    const f32 d = f32_from_f16(block.d), dmin = f32_from_f16(block.dmin);
    for (u32 k = 0; k < 256; ++k) {
      const f32 scale = d * f32(block.scale[k / 16]), min = dmin * f32(block.min[k / 16]);
      const f32 product = scale * f32(i32(block.q[k]) - shape.offset);
      to[at + k] = shape.min ? product - min : product;
    }
  }
}

// OCP microscaling FP4 (e2m1) with a shared power of two: the table holds the values doubled, so
// the scale is half of 2^(e - 127), and its two smallest are subnormal.
void decode_mxfp4(const u8* from, u64 n, f32* to) {
  static constexpr i8 kValues[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  for (u64 at = 0; at < n; at += 32, from += 17) {
    const u32 e = from[0];
    const f32 d = std::bit_cast<f32>(e < 2 ? 0x00200000u << e : (e - 1) << 23);
    for (u32 k = 0; k < 32; ++k)
      to[at + k] = d * f32(kValues[k < 16 ? from[1 + k] & 15 : from[k - 15] >> 4]);
  }
}

bool all_finite_f16(const u8* from, u64 blocks, u64 stride, u64 offset) {
  bool finite = true;
  for (u64 i = 0; i < blocks; ++i)
    finite &= (load<u16>(from + i * stride + offset, 0) & 0x7c00) != 0x7c00;
  return finite;
}

}  // namespace

bool can_decode(Format format) {
  switch (format) {
    case Format::kF32:
    case Format::kF16:
    case Format::kBF16:
    case Format::kF64:
    case Format::kMXFP4:
      return true;
    default:
      return shape_of(format).kind != FormatShape::kNone;
  }
}

bool decode(Format format, const u8* from, u64 n, f32* to) {
  switch (format) {
    case Format::kF32:
      std::memcpy(to, from, n * sizeof(f32));
      return true;
    case Format::kF16:
      for (u64 i = 0; i < n; ++i) to[i] = f32_from_f16(load<u16>(from, i));
      return true;
    case Format::kBF16:
      for (u64 i = 0; i < n; ++i) to[i] = f32_from_bf16(load<u16>(from, i));
      return true;
    case Format::kF64:
      for (u64 i = 0; i < n; ++i) to[i] = f32(load<f64>(from, i));
      return true;
    case Format::kMXFP4:
      decode_mxfp4(from, n, to);
      return true;
    default:
      break;
  }
  const FormatShape shape = shape_of(format);
  if (shape.kind == FormatShape::kE) decode_e(format, shape, from, n, to);
  if (shape.kind == FormatShape::kS) decode_s(format, shape, from, n, to);
  return shape.kind != FormatShape::kNone;
}

bool all_finite(Format format, const u8* from, u64 n) {
  const FormatInfo& row = info(format);
  const u64 blocks = n / row.block_elements;
  bool finite = true;
  switch (format) {
    case Format::kF32:
      for (u64 i = 0; i < n; ++i) finite &= (load<u32>(from, i) & 0x7f800000) != 0x7f800000;
      return finite;
    case Format::kBF16:
      for (u64 i = 0; i < n; ++i) finite &= (load<u16>(from, i) & 0x7f80) != 0x7f80;
      return finite;
    case Format::kF64:  // as the float that it becomes
      for (u64 i = 0; i < n; ++i) finite &= std::isfinite(f32(load<f64>(from, i)));
      return finite;
    case Format::kF16:
      return all_finite_f16(from, n, 2, 0);
    case Format::kMXFP4:
      for (u64 i = 0; i < blocks; ++i)
        finite &= from[17 * i] <= 252;  // 12 * 2^(e - 128) overflows above
      return finite;
    case Format::kQ2_K:
      return all_finite_f16(from, blocks, 84, 80) && all_finite_f16(from, blocks, 84, 82);
    case Format::kQ3_K:
      return all_finite_f16(from, blocks, 110, 108);
    case Format::kQ6_K:
      return all_finite_f16(from, blocks, 210, 208);
    default:
      break;
  }
  const FormatShape shape = shape_of(format);
  if (shape.kind == FormatShape::kNone) return true;
  return all_finite_f16(from, blocks, row.block_bytes, 0) &&
         (!shape.min || all_finite_f16(from, blocks, row.block_bytes, 2));
}

}  // namespace orrery::kernels
