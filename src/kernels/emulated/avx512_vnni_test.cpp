// The sources of the avx512_vnni rung over emulated intrinsics: part of kernels_test only.
#include "kernels/emulated/avx512.h"

#define install_avx512_vnni install_avx512_vnni_emulated
#include "kernels/x86_avx512_vnni/install.cpp"
