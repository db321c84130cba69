// The ladder: one row a rung, from the oracle upwards. A new rung is one folder and one row.
#pragma once

#include "kernels/kernels.h"

namespace orrery::kernels {

void install_scalar(Kernels& kernels);
void install_avx2(Kernels& kernels);

struct Rung {
  Isa isa;
  void (*install)(Kernels&);
};
inline constexpr Rung kRungs[] = {
    {Isa::kScalar, install_scalar},
    {Isa::kAvx2, install_avx2},
};

}  // namespace orrery::kernels
