// random_model: a Model of any ModelSpec with random weights in any file format, without a file.
//
// Blocks of quantised formats are random bytes under sane scales: every bit pattern of the values
// occurs. The same seed gives the same model.
#pragma once

#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "base/half.h"
#include "kernels/packed.h"
#include "model/weights.h"

namespace orrery::testing {

// Where the f16 scales of a block stand, so that they can be made sane.
inline std::vector<u32> f16_offsets(Format format) {
  switch (format) {
    case Format::kQ4_0:
    case Format::kQ5_0:
    case Format::kQ8_0:
    case Format::kIQ4_NL:
      return {0};
    case Format::kQ4_1:
    case Format::kQ5_1:
    case Format::kQ4_K:
    case Format::kQ5_K:
      return {0, 2};
    case Format::kQ2_K:
      return {80, 82};
    case Format::kQ3_K:
      return {108};
    case Format::kQ6_K:
      return {208};
    case Format::kIQ4_XS:
      return {0};
    default:
      return {};
  }
}

// The second scale of a block (of its minimum) over the first, so that weights have mean about
// zero.
inline f32 minimum_ratio(Format format) {
  switch (format) {
    case Format::kQ4_1:
      return -7.5f;
    case Format::kQ5_1:
      return -15.5f;
    case Format::kQ2_K:
      return 1.5f;
    case Format::kQ4_K:
      return 7.5f;
    case Format::kQ5_K:
      return 15.5f;
    default:
      return 1;
  }
}

// Largest magnitude of (scale x quant) over d, so that weights come out of about the same size.
inline f32 block_range(Format format) {
  switch (format) {
    case Format::kQ4_0:
      return 8;
    case Format::kQ4_1:
      return 15;
    case Format::kQ5_0:
      return 16;
    case Format::kQ5_1:
      return 31;
    case Format::kQ8_0:
    case Format::kIQ4_NL:
      return 127;
    case Format::kQ2_K:
      return 15 * 3;
    case Format::kQ3_K:
      return 32 * 4;
    case Format::kQ4_K:
      return 63 * 15;
    case Format::kQ5_K:
      return 63 * 31;
    case Format::kQ6_K:
      return 127 * 32;
    case Format::kIQ4_XS:
      return 32 * 127;
    default:
      return 1;
  }
}

// `rows` rows of `cols` values as a file would hold them.
inline std::vector<u8> random_rows(Format format, u32 rows, u32 cols, f32 size,
                                   std::mt19937& random) {
  std::vector<u8> bytes(rows * *row_bytes(format, cols));
  std::normal_distribution<f32> normal(0, size);
  const FormatInfo& row = info(format);
  if (row.block_elements == 1) {
    for (u64 i = 0; i < u64(rows) * cols; ++i) {
      const f32 value = normal(random);
      const u16 half = format == Format::kF16 ? f16_from_f32(value) : bf16_from_f32(value);
      if (format == Format::kF32)
        std::memcpy(&bytes[i * 4], &value, 4);
      else
        std::memcpy(&bytes[i * 2], &half, 2);
    }
    return bytes;
  }
  for (u8& byte : bytes) byte = u8(random());
  std::uniform_real_distribution<f32> scale(0.5f, 1.5f);
  for (u64 block = 0; block < bytes.size(); block += row.block_bytes) {
    f32 value = 2 * size * scale(random) / block_range(format);
    for (u32 offset : f16_offsets(format)) {
      const u16 half = f16_from_f32(value);
      std::memcpy(&bytes[block + offset], &half, 2);
      value *= minimum_ratio(format);
    }
  }
  return bytes;
}

class RandomModel {
 public:
  // `matrices`: the format of all matrices; `exact` as in BindOptions.
  RandomModel(const model::ModelSpec& spec, Format matrices, u32 seed, bool exact = false) {
    model.spec = spec;
    std::mt19937 random(seed);
    model::WeightsBuilder builder(spec);
    for (const model::TensorNeed& need : model::needed_tensors(spec)) {
      if (need.is_vector()) {
        add_vector(need, random);
        builder.add(need, vectors_.back().data());
        continue;
      }
      // As the binder does: what decides stays in float32; heads of latents are float rows.
      const bool floats = exact || model::keeps_f32(need.role);
      const bool heads =
          need.role == model::Role::kLatentKey || need.role == model::Role::kLatentValue;
      std::vector<model::Matrix> stack;
      for (u32 i = 0; i < need.count(); ++i)
        stack.push_back(pack(floats || heads ? Format::kF32 : matrices, floats, need.rows(),
                             need.cols(), random));
      builder.add(need, stack);
    }
    model.weights = builder.take();
  }

  model::Model model;

 private:
  void add_vector(const model::TensorNeed& need, std::mt19937& random) {
    using model::Role;
    f32 center = 0;
    switch (need.role) {
      case Role::kAttentionNorm:
      case Role::kFfnNorm:
      case Role::kOutputNorm:
      case Role::kQueryNorm:
      case Role::kKeyNorm:
      case Role::kQueryDownNorm:
      case Role::kLatentNorm:
      case Role::kIndexKeyNorm:
      case Role::kDeltaNorm:
        center = 1;
        break;
      case Role::kDeltaRate:
        center = -1;  // a state decays
        break;
      default:
        break;
    }
    std::normal_distribution<f32> around(center, need.role == Role::kDeltaConv ? 0.5f : 0.1f);
    vectors_.emplace_back(need.values());
    for (f32& value : vectors_.back()) value = around(random);
  }

  model::Matrix pack(Format format, bool exact, u32 rows, u32 cols, std::mt19937& random) {
    const kernels::Layout layout = *kernels::layout_for(format, exact);
    const std::vector<u8> file = random_rows(format, rows, cols, 1 / std::sqrt(f32(cols)), random);
    const u64 row = *row_bytes(format, cols), panel = kernels::panel_bytes(layout, cols);
    buffers_.push_back(std::move(*HugeBuffer::allocate(kernels::packed_bytes(layout, rows, cols))));
    u8* out = buffers_.back().data();
    for (u32 p = 0; p * kernels::kPanelRows < rows; ++p) {
      const u8* from[kernels::kPanelRows] = {};
      for (u32 r = 0; r < kernels::kPanelRows && p * kernels::kPanelRows + r < rows; ++r)
        from[r] = file.data() + u64(p * kernels::kPanelRows + r) * row;
      kernels::pack_panel(format, layout, from, cols, out + p * panel);
    }
    return {layout, rows, cols, panel, out};
  }

  std::vector<HugeBuffer> buffers_;
  std::vector<std::vector<f32>> vectors_;
};

}  // namespace orrery::testing
