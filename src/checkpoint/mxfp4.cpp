// MXFP4 as Hugging Face folders have it: X_blocks [.., rows, groups, 16] and X_scales
// [.., rows, groups], a byte of scale for 32 values of four bits. Neighbours share a byte, the even
// one low; GGUF's block, which we hand out, pairs value i with value i + 16.
//
// The view keeps the name X_blocks: a checkpoint of the same model without quantisation has its X
// transposed, so whoever binds it must see which one it is.
#include "checkpoint/names.h"
#include "checkpoint/quantized.h"
#include "checkpoint/row_values.h"

namespace orrery::checkpoint {
namespace {

constexpr u64 kGroup = 32, kGroupBytes = 16;
// 6 * 2^(e - 127) overflows a float above, as kernels::all_finite has it for GGUF's blocks.
constexpr u8 kScaleMax = 252;

constexpr f32 kValues[16] = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                             -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};

class Mxfp4Encoding final : public JoinedEncoding {
 public:
  Mxfp4Encoding(const TensorView& blocks, const TensorView& scales)
      : JoinedEncoding({&blocks, &scales}),
        blocks_(blocks.bytes),
        scales_(scales.bytes),
        groups_(scales.shape.back()) {}

  std::string_view name() const override { return "MXFP4"; }
  Format row_format() const override { return Format::kMXFP4; }

  Result<void> read_row(u64 row, Format format, u8* out) const override {
    for (u64 i = row * groups_; i < (row + 1) * groups_; ++i) {
      const u8* pairs = blocks_.data() + i * kGroupBytes;
      const u8 scale = scales_[i];
      if (scale > kScaleMax) return damaged();
      if (format == Format::kF32) {
        write_floats(pairs, scale, out);
        out += kGroup * sizeof(f32);
      } else {
        write_block(pairs, scale, out);
        out += 1 + kGroupBytes;
      }
    }
    return {};
  }

 private:
  static u8 nibble(const u8* pairs, u64 i) { return u8(pairs[i / 2] >> (i % 2 * 4) & 15); }

  static void write_floats(const u8* pairs, u8 scale, u8* out) {
    const f32 power = f32_from_f8_e8m0(scale);
    for (u64 i = 0; i < kGroup; ++i) store(out, i, kValues[nibble(pairs, i)] * power);
  }

  static void write_block(const u8* pairs, u8 scale, u8* out) {
    out[0] = scale;
    for (u64 i = 0; i < kGroupBytes; ++i)
      out[1 + i] = u8(nibble(pairs, i) | nibble(pairs, i + kGroupBytes) << 4);
  }

  Bytes blocks_, scales_;
  u64 groups_;
};

Result<void> join(Parts& parts, const std::string& stem) {
  TRY(const TensorView* blocks, parts.require(stem + "_blocks", Format::kU8));
  TRY(const TensorView* scales, parts.require(stem + "_scales", Format::kU8));
  std::vector<u64> expected = scales->shape;
  expected.push_back(kGroupBytes);
  if (scales->shape.size() < 2 || scales->bytes.empty() || blocks->shape != expected)
    return fail("tensor {} has the shape {}, but its scales {} have {}", shown(blocks->name),
                shape_text(blocks->shape), shown(scales->name), shape_text(scales->shape));
  std::vector<u64> shape = scales->shape;
  shape.back() *= kGroup;  // fits: the bytes of the blocks are half of it
  TensorView joined{blocks->name,     Format::kMXFP4,
                    std::move(shape), {},
                    blocks->file,     std::make_shared<Mxfp4Encoding>(*blocks, *scales)};
  parts.replace({blocks, scales}, std::move(joined));
  return {};
}

}  // namespace

Result<void> join_mxfp4(const Config&, Parts& parts) {
  for (const std::string& stem : parts.stems("_blocks")) CHECK_OK(join(parts, stem));
  return parts.check_none_left({"_scales"});
}

}  // namespace orrery::checkpoint
