// What the matmul templates need to know of each layout, at compile time.
#pragma once

#include "kernels/code_tables.h"
#include "kernels/layout.h"

namespace orrery::kernels {
namespace {

// How large the unsigned weights are, which decides how their products may be added: nibbles are at
// most 15, small ones at most 63.
enum class Operand : u8 { kNibble, kSmall, kByte };

struct LayoutTraits {
  u32 stored_bits;
  Operand operand;
  u32 offset;
  bool min;
  u32 sub_block;  // S: values of K under one integer scale, as the kernel takes them
  const CodeTable* table = nullptr;  // of the values that the bits count
  bool brain_scale = false;          // E: d is bf16
};

constexpr LayoutTraits traits(Layout layout) {
  switch (layout) {
    case Layout::kE4:
      return {4, Operand::kNibble, 8, false, 32};
    case Layout::kE4M:
      return {4, Operand::kNibble, 0, true, 32};
    case Layout::kE4N:
      return {4, Operand::kByte, kCodeOffset, false, 32, &kIq4Codes};
    case Layout::kE4X:
      return {4, Operand::kByte, kCodeOffset, false, 32, &kE2m1Codes, true};
    case Layout::kE8:
      return {8, Operand::kByte, 128, false, 32};
    case Layout::kE8M:
      return {8, Operand::kByte, 0, true, 32};
    case Layout::kS4M:
      return {4, Operand::kNibble, 0, true, 32};
    case Layout::kS8M:
      return {8, Operand::kSmall, 0, true, 16};  // five bits; its scales of 32, twice
    case Layout::kS6:
      return {6, Operand::kSmall, 32, false, 16};
    case Layout::kS4N:
      return {4, Operand::kByte, kCodeOffset, false, 16, &kIq4Codes};
    case Layout::kS8:
      return {8, Operand::kByte, 128, false, 16};
    case Layout::kS2M:
      return {4, Operand::kNibble, 0, true, 16};
    default:
      return {};
  }
}

constexpr u32 kGroups = 8;  // of four k, in 32

// Data bytes that 32 of K take for 16 rows.
constexpr u32 grain_bytes(u32 stored_bits) { return stored_bits * 64; }

}  // namespace
}  // namespace orrery::kernels
