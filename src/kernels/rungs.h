// The ladder: one row a rung, from the oracle upwards. A new rung is one folder and one row.
#pragma once

#include "kernels/kernels.h"

namespace orrery::kernels {

void install_scalar(Kernels& kernels);
void install_avx2(Kernels& kernels);
void install_avx_vnni(Kernels& kernels);
void install_avx512(Kernels& kernels);
void install_avx512_vnni(Kernels& kernels);
void install_amx(Kernels& kernels);

struct Rung {
  Isa isa;
  void (*install)(Kernels&);
};
inline constexpr Rung kRungs[] = {
    {Isa::kScalar, install_scalar},
#if defined(__x86_64__)
    {Isa::kAvx2, install_avx2},     {Isa::kAvxVnni, install_avx_vnni},
    {Isa::kAvx512, install_avx512}, {Isa::kAvx512Vnni, install_avx512_vnni},
    {Isa::kAmx, install_amx},
#endif
};

}  // namespace orrery::kernels
