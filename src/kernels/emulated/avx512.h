// The AVX-512 intrinsics that the avx512 rungs use, as plain loops: only for tests.
//
// The rungs' own sources are compiled a second time against this header, so that their results are
// held against the oracle on machines that lack AVX-512. Each function follows the pseudo code of
// Intel's Intrinsics Guide. It says nothing about speed or about the compiler's code for the real
// ones.
#pragma once

#include <immintrin.h>

#include <cmath>
#include <cstring>

#include "base/half.h"

namespace orrery::emulated {

struct V512 {
  u8 bytes[64];
  template <typename T>
  [[nodiscard]] T get(u32 i) const {
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
    return value;
  }
  template <typename T>
  void set(u32 i, T value) {
    std::memcpy(bytes + i * sizeof(T), &value, sizeof(T));
  }
};
struct V256 {
  u8 bytes[32];
};
using Mask16 = u16;

template <typename T, typename Function>
V512 each(Function function) {
  V512 out;
  for (u32 i = 0; i < 64 / sizeof(T); ++i) out.set<T>(i, T(function(i)));
  return out;
}
template <typename To, typename From>
To load_element(const From& from, u32 i) {
  To value;
  std::memcpy(&value, reinterpret_cast<const u8*>(&from) + i * sizeof(To), sizeof(To));
  return value;
}
inline i16 saturate_i16(i32 value) {
  return i16(value > 32767 ? 32767 : value < -32768 ? -32768 : value);
}

// ---- moving

inline V512 loadu(const void* from) {
  V512 out;
  std::memcpy(out.bytes, from, 64);
  return out;
}
inline void storeu(void* to, V512 a) { std::memcpy(to, a.bytes, 64); }
inline V256 loadu_256(const void* from) {
  V256 out;
  std::memcpy(out.bytes, from, 32);
  return out;
}
inline void storeu_256(void* to, V256 a) { std::memcpy(to, a.bytes, 32); }
inline V512 maskz_loadu_ps(Mask16 mask, const f32* from) {
  return each<f32>([&](u32 i) { return mask >> i & 1 ? from[i] : 0.0f; });
}
inline void mask_storeu_ps(f32* to, Mask16 mask, V512 a) {
  for (u32 i = 0; i < 16; ++i)
    if (mask >> i & 1) to[i] = a.get<f32>(i);
}
inline V512 mask_mov(V512 other, Mask16 mask, V512 a) {
  return each<u32>([&](u32 i) { return mask >> i & 1 ? a.get<u32>(i) : other.get<u32>(i); });
}
inline V512 cast(V512 a) { return a; }
inline V512 set1_ps(f32 value) {
  return each<f32>([&](u32) { return value; });
}
inline V512 set1_epi32(i32 value) {
  return each<i32>([&](u32) { return value; });
}
inline V512 set1_epi16(i16 value) {
  return each<i16>([&](u32) { return value; });
}
inline V512 set1_epi8(i8 value) {
  return each<i8>([&](u32) { return value; });
}
inline V512 shuffle_x4(V512 a, V512 b, u32 control) {  // quarters of 4 dwords
  return each<u32>([&](u32 i) {
    const u32 quarter = control >> (i / 4 * 2) & 3;
    return (i < 8 ? a : b).get<u32>(quarter * 4 + i % 4);
  });
}
inline V512 broadcast_x4(__m128i quarter) {
  V512 out;
  for (u32 i = 0; i < 4; ++i) std::memcpy(out.bytes + 16 * i, &quarter, 16);
  return out;
}
inline V512 shuffle_epi8(V512 a, V512 at) {  // within quarters
  return each<u8>([&](u32 i) {
    const u8 index = at.get<u8>(i);
    return index & 0x80 ? u8(0) : a.get<u8>(i / 16 * 16 + index % 16);
  });
}
inline V512 permute_ps(V512 a, u32 control) {  // within quarters
  return each<u32>([&](u32 i) { return a.get<u32>(i / 4 * 4 + (control >> (i % 4 * 2) & 3)); });
}
inline f32 cvtss_f32(V512 a) { return a.get<f32>(0); }

// ---- floats

inline V512 add_ps(V512 a, V512 b) {
  return each<f32>([&](u32 i) { return a.get<f32>(i) + b.get<f32>(i); });
}
inline V512 sub_ps(V512 a, V512 b) {
  return each<f32>([&](u32 i) { return a.get<f32>(i) - b.get<f32>(i); });
}
inline V512 mul_ps(V512 a, V512 b) {
  return each<f32>([&](u32 i) { return a.get<f32>(i) * b.get<f32>(i); });
}
inline V512 div_ps(V512 a, V512 b) {
  return each<f32>([&](u32 i) { return a.get<f32>(i) / b.get<f32>(i); });
}
inline V512 fmadd_ps(V512 a, V512 b, V512 c) {
  return each<f32>([&](u32 i) { return std::fma(a.get<f32>(i), b.get<f32>(i), c.get<f32>(i)); });
}
inline V512 fnmadd_ps(V512 a, V512 b, V512 c) {
  return each<f32>([&](u32 i) { return std::fma(-a.get<f32>(i), b.get<f32>(i), c.get<f32>(i)); });
}
inline V512 max_ps(V512 a, V512 b) {
  return each<f32>(
      [&](u32 i) { return a.get<f32>(i) > b.get<f32>(i) ? a.get<f32>(i) : b.get<f32>(i); });
}
inline V512 min_ps(V512 a, V512 b) {
  return each<f32>(
      [&](u32 i) { return a.get<f32>(i) < b.get<f32>(i) ? a.get<f32>(i) : b.get<f32>(i); });
}
inline Mask16 cmp_ps_mask(V512 a, V512 b, int predicate) {
  u32 mask = 0;
  for (u32 i = 0; i < 16; ++i) {
    const f32 x = a.get<f32>(i), y = b.get<f32>(i);
    const bool yes = predicate == _CMP_UNORD_Q ? std::isnan(x) || std::isnan(y) : x < y;
    mask |= u32(yes) << i;
  }
  return Mask16(mask);
}
inline V512 cvtepi32_ps(V512 a) {
  return each<f32>([&](u32 i) { return f32(a.get<i32>(i)); });
}
inline V512 cvtps_epi32(V512 a) {
  return each<i32>([&](u32 i) { return i32(std::nearbyint(a.get<f32>(i))); });
}
inline V512 cvtph_ps(V256 a) {
  return each<f32>([&](u32 i) { return f32_from_f16(load_element<u16>(a, i)); });
}
inline V256 cvtps_ph(V512 a, int) {
  V256 out;
  for (u32 i = 0; i < 16; ++i) {
    const u16 bits = f16_from_f32(a.get<f32>(i));
    std::memcpy(out.bytes + 2 * i, &bits, 2);
  }
  return out;
}

// ---- integers

inline V512 and_si(V512 a, V512 b) {
  return each<u32>([&](u32 i) { return a.get<u32>(i) & b.get<u32>(i); });
}
inline V512 or_si(V512 a, V512 b) {
  return each<u32>([&](u32 i) { return a.get<u32>(i) | b.get<u32>(i); });
}
inline V512 xor_si(V512 a, V512 b) {
  return each<u32>([&](u32 i) { return a.get<u32>(i) ^ b.get<u32>(i); });
}
inline V512 add_epi32(V512 a, V512 b) {
  return each<u32>([&](u32 i) { return a.get<u32>(i) + b.get<u32>(i); });
}
inline V512 sub_epi32(V512 a, V512 b) {
  return each<u32>([&](u32 i) { return a.get<u32>(i) - b.get<u32>(i); });
}
inline V512 mullo_epi32(V512 a, V512 b) {
  return each<u32>([&](u32 i) { return a.get<u32>(i) * b.get<u32>(i); });
}
inline V512 add_epi16(V512 a, V512 b) {
  return each<u16>([&](u32 i) { return a.get<u16>(i) + b.get<u16>(i); });
}
inline V512 slli_epi32(V512 a, u32 by) {
  return each<u32>([&](u32 i) { return a.get<u32>(i) << by; });
}
inline V512 srli_epi32(V512 a, u32 by) {
  return each<u32>([&](u32 i) { return a.get<u32>(i) >> by; });
}
inline V512 srai_epi32(V512 a, u32 by) {
  return each<i32>([&](u32 i) { return a.get<i32>(i) >> by; });
}
inline V512 slli_epi16(V512 a, u32 by) {
  return each<u16>([&](u32 i) { return a.get<u16>(i) << by; });
}
inline V512 srli_epi16(V512 a, u32 by) {
  return each<u16>([&](u32 i) { return a.get<u16>(i) >> by; });
}
inline V512 madd_epi16(V512 a, V512 b) {
  return each<i32>([&](u32 i) {
    return a.get<i16>(2 * i) * b.get<i16>(2 * i) + a.get<i16>(2 * i + 1) * b.get<i16>(2 * i + 1);
  });
}
inline V512 maddubs_epi16(V512 a, V512 b) {
  return each<i16>([&](u32 i) {
    return saturate_i16(a.get<u8>(2 * i) * b.get<i8>(2 * i) +
                        a.get<u8>(2 * i + 1) * b.get<i8>(2 * i + 1));
  });
}
inline V512 dpbusd_epi32(V512 sum, V512 a, V512 b) {
  return each<i32>([&](u32 i) {
    i32 out = sum.get<i32>(i);
    for (u32 k = 4 * i; k < 4 * i + 4; ++k) out += a.get<u8>(k) * b.get<i8>(k);
    return out;
  });
}
inline V512 cvtepu8_epi32(__m128i a) {
  return each<i32>([&](u32 i) { return load_element<u8>(a, i); });
}
inline V512 cvtepi8_epi32(__m128i a) {
  return each<i32>([&](u32 i) { return load_element<i8>(a, i); });
}
inline V512 cvtepu8_epi16(V256 a) {
  return each<u16>([&](u32 i) { return a.bytes[i]; });
}
inline V512 cvtepu16_epi32(V256 a) {
  return each<u32>([&](u32 i) { return load_element<u16>(a, i); });
}
inline V256 cvtepi32_epi16(V512 a) {
  V256 out;
  for (u32 i = 0; i < 16; ++i) {
    const u16 low = u16(a.get<u32>(i));
    std::memcpy(out.bytes + 2 * i, &low, 2);
  }
  return out;
}
inline __m128i cvtepi32_epi8(V512 a) {
  u8 out[16];
  for (u32 i = 0; i < 16; ++i) out[i] = u8(a.get<u32>(i));
  __m128i vector;
  std::memcpy(&vector, out, 16);
  return vector;
}

}  // namespace orrery::emulated

