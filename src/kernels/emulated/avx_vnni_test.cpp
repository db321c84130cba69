// The sources of the avx_vnni rung with its one instruction beyond AVX2 emulated: part of
// kernels_test.
#include <immintrin.h>

#include "base/types.h"

namespace orrery::emulated {
inline __attribute__((always_inline)) __m256i dpbusd(__m256i sum, __m256i a, __m256i b) {
  const __m256i low = _mm256_set1_epi16(255);
  const __m256i even =
      _mm256_madd_epi16(_mm256_and_si256(a, low), _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8));
  const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(a, 8), _mm256_srai_epi16(b, 8));
  return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
}
}  // namespace orrery::emulated

#define _mm256_dpbusd_avx_epi32 ::orrery::emulated::dpbusd
#define install_avx_vnni install_avx_vnni_emulated
#include "kernels/x86_avx_vnni/install.cpp"
