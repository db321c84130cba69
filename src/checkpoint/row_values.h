// How an Encoding reads numbers from its parts (at any address) and writes a row.
#pragma once

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/float8.h"
#include "base/format.h"
#include "base/half.h"
#include "base/types.h"

namespace orrery::checkpoint {

template <typename T>
[[nodiscard]] T load(Bytes from, u64 index) {
  T value;
  std::memcpy(&value, from.data() + index * sizeof(T), sizeof(T));
  return value;
}
template <typename T>
void store(u8* to, u64 index, T value) {
  std::memcpy(to + index * sizeof(T), &value, sizeof(T));
}

// Numbers that scale others, in whichever float format the exporter kept them.
[[nodiscard]] inline bool is_scale_format(Format format) {
  return format == Format::kF32 || format == Format::kF16 || format == Format::kBF16 ||
         format == Format::kF8_E8M0;
}
[[nodiscard]] inline f32 load_scale(Format format, Bytes from, u64 index) {
  switch (format) {
    case Format::kF16:
      return f32_from_f16(load<u16>(from, index));
    case Format::kBF16:
      return f32_from_bf16(load<u16>(from, index));
    case Format::kF8_E8M0:
      return f32_from_f8_e8m0(from[index]);
    default:
      return load<f32>(from, index);
  }
}

// The largest bfloat16; false for NaN, too.
[[nodiscard]] inline bool is_sound(f32 value) { return std::fabs(value) <= 0x1.fep127f; }

[[nodiscard]] inline tl::unexpected<Error> damaged() {
  return fail("a value or scale is not a finite number (the file is damaged)");
}

// Writes values in order as f32 or bf16 and remembers whether all of them were sound.
class FloatRow {
 public:
  FloatRow(Format format, u8* out) : brief_(format == Format::kBF16), out_(out) {}
  void add(f32 value) {
    sound_ &= is_sound(value);
    if (brief_)
      store(out_, index_++, bf16_from_f32(value));
    else
      store(out_, index_++, value);
  }
  [[nodiscard]] Result<void> end() const {
    if (!sound_) return damaged();
    return {};
  }

 private:
  bool brief_;
  bool sound_ = true;
  u64 index_ = 0;
  u8* out_;
};

// The scale of a block of Q8_0 or Q4_0.
[[nodiscard]] inline Result<void> store_block_scale(f32 scale, u8* block) {
  const u16 bits = f16_from_f32(scale);
  if ((bits & 0x7c00) == 0x7c00) return damaged();
  store(block, 0, bits);
  return {};
}

}  // namespace orrery::checkpoint
