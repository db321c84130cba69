// The scalar rung: every slot, plainly. It is the oracle that the others are held against.
#include "kernels/rungs.h"
#include "kernels/scalar/scalar.h"

namespace orrery::kernels {

void install_scalar(Kernels& kernels) {
  scalar::install_matmul(kernels);
  scalar::install_elementwise(kernels);
  scalar::install_attention(kernels);
  kernels.quantize = scalar::quantize;
  kernels.decode_row = scalar::decode_row;
}

}  // namespace orrery::kernels
