// Decoding: any supported file format to float32, bit for bit what PyPI `gguf` gives.
//
// The order of the float operations is the format's definition (gguf/quants.py): the scales
// multiply first, then the integer, then the min is added or taken away; nothing is fused.
#include <bit>
#include <cmath>
#include <cstring>

#include "base/float8.h"
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
    const f32 d = f32_from_f16(block.d) * shape.d_factor, dmin = f32_from_f16(block.dmin);
    for (u32 k = 0; k < 256; ++k) {
      const f32 scale = d * f32(block.scale[k / 16]), min = dmin * f32(block.min[k / 16]);
      const f32 product = scale * f32(i32(block.q[k]) - shape.offset);
      to[at + k] = shape.min ? product - min : product;
    }
  }
}

// The values of OCP's FP4 (e2m1), doubled.
constexpr i8 kDoubledE2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// OCP microscaling FP4 with a shared power of two: the values are doubled, so the scale is half of
// 2^(e - 127), and its two smallest are subnormal.
void decode_mxfp4(const u8* from, u64 n, f32* to) {
  for (u64 at = 0; at < n; at += 32, from += 17) {
    const u32 e = from[0];
    const f32 d = std::bit_cast<f32>(e < 2 ? 0x00200000u << e : (e - 1) << 23);
    for (u32 k = 0; k < 32; ++k)
      to[at + k] = d * f32(kDoubledE2m1[k < 16 ? from[1 + k] & 15 : from[k - 15] >> 4]);
  }
}

// d * (-1, 0 or 1), not the difference that it is packed as: a zero has the sign of d.
void decode_ternary(Format format, const u8* from, u64 n, f32* to) {
  for (u64 at = 0; at < n; at += 256, from += info(format).block_bytes) {
    BlockS block;
    read_block(format, from, block);
    const f32 d = f32_from_f16(block.d);
    for (u32 k = 0; k < 256; ++k) to[at + k] = d * f32(i32(block.q[k]) - 1);
  }
}

// Four scales (e4m3 without a sign), then for each of them 16 values of e2m1 in 8 bytes, low
// nibbles first. The values are doubled as in MXFP4, so the scale is half.
void decode_nvfp4(const u8* from, u64 n, f32* to) {
  for (u64 at = 0; at < n; at += 64, from += 36)
    for (u32 group = 0; group < 4; ++group) {
      const u32 bits = from[group], exponent = bits >> 3 & 15, mantissa = bits & 7;
      f32 d = f32(mantissa) * 0x1p-10f;
      if (exponent) d = std::bit_cast<f32>((exponent + 119) << 23 | mantissa << 20);
      if (bits == 0x7f) d = 0;  // NaN in e4m3
      const u8* q = from + 4 + 8 * group;
      for (u32 k = 0; k < 16; ++k)
        to[at + 16 * group + k] = d * f32(kDoubledE2m1[k < 8 ? q[k] & 15 : q[k - 8] >> 4]);
    }
}

constexpr Float8Table kE4m3 = float8_table(f32_from_f8_e4m3);
constexpr Float8Table kE5m2 = float8_table(f32_from_f8_e5m2);

void decode_float8(const Float8Table& table, const u8* from, u64 n, f32* to) {
  for (u64 i = 0; i < n; ++i) to[i] = table[from[i]];
}

// False when one of the f16 at `offset` of each block has all its exponent bits set.
bool all_finite_f16(const u8* from, u64 blocks, u64 stride, u64 offset) {
  bool finite = true;
  for (u64 i = 0; i < blocks; ++i)
    finite &= (load<u16>(from + i * stride + offset, 0) & 0x7c00) != 0x7c00;
  return finite;
}

// The same for formats that are packed with a min of -lowest * d, which is the largest.
bool all_finite_mins(Format format, const u8* from, u64 blocks) {
  const FormatShape shape = shape_of(format);
  bool finite = true;
  for (u64 i = 0; i < blocks; ++i, from += info(format).block_bytes) {
    BlockS block;
    read_block(format, from, block);
    const f32 min = f32(-shape.lowest) * (f32_from_f16(block.d) * shape.d_factor);
    finite &= (f16_from_f32(min) & 0x7c00) != 0x7c00 && (block.d & 0x7c00) != 0x7c00;
  }
  return finite;
}

// The same for neighbours, in a form that compilers vectorise.
template <typename T>
bool all_finite_in(const u8* from, u64 n, T exponent) {
  T broken = 0;
  for (u64 i = 0; i < n; ++i) broken |= T((load<T>(from, i) & exponent) == exponent);
  return broken == 0;
}

}  // namespace

bool can_decode(Format format) {
  switch (format) {
    case Format::kF32:
    case Format::kF16:
    case Format::kBF16:
    case Format::kF64:
    case Format::kMXFP4:
    case Format::kNVFP4:
    case Format::kF8_E4M3:
    case Format::kF8_E5M2:
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
    case Format::kNVFP4:
      decode_nvfp4(from, n, to);
      return true;
    case Format::kF8_E4M3:
      decode_float8(kE4m3, from, n, to);
      return true;
    case Format::kF8_E5M2:
      decode_float8(kE5m2, from, n, to);
      return true;
    case Format::kTQ1_0:
    case Format::kTQ2_0:
      decode_ternary(format, from, n, to);
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
      return all_finite_in<u32>(from, n, 0x7f800000);
    case Format::kF16:
      return all_finite_in<u16>(from, n, 0x7c00);
    case Format::kBF16:
      return all_finite_in<u16>(from, n, 0x7f80);
    case Format::kF64:  // as the float that it becomes
      for (u64 i = 0; i < n; ++i) finite &= std::isfinite(f32(load<f64>(from, i)));
      return finite;
    case Format::kMXFP4:
      for (u64 i = 0; i < blocks; ++i)
        finite &= from[17 * i] <= 252;  // 12 * 2^(e - 128) overflows above
      return finite;
    case Format::kNVFP4:
      return true;  // its scales have no infinity, and the NaN counts as zero
    case Format::kF8_E4M3:
      return all_finite_in<u8>(from, n, 0x7f);
    case Format::kF8_E5M2:
      return all_finite_in<u8>(from, n, 0x7c);
    case Format::kTQ1_0:
      return all_finite_f16(from, blocks, 54, 52);
    case Format::kTQ2_0:
      return all_finite_f16(from, blocks, 66, 64);
    case Format::kIQ3_S:
    case Format::kIQ1_S:
    case Format::kIQ1_M:
      return all_finite_mins(format, from, blocks);
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
