// Constants of the one exp that all rungs share (scalar/arithmetic.h explains the method).
#pragma once

#include "base/types.h"

namespace orrery::kernels {

inline constexpr f32 kExpMax = 88.3762626647949f;   // 127.4999 ln 2: 2^n stays finite
inline constexpr f32 kExpMin = -87.3365447505531f;  // -126 ln 2: 2^n stays normal
inline constexpr f32 kLog2E = 0x1.715476p+0f;
inline constexpr f32 kLn2High = 0x1.62ep-1f;     // 12 bits, so that n * kLn2High is exact
inline constexpr f32 kLn2Low = 0x1.0bfbe8p-15f;  // ln 2 - kLn2High
inline constexpr f32 kRoundingShift =
    0x1.8p23f;  // adding it leaves the nearest integer in the low bits

// exp(r) for |r| <= ln(2) / 2, highest power first; minimax with relative error 3e-9 before
// rounding.
inline constexpr u32 kExpTerms = 7;
inline constexpr f32 kExpPolynomial[kExpTerms] = {
    0x1.6a23dp-10f, 0x1.123a2p-7f, 0x1.5558f2p-5f, 0x1.555492p-3f, 0x1.fffffcp-2f, 1.0f, 1.0f};

}  // namespace orrery::kernels
