// What the files of the scalar rung give to its install().
#pragma once

#include "kernels/kernels.h"

namespace orrery::kernels::scalar {

void install_matmul(Kernels& kernels);
void install_elementwise(Kernels& kernels);
void install_attention(Kernels& kernels);
void decode_row(const PackedMatrix& weights, u32 row, f32* out);
void quantize(const f32* x, u64 x_stride, const Activations& to, u32 begin, u32 end);

}  // namespace orrery::kernels::scalar