#define ORRERY_UNROLL

#define __m512 ::orrery::emulated::V512
#define __m512i ::orrery::emulated::V512
#define __m256i ::orrery::emulated::V256
#define __mmask16 ::orrery::emulated::Mask16
#define _mm256_loadu_si256 ::orrery::emulated::loadu_256
#define _mm256_storeu_si256 ::orrery::emulated::storeu_256
#define _mm512_loadu_ps ::orrery::emulated::loadu
#define _mm512_loadu_si512 ::orrery::emulated::loadu
#define _mm512_storeu_ps ::orrery::emulated::storeu
#define _mm512_storeu_si512 ::orrery::emulated::storeu
#define _mm512_maskz_loadu_ps ::orrery::emulated::maskz_loadu_ps
#define _mm512_mask_storeu_ps ::orrery::emulated::mask_storeu_ps
#define _mm512_mask_mov_ps ::orrery::emulated::mask_mov
#define _mm512_mask_mov_epi32 ::orrery::emulated::mask_mov
#define _mm512_castps_si512 ::orrery::emulated::cast
#define _mm512_castsi512_ps ::orrery::emulated::cast
#define _mm512_set1_ps ::orrery::emulated::set1_ps
#define _mm512_set1_epi32 ::orrery::emulated::set1_epi32
#define _mm512_set1_epi16 ::orrery::emulated::set1_epi16
#define _mm512_set1_epi8 ::orrery::emulated::set1_epi8
#undef _mm512_shuffle_f32x4
#define _mm512_shuffle_f32x4 ::orrery::emulated::shuffle_x4
#undef _mm512_shuffle_i32x4
#define _mm512_shuffle_i32x4 ::orrery::emulated::shuffle_x4
#define _mm512_broadcast_i32x4 ::orrery::emulated::broadcast_x4
#define _mm512_shuffle_epi8 ::orrery::emulated::shuffle_epi8
#undef _mm512_permute_ps
#define _mm512_permute_ps ::orrery::emulated::permute_ps
#define _mm512_cvtss_f32 ::orrery::emulated::cvtss_f32
#define _mm512_add_ps ::orrery::emulated::add_ps
#define _mm512_sub_ps ::orrery::emulated::sub_ps
#define _mm512_mul_ps ::orrery::emulated::mul_ps
#define _mm512_div_ps ::orrery::emulated::div_ps
#define _mm512_fmadd_ps ::orrery::emulated::fmadd_ps
#define _mm512_fnmadd_ps ::orrery::emulated::fnmadd_ps
#define _mm512_max_ps ::orrery::emulated::max_ps
#define _mm512_min_ps ::orrery::emulated::min_ps
#undef _mm512_cmp_ps_mask
#define _mm512_cmp_ps_mask ::orrery::emulated::cmp_ps_mask
#define _mm512_cvtepi32_ps ::orrery::emulated::cvtepi32_ps
#define _mm512_cvtps_epi32 ::orrery::emulated::cvtps_epi32
#define _mm512_cvtph_ps ::orrery::emulated::cvtph_ps
#undef _mm512_cvtps_ph
#define _mm512_cvtps_ph ::orrery::emulated::cvtps_ph
#define _mm512_and_si512 ::orrery::emulated::and_si
#define _mm512_or_si512 ::orrery::emulated::or_si
#define _mm512_xor_si512 ::orrery::emulated::xor_si
#define _mm512_add_epi32 ::orrery::emulated::add_epi32
#define _mm512_sub_epi32 ::orrery::emulated::sub_epi32
#define _mm512_mullo_epi32 ::orrery::emulated::mullo_epi32
#define _mm512_add_epi16 ::orrery::emulated::add_epi16
#undef _mm512_slli_epi32
#define _mm512_slli_epi32 ::orrery::emulated::slli_epi32
#undef _mm512_srli_epi32
#define _mm512_srli_epi32 ::orrery::emulated::srli_epi32
#undef _mm512_srai_epi32
#define _mm512_srai_epi32 ::orrery::emulated::srai_epi32
#undef _mm512_slli_epi16
#define _mm512_slli_epi16 ::orrery::emulated::slli_epi16
#undef _mm512_srli_epi16
#define _mm512_srli_epi16 ::orrery::emulated::srli_epi16
#define _mm512_madd_epi16 ::orrery::emulated::madd_epi16
#define _mm512_maddubs_epi16 ::orrery::emulated::maddubs_epi16
#define _mm512_dpbusd_epi32 ::orrery::emulated::dpbusd_epi32
#define _mm512_cvtepu8_epi32 ::orrery::emulated::cvtepu8_epi32
#define _mm512_cvtepi8_epi32 ::orrery::emulated::cvtepi8_epi32
#define _mm512_cvtepu8_epi16 ::orrery::emulated::cvtepu8_epi16
#define _mm512_cvtepu16_epi32 ::orrery::emulated::cvtepu16_epi32
#define _mm512_cvtepi32_epi16 ::orrery::emulated::cvtepi32_epi16
#define _mm512_cvtepi32_epi8 ::orrery::emulated::cvtepi32_epi8
