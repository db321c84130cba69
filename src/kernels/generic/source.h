// Where a kernel gets a group of four k from: straight from the packed data (few columns, each
// group is used once or a few times) or from a block unpacked into the first-level cache (many
// columns).
#pragma once

#include "kernels/generic/layouts.h"

namespace orrery::kernels {
namespace {

template <Layout kLayout>
struct Packed {
  static constexpr LayoutTraits kTraits = traits(kLayout);
  static constexpr u32 kGrainBytes = grain_bytes(kTraits.stored_bits);
  using Group = typename OperandOf<kTraits.operand>::Type;
  const u8* data;

  // Group g (0 .. 7) of 32 values' worth of data number j.
  ORRERY_INLINE Group group(u32 j, u32 g) const {
    const u8* grain = data + j * kGrainBytes;
    if constexpr (kTraits.stored_bits == 8)
      return as_operand<kTraits.operand>(load_bytes(grain + 64 * g));
    else if constexpr (kTraits.table != nullptr)
      return look_up_operand<kTraits.operand>(*kTraits.table, fields(grain, g));
    else
      return as_operand<kTraits.operand>(fields(grain, g));
  }

  ORRERY_INLINE static Bytes fields(const u8* grain, u32 g) {
    Bytes low = load_bytes(grain + 64 * (g % 4));
    if (g >= 4) low = shift_words_right<4>(low);
    low = and_each(low, 15);
    if constexpr (kTraits.stored_bits == 4) return low;
    const Bytes high = load_bytes(grain + 256 + 64 * (g / 4));
    switch (g % 4) {  // two bits each, moved to bits 4 and 5
      case 0:
        return low | and_each(shift_words_left<4>(high), 0x30);
      case 1:
        return low | and_each(shift_words_left<2>(high), 0x30);
      case 2:
        return low | and_each(high, 0x30);
      default:
        return low | and_each(shift_words_right<2>(high), 0x30);
    }
  }

  // The memory system sees one stream; asking for its lines a little ahead, spread over the work,
  // keeps more of them on the way than the hardware does by itself.
  ORRERY_INLINE void prefetch(u32 j) const {
    ORRERY_UNROLL
    for (u32 line = 0; line < kGrainBytes; line += 64)
      __builtin_prefetch(data + j * kGrainBytes + kPrefetchBytes + line);
  }
};

template <Layout kLayout>
struct Unpacked {
  static constexpr LayoutTraits kTraits = traits(kLayout);
  static constexpr u32 kGroupBytes = OperandOf<kTraits.operand>::kBytes;
  static constexpr u32 kBytes = kBlockDepth / 4 * kGroupBytes;
  using Group = typename OperandOf<kTraits.operand>::Type;
  const u8* data;

  ORRERY_INLINE Group group(u32 j, u32 g) const {
    Group group;
    load_operand(data + (j * kGroups + g) * kGroupBytes, group);
    return group;
  }
  ORRERY_INLINE void prefetch(u32) const {}

  ORRERY_INLINE static void fill(const Packed<kLayout>& packed, u32 grains, u8* to) {
    for (u32 j = 0; j < grains; ++j) {
      ORRERY_UNROLL
      for (u32 g = 0; g < kGroups; ++g, to += kGroupBytes) store_operand(to, packed.group(j, g));
    }
  }
};

}  // namespace
}  // namespace orrery::kernels
