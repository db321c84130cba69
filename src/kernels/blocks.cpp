// Readers of GGUF's quantised blocks. The field order of each format is written at its reader; the
// oracle is PyPI `gguf`, held bit for bit by decode_test.
#include "kernels/blocks.h"

#include <cstring>

#include "kernels/code_tables.h"
#include "kernels/grid_blocks.h"

namespace orrery::kernels {
namespace {

u16 load_u16(const u8* from) { return u16(from[0] | from[1] << 8); }

// Low nibbles are the first half of the values, high nibbles the second.
void read_nibbles(const u8* from, u8* q) {
  for (u32 i = 0; i < 16; ++i) q[i] = from[i] & 15;
  for (u32 i = 0; i < 16; ++i) q[16 + i] = from[i] >> 4;
}

// A fifth bit for each of 32 values.
void add_fifth_bits(const u8* from, u8* q) {
  for (u32 i = 0; i < 32; ++i) q[i] = u8(q[i] | (from[i / 8] >> (i % 8) & 1) << 4);
}

// Q4_K and Q5_K: eight 6-bit scales and eight 6-bit mins in 12 bytes; each serves 32 values.
void read_scales_of_32(const u8* from, BlockS& to) {
  for (u32 j = 0; j < 8; ++j) {
    u8 scale, min;
    if (j < 4) {
      scale = from[j] & 63;
      min = from[j + 4] & 63;
    } else {
      scale = u8((from[j + 4] & 15) | from[j - 4] >> 6 << 4);
      min = u8(from[j + 4] >> 4 | from[j] >> 6 << 4);
    }
    to.scale[2 * j] = to.scale[2 * j + 1] = i8(scale);
    to.min[2 * j] = to.min[2 * j + 1] = min;
  }
}

// Each 32 bytes hold two sub-blocks of 32: low nibbles, then high nibbles.
void read_nibbles_of_64(const u8* from, u8* q) {
  for (u32 i = 0; i < 4; ++i, from += 32, q += 64) {
    for (u32 k = 0; k < 32; ++k) q[k] = from[k] & 15;
    for (u32 k = 0; k < 32; ++k) q[32 + k] = from[k] >> 4;
  }
}

// Each 32 bytes hold four runs of 32 values of two bits.
void read_pairs_of_bits(const u8* from, u8* q) {
  for (u32 half = 0; half < 2; ++half, from += 32)
    for (u32 shift = 0; shift < 8; shift += 2, q += 32)
      for (u32 k = 0; k < 32; ++k) q[k] = from[k] >> shift & 3;
}

// scales[16] (scale | min << 4), q[64], d, dmin
void read_q2_k(const u8* from, BlockS& to) {
  for (u32 j = 0; j < 16; ++j) {
    to.scale[j] = from[j] & 15;
    to.min[j] = from[j] >> 4;
  }
  read_pairs_of_bits(from + 16, to.q);
  to.d = load_u16(from + 80);
  to.dmin = load_u16(from + 82);
}

// high bits[32], q[64], scales[12], d. A high bit that is *clear* takes 4 away; stored with 128 on
// top.
void read_q3_k(const u8* from, BlockS& to) {
  read_pairs_of_bits(from + 32, to.q);
  for (u32 run = 0; run < 8; ++run)
    for (u32 k = 0; k < 32; ++k) {
      u8& q = to.q[32 * run + k];
      q = u8(q + 124 + (from[k] >> run & 1) * 4);
    }
  const u8* scales = from + 96;
  for (u32 j = 0; j < 16; ++j) {
    const u32 low = scales[j % 8] >> (j / 8 * 4) & 15;
    const u32 high = scales[8 + j % 4] >> (j / 4 * 2) & 3;
    to.scale[j] = i8(i32(low | high << 4) - 32);
  }
  std::memset(to.min, 0, sizeof to.min);
  to.d = load_u16(from + 108);
  to.dmin = 0;
}

// d, dmin, scales[12], q[128]
void read_q4_k(const u8* from, BlockS& to) {
  to.d = load_u16(from);
  to.dmin = load_u16(from + 2);
  read_scales_of_32(from + 4, to);
  read_nibbles_of_64(from + 16, to.q);
}

// d, dmin, scales[12], high bits[32], q[128]
void read_q5_k(const u8* from, BlockS& to) {
  to.d = load_u16(from);
  to.dmin = load_u16(from + 2);
  read_scales_of_32(from + 4, to);
  read_nibbles_of_64(from + 48, to.q);
  for (u32 run = 0; run < 8; ++run)
    for (u32 k = 0; k < 32; ++k) to.q[32 * run + k] |= u8((from[16 + k] >> run & 1) << 4);
}

// q low[128], q high[64], scales[16] int8, d
void read_q6_k(const u8* from, BlockS& to) {
  for (u32 half = 0; half < 2; ++half) {
    const u8* low = from + 64 * half;
    const u8* high = from + 128 + 32 * half;
    u8* q = to.q + 128 * half;
    for (u32 k = 0; k < 32; ++k) {
      q[k] = u8((low[k] & 15) | (high[k] & 3) << 4);
      q[k + 32] = u8((low[k + 32] & 15) | (high[k] >> 2 & 3) << 4);
      q[k + 64] = u8(low[k] >> 4 | (high[k] >> 4 & 3) << 4);
      q[k + 96] = u8(low[k + 32] >> 4 | (high[k] >> 6) << 4);
    }
  }
  std::memcpy(to.scale, from + 192, 16);
  std::memset(to.min, 0, sizeof to.min);
  to.d = load_u16(from + 208);
  to.dmin = 0;
}

// e, q[16]: a power of two, 2^(e - 127), whose half is the scale of doubled values; bf16 holds all
// of them, the two smallest as subnormals.
void read_mxfp4(const u8* from, BlockE& to) {
  const u32 e = from[0];
  to.d = u16(e < 2 ? 0x20u << e : (e - 1) << 7);
  read_nibbles(from + 1, to.q);
  for (u8& q : to.q) q = kE2m1Codes.value[q];
}

// d, scales high[2], scales low[4], q[128]
void read_iq4_xs(const u8* from, BlockS& to) {
  to.d = load_u16(from);
  to.dmin = 0;
  const u32 high = load_u16(from + 2);
  for (u32 j = 0; j < 8; ++j) {
    const u32 low = from[4 + j / 2] >> (j % 2 * 4) & 15;
    to.scale[2 * j] = to.scale[2 * j + 1] = i8(i32(low | (high >> 2 * j & 3) << 4) - 32);
  }
  std::memset(to.min, 0, sizeof to.min);
  for (u32 j = 0; j < 8; ++j) read_nibbles(from + 8 + 16 * j, to.q + 32 * j);
  for (u8& q : to.q) q = kIq4Codes.value[q];
}

// Digits 0, 1, 2 (for -1, 0, 1) under one d: as a q with a min of 1.
void set_ternary_scales(u16 d, BlockS& to) {
  to.d = to.dmin = d;
  std::memset(to.scale, 1, sizeof to.scale);
  std::memset(to.min, 1, sizeof to.min);
}

// A byte is a fraction of 256 whose digits in base 3 are the values: `count` bytes hold `digits`
// runs of `count` values.
u8* read_base_3(const u8* from, u32 count, u32 digits, u8* q) {
  u8 power = 1;
  for (u32 digit = 0; digit < digits; ++digit, power = u8(power * 3))
    for (u32 k = 0; k < count; ++k) *q++ = u8(u8(from[k] * power) * 3 >> 8);
  return q;
}

// q[48] (five digits each), q[4] (four digits), d
void read_tq1_0(const u8* from, BlockS& to) {
  u8* q = read_base_3(from, 32, 5, to.q);
  q = read_base_3(from + 32, 16, 5, q);
  read_base_3(from + 48, 4, 4, q);
  set_ternary_scales(load_u16(from + 52), to);
}

// q[64], d
void read_tq2_0(const u8* from, BlockS& to) {
  read_pairs_of_bits(from, to.q);
  set_ternary_scales(load_u16(from + 64), to);
}

}  // namespace

FormatShape shape_of(Format format) {
  switch (format) {
    case Format::kQ4_0:
      return {FormatShape::kE, 8, false};
    case Format::kQ4_1:
      return {FormatShape::kE, 0, true};
    case Format::kQ5_0:
      return {FormatShape::kE, 128, false};
    case Format::kQ5_1:
      return {FormatShape::kE, 0, true};
    case Format::kQ8_0:
      return {FormatShape::kE, 128, false};
    case Format::kIQ4_NL:
      return {FormatShape::kE, 128, false};
    case Format::kQ2_K:
      return {FormatShape::kS, 0, true};
    case Format::kQ3_K:
      return {FormatShape::kS, 128, false};
    case Format::kQ4_K:
      return {FormatShape::kS, 0, true};
    case Format::kQ5_K:
      return {FormatShape::kS, 0, true};
    case Format::kQ6_K:
      return {FormatShape::kS, 32, false};
    case Format::kIQ4_XS:
      return {FormatShape::kS, 128, false};
    case Format::kTQ1_0:
    case Format::kTQ2_0:
      return {FormatShape::kS, 0, true};
    case Format::kIQ2_XXS:
    case Format::kIQ2_XS:
    case Format::kIQ2_S:
      return {FormatShape::kS, 128, false, 0.125f};
    case Format::kIQ3_XXS:
      return {FormatShape::kS, 128, false, 0.25f};
    case Format::kIQ3_S:
      return {FormatShape::kS, 128, false, 1, -15};
    case Format::kIQ1_S:
    case Format::kIQ1_M:
      return {FormatShape::kS, 128, false, 0.125f, -9};
    default:
      return {FormatShape::kNone, 0, false};
  }
}

void read_block(Format format, const u8* from, BlockE& to) {
  to.d = load_u16(from);
  to.m = 0;
  switch (format) {
    case Format::kQ4_0:  // d, q[16]
      return read_nibbles(from + 2, to.q);
    case Format::kQ4_1:  // d, m, q[16]
      to.m = load_u16(from + 2);
      return read_nibbles(from + 4, to.q);
    case Format::kQ5_0:  // d, fifth bits[4], q[16]; q - 16, stored with 128 on top
      read_nibbles(from + 6, to.q);
      add_fifth_bits(from + 2, to.q);
      for (u8& q : to.q) q = u8(q + 112);
      return;
    case Format::kQ5_1:  // d, m, fifth bits[4], q[16]
      to.m = load_u16(from + 2);
      read_nibbles(from + 8, to.q);
      return add_fifth_bits(from + 4, to.q);
    case Format::kQ8_0:  // d, q[32] int8
      for (u32 k = 0; k < 32; ++k) to.q[k] = from[2 + k] ^ 0x80;
      return;
    case Format::kIQ4_NL:  // d, q[16], indices of a table
      read_nibbles(from + 2, to.q);
      for (u8& q : to.q) q = kIq4Codes.value[q];
      return;
    case Format::kMXFP4:
      return read_mxfp4(from, to);
    default:
      std::memset(&to, 0, sizeof to);
  }
}

void read_block(Format format, const u8* from, BlockS& to) {
  switch (format) {
    case Format::kQ2_K:
      return read_q2_k(from, to);
    case Format::kQ3_K:
      return read_q3_k(from, to);
    case Format::kQ4_K:
      return read_q4_k(from, to);
    case Format::kQ5_K:
      return read_q5_k(from, to);
    case Format::kQ6_K:
      return read_q6_k(from, to);
    case Format::kIQ4_XS:
      return read_iq4_xs(from, to);
    case Format::kTQ1_0:
      return read_tq1_0(from, to);
    case Format::kTQ2_0:
      return read_tq2_0(from, to);
    default:
      if (!read_grid_block(format, from, to)) std::memset(&to, 0, sizeof to);
  }
}

}  // namespace orrery::kernels
