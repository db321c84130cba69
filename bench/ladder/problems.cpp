// The matrices and vectors that the ladders climb with.
#include <cstring>
#include <memory>
#include <random>

#include "base/half.h"
#include "ladder/ladder.h"

namespace orrery::ladder {

using kernels::Layout;

f32 half_at(const u8* from) {
  u16 bits;
  std::memcpy(&bits, from, 2);
  return f32_from_f16(bits);
}

Result<std::shared_ptr<Weights>> make_weights(u32 rows, u32 cols, u32 seed) {
  auto w = std::make_shared<Weights>();
  w->rows = rows;
  w->cols = cols;
  const u64 row_bytes = u64(cols) / 32 * kFileBlock;
  std::mt19937 random(seed);
  w->file.resize(rows * row_bytes);
  for (u8& byte : w->file) byte = u8(random());
  const u16 d = f16_from_f32(0.01f), m = f16_from_f32(-0.08f);
  for (u64 at = 0; at < w->file.size(); at += kFileBlock) {
    std::memcpy(&w->file[at], &d, 2);
    std::memcpy(&w->file[at + 2], &m, 2);
  }
  w->floats.resize(u64(rows) * cols);
  kernels::decode(Format::kQ4_1, w->file.data(), w->floats.size(), w->floats.data());
  TRY(w->memory, HugeBuffer::allocate(kernels::packed_bytes(Layout::kE4M, rows, cols)));
  const u64 panel_bytes = kernels::panel_bytes(Layout::kE4M, cols);
  w->packed = {Layout::kE4M, rows, cols, panel_bytes, w->memory.data()};
  for (u32 panel = 0; panel < w->packed.panels(); ++panel) {
    const u8* from[kernels::kPanelRows];
    for (u32 r = 0; r < kernels::kPanelRows; ++r)
      from[r] = w->file.data() + (u64(panel) * kernels::kPanelRows + r) * row_bytes;
    kernels::pack_panel(Format::kQ4_1, Layout::kE4M, from, cols,
                        w->memory.data() + panel * panel_bytes);
  }
  return w;
}

Result<std::shared_ptr<Inputs>> make_inputs(const kernels::Kernels& kernels, u32 cols,
                                            u32 columns) {
  auto x = std::make_shared<Inputs>();
  x->columns = columns;
  std::mt19937 random(2);
  std::normal_distribution<f32> normal;
  for (u64 i = 0; i < u64(columns) * cols; ++i) x->floats.push_back(normal(random));
  const auto kind = kernels::activation_kind(Layout::kE4M);
  TRY(x->memory, HugeBuffer::allocate(kernels::activation_bytes(kind, cols, columns)));
  x->quantized = kernels::place_activations(kind, cols, columns, x->memory.data());
  kernels.quantize(x->floats.data(), cols, x->quantized, 0, columns);
  return x;
}

}  // namespace orrery::ladder
