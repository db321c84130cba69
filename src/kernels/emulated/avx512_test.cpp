// The sources of the avx512 rung over emulated intrinsics: part of kernels_test only.
#include "kernels/emulated/avx512.h"

#define install_avx512 install_avx512_emulated
#include "kernels/x86_avx512/install.cpp"
