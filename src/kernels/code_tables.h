// Formats whose four bits count the values of a table: the tables, as packed matrices need them.
//
// Values are stored with 128 on top, so that they are unsigned like every other layout's; a kernel
// looks 16 codes up at once (pshufb) and goes on as with the layouts of 8 bits. Rungs that multiply
// nibbles look up the two halves of a value instead.
#pragma once

#include <array>

#include "base/types.h"

namespace orrery::kernels {

inline constexpr u8 kCodeOffset = 128;

struct CodeTable {
  alignas(16) u8 value[16];
  alignas(16) u8 low[16];  // nibbles of the value
  alignas(16) u8 high[16];
};

constexpr CodeTable code_table(const std::array<i8, 16>& values) {
  CodeTable table{};
  for (u32 i = 0; i < 16; ++i) {
    table.value[i] = u8(values[i] + kCodeOffset);
    table.low[i] = table.value[i] & 15;
    table.high[i] = table.value[i] >> 4;
  }
  return table;
}

// IQ4_NL and IQ4_XS.
inline constexpr CodeTable kIq4Codes =
    code_table({-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113});
// OCP's FP4 (e2m1), doubled.
inline constexpr CodeTable kE2m1Codes =
    code_table({0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12});

}  // namespace orrery::kernels
