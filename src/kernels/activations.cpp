// Where the parts of Activations lie in one piece of memory.
#include "kernels/activations.h"

#include "kernels/layout.h"

namespace orrery::kernels {
namespace {

// Takes 64-byte aligned pieces from the memory, one after the other; with no memory it only counts.
class Pieces {
 public:
  explicit Pieces(u8* memory) : memory_(memory) {}
  template <typename T>
  void take(T*& piece, u64 count) {
    piece = memory_ ? reinterpret_cast<T*>(memory_ + bytes_) : nullptr;
    bytes_ += round_up<u64>(count * sizeof(T), 64);
  }
  [[nodiscard]] u64 bytes() const { return bytes_; }

 private:
  u8* memory_;
  u64 bytes_ = 0;
};

u64 lay_out(Activations& to, u8* memory) {
  Pieces pieces(memory);
  const u64 columns = to.columns, slabs = u64(to.blocks()) * columns;
  const u64 padded = round_up(to.depth, kDepthGrain);
  switch (to.kind) {
    case ActivationKind::kF32:
      pieces.take(to.f32_values, columns * padded);
      break;
    case ActivationKind::kInt8Per32:
      pieces.take(to.values, slabs * kBlockDepth);
      pieces.take(to.scales, slabs * 8);
      pieces.take(to.scaled_sums, slabs * 8);
      pieces.take(to.sums, slabs * 8);
      break;
    case ActivationKind::kInt8Per256:
      pieces.take(to.values, slabs * kBlockDepth);
      pieces.take(to.scales, slabs);
      pieces.take(to.offset_halves, slabs * 32);
      pieces.take(to.sums_of_32, slabs * 8);
      break;
  }
  return pieces.bytes();
}

}  // namespace

u64 activation_bytes(ActivationKind kind, u32 depth, u32 columns_max) {
  Activations counted{};
  counted.kind = kind;
  counted.depth = depth;
  counted.columns = columns_max;
  return lay_out(counted, nullptr);
}

Activations place_activations(ActivationKind kind, u32 depth, u32 columns, u8* memory) {
  Activations placed{};
  placed.kind = kind;
  placed.depth = depth;
  placed.columns = columns;
  lay_out(placed, memory);
  return placed;
}

}  // namespace orrery::kernels
