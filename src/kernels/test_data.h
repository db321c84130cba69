// Test data of the kernels room: seeded random and extreme matrices in every format, packed, and
// activations for them.
#pragma once

#include <cstring>
#include <random>
#include <vector>

#include "base/half.h"
#include "kernels/kernels.h"

namespace orrery::kernels::test {

// Memory aligned as the kernels want it.
class Memory {
 public:
  explicit Memory(u64 bytes) : storage_(bytes + 128) {
    data_ = storage_.data() + (64 - reinterpret_cast<std::uintptr_t>(storage_.data()) % 64);
  }
  [[nodiscard]] u8* data() const { return data_; }
  [[nodiscard]] f32* floats() const { return reinterpret_cast<f32*>(data_); }

 private:
  std::vector<u8> storage_;
  u8* data_;
};

// kRandom: any quants, scales around 1/16. kExtreme: every byte 0xff or 0x80, so that sums reach
// their bounds, scales at the largest finite halves of moderate size. kZero: all bytes zero.
enum class Data { kRandom, kExtreme, kZero };

// Where the f16 scales of a format stand in its block.
inline std::vector<u32> scale_offsets(Format format) {
  switch (format) {
    case Format::kQ2_K:
      return {80, 82};
    case Format::kQ3_K:
      return {108};
    case Format::kQ6_K:
      return {208};
    case Format::kQ4_1:
    case Format::kQ5_1:
    case Format::kQ4_K:
    case Format::kQ5_K:
      return {0, 2};
    case Format::kTQ1_0:
      return {52};
    case Format::kTQ2_0:
      return {64};
    case Format::kMXFP4:
    case Format::kNVFP4:
    case Format::kF32:
    case Format::kF16:
    case Format::kBF16:
      return {};
    default:
      return {0};
  }
}

inline std::vector<u8> file_bytes(Format format, u32 rows, u32 cols, Data data, u32 seed) {
  std::mt19937 random(seed);
  std::normal_distribution<f32> normal;
  std::vector<u8> bytes(rows * *row_bytes(format, cols));
  if (data == Data::kZero) return bytes;
  const FormatInfo& row = info(format);
  for (u8& byte : bytes) byte = data == Data::kRandom ? u8(random()) : (random() % 8 ? 0xff : 0x80);
  for (u64 at = 0; at < bytes.size(); at += row.block_bytes) {
    const f32 value = normal(random);
    for (u32 offset : scale_offsets(format)) {
      const u16 bits = f16_from_f32(data == Data::kRandom ? normal(random) / 16 : 60);
      std::memcpy(&bytes[at + offset], &bits, 2);
    }
    if (format == Format::kF32) std::memcpy(&bytes[at], &value, 4);
    const u16 half = f16_from_f32(value), brain = bf16_from_f32(value);
    if (format == Format::kF16) std::memcpy(&bytes[at], &half, 2);
    if (format == Format::kBF16) std::memcpy(&bytes[at], &brain, 2);
    if (format == Format::kMXFP4) bytes[at] = u8(120 + random() % 8);
  }
  return bytes;
}

struct Matrix {
  Memory memory;
  PackedMatrix packed;
};

inline Matrix pack(Format format, const std::vector<u8>& bytes, u32 rows, u32 cols,
                   bool exact = false) {
  const Layout layout = *layout_for(format, exact);
  Matrix matrix{Memory(packed_bytes(layout, rows, cols)), {}};
  const u64 size = panel_bytes(layout, cols), row_size = *row_bytes(format, cols);
  for (u32 p = 0; p < divide_up(rows, kPanelRows); ++p) {
    const u8* from[kPanelRows] = {};
    for (u32 r = 0; r < kPanelRows && p * kPanelRows + r < rows; ++r)
      from[r] = bytes.data() + (p * kPanelRows + r) * row_size;
    pack_panel(format, layout, from, cols, matrix.memory.data() + p * size);
  }
  matrix.packed = {layout, rows, cols, size, matrix.memory.data()};
  return matrix;
}

// [columns][depth]; extreme: all the same large value with a few signs, so that every q is +-127.
inline std::vector<f32> activation_values(u32 columns, u32 depth, Data data, u32 seed) {
  std::mt19937 random(seed);
  std::normal_distribution<f32> normal;
  std::vector<f32> values(u64(columns) * depth);
  for (f32& value : values) {
    if (data == Data::kRandom) value = normal(random) * (random() % 64 ? 1 : 20);
    if (data == Data::kExtreme) value = random() % 16 ? 3.0f : -3.0f;
  }
  return values;
}

struct Quantized {
  Memory memory;
  Activations activations;
};

inline Quantized quantize(const Kernels& kernels, ActivationKind kind,
                          const std::vector<f32>& values, u32 columns, u32 depth) {
  Quantized quantized{Memory(activation_bytes(kind, depth, columns)), {}};
  quantized.activations = place_activations(kind, depth, columns, quantized.memory.data());
  kernels.quantize(values.data(), depth, quantized.activations, 0, columns);
  return quantized;
}

}  // namespace orrery::kernels::test
