#include "kernels/grid_blocks.h"

#include <bit>
#include <cstring>

namespace orrery::kernels {
namespace {

#include "kernels/grid_tables.inc"

constexpr u32 kOffset = 128;
constexpr u8 kLevels2[4] = {8, 25, 43, 0};
constexpr u8 kLevels3Xxs[8] = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr u8 kLevels3S[8] = {1, 3, 5, 7, 9, 11, 13, 15};

u16 load_u16(const u8* from) { return u16(from[0] | from[1] << 8); }
u32 load_u32(const u8* from) {
  u32 value;
  std::memcpy(&value, from, 4);
  return value;
}

u8 signed_value(u32 value, bool negative) {
  return u8(negative ? kOffset - value : kOffset + value);
}

// Eight values of an IQ2 entry; bit i of `signs` makes value i negative.
void put_8(u32 entry, u32 signs, u8* q) {
  for (u32 i = 0; i < 8; ++i) q[i] = signed_value(kLevels2[entry >> 2 * i & 3], signs >> i & 1);
}

// Four values of an IQ3 entry.
void put_4(u32 entry, const u8* levels, u32 signs, u8* q) {
  for (u32 i = 0; i < 4; ++i) q[i] = signed_value(levels[entry >> 3 * i & 7], signs >> i & 1);
}

// Seven signs are stored; the eighth makes their number even.
u32 eight_signs(u32 seven) { return seven | u32(std::popcount(seven) & 1) << 7; }

void set_scale_of_32(BlockS& to, u32 group, u32 scale) {
  to.scale[2 * group] = to.scale[2 * group + 1] = i8(2 * scale + 1);
}
// A byte for each 32 values: low nibble for the first 16.
void set_scales_of_16(const u8* from, BlockS& to) {
  for (u32 j = 0; j < 16; ++j) to.scale[j] = i8(2 * (from[j / 2] >> (j % 2 * 4) & 15) + 1);
}

// d, then for each 32 values: indices[4], four signs of 7 bits and a scale of 4 in a dword
void read_iq2_xxs(const u8* from, BlockS& to) {
  for (u32 group = 0; group < 8; ++group) {
    const u8* indices = from + 2 + 8 * group;
    const u32 rest = load_u32(indices + 4);
    set_scale_of_32(to, group, rest >> 28);
    for (u32 j = 0; j < 4; ++j)
      put_8(kIq2xxsGrid[indices[j]], eight_signs(rest >> 7 * j & 127), to.q + 32 * group + 8 * j);
  }
}

// d, 32 words (index of 9 bits, signs of 7), scales[8]
void read_iq2_xs(const u8* from, BlockS& to) {
  for (u32 j = 0; j < 32; ++j) {
    const u32 word = load_u16(from + 2 + 2 * j);
    put_8(kIq2xsGrid[word & 511], eight_signs(word >> 9), to.q + 8 * j);
  }
  set_scales_of_16(from + 66, to);
}

// d, indices low[32], signs[32], indices high[8] (2 bits each), scales[8]
void read_iq2_s(const u8* from, BlockS& to) {
  for (u32 j = 0; j < 32; ++j) {
    const u32 high = from[66 + j / 4] >> (j % 4 * 2) & 3;
    put_8(kIq2sGrid[from[2 + j] | high << 8], from[34 + j], to.q + 8 * j);
  }
  set_scales_of_16(from + 74, to);
}

// d, indices[64], then for each 32 values: four signs of 7 bits and a scale of 4 in a dword
void read_iq3_xxs(const u8* from, BlockS& to) {
  for (u32 j = 0; j < 64; ++j) {
    const u32 rest = load_u32(from + 66 + j / 8 * 4);
    const u32 signs = eight_signs(rest >> (j % 8 / 2 * 7) & 127) >> (j % 2 * 4);
    put_4(kIq3xxsGrid[from[2 + j]], kLevels3Xxs, signs, to.q + 4 * j);
    if (j % 8 == 0) set_scale_of_32(to, j / 8, rest >> 28);
  }
}

// d, indices low[64], indices high[8] (a bit each), signs[32], scales[4]
void read_iq3_s(const u8* from, BlockS& to) {
  for (u32 j = 0; j < 64; ++j) {
    const u32 high = from[66 + j / 8] >> j % 8 & 1, signs = from[74 + j / 2] >> (j % 2 * 4);
    put_4(kIq3sGrid[from[2 + j] | high << 8], kLevels3S, signs, to.q + 4 * j);
  }
  for (u32 group = 0; group < 8; ++group)
    set_scale_of_32(to, group, from[106 + group / 2] >> (group % 2 * 4) & 15);
}

// Eight values of an IQ1 entry in eighths: -1, 0 or 1, all moved up or down by one eighth.
void put_eighths(u32 entry, bool down, u8* q) {
  const u32 zero = down ? kOffset - 1 : kOffset + 1;
  for (u32 i = 0; i < 8; ++i) q[i] = u8(zero - 8 + 8 * (entry >> 2 * i & 3));
}

// d, indices low[32], for each 32 values a word: indices high (3 bits each), scale of 3, down
void read_iq1_s(const u8* from, BlockS& to) {
  for (u32 j = 0; j < 32; ++j) {
    const u32 word = load_u16(from + 34 + j / 4 * 2);
    const u32 high = word >> (j % 4 * 3) & 7;
    put_eighths(kIq1sGrid[from[2 + j] | high << 8], word >> 15, to.q + 8 * j);
    if (j % 4 == 0) set_scale_of_32(to, j / 4, word >> 12 & 7);
  }
}

// indices low[32], high[16] (3 bits of index, down), scales[4] words: four of 3 bits for 16 values
// each, and at the top four bits of d
void read_iq1_m(const u8* from, BlockS& to) {
  for (u32 j = 0; j < 32; ++j) {
    const u32 high = from[32 + j / 2] >> (j % 2 * 4);
    put_eighths(kIq1sGrid[from[j] | (high & 7) << 8], high >> 3 & 1, to.q + 8 * j);
  }
  to.d = 0;
  for (u32 i = 0; i < 4; ++i) {
    const u32 word = load_u16(from + 48 + 2 * i);
    to.d = u16(to.d | word >> 12 << 4 * i);
    for (u32 j = 0; j < 4; ++j) to.scale[4 * i + j] = i8(2 * (word >> 3 * j & 7) + 1);
  }
}

}  // namespace

bool read_grid_block(Format format, const u8* from, BlockS& to) {
  to.d = load_u16(from);
  to.dmin = 0;
  std::memset(to.min, 0, sizeof to.min);
  switch (format) {
    case Format::kIQ2_XXS:
      read_iq2_xxs(from, to);
      return true;
    case Format::kIQ2_XS:
      read_iq2_xs(from, to);
      return true;
    case Format::kIQ2_S:
      read_iq2_s(from, to);
      return true;
    case Format::kIQ3_XXS:
      read_iq3_xxs(from, to);
      return true;
    case Format::kIQ3_S:
      read_iq3_s(from, to);
      return true;
    case Format::kIQ1_S:
      read_iq1_s(from, to);
      return true;
    case Format::kIQ1_M:
      read_iq1_m(from, to);
      return true;
    default:
      return false;
  }
}

}  // namespace orrery::kernels
