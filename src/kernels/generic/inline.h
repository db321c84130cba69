// Words that make the generic kernels one piece of code per rung: everything is inlined into the
// function that a slot of Kernels points to, so nothing but install_*() leaves the object file.
#pragma once

#include "base/types.h"

#define ORRERY_INLINE inline __attribute__((always_inline))

#define ORRERY_INLINE_LAMBDA __attribute__((always_inline))

// Small constant loops over arrays of registers must be unrolled, or the arrays live on the stack.
#if defined(ORRERY_UNROLL)  // the emulated rungs of the tests need no speed, only quick builds
#elif defined(__clang__)
#define ORRERY_UNROLL _Pragma("unroll")
#else
#define ORRERY_UNROLL _Pragma("GCC unroll 16")
#endif

namespace orrery::kernels {
namespace {

// Calls call.template run<n>() for n = count, 1 <= count <= kMost.
template <u32 kMost, class Call>
ORRERY_INLINE void with_constant(u32 count, const Call& call) {
  if constexpr (kMost > 1) {
    if (count < kMost) return with_constant<kMost - 1>(count, call);
  }
  call.template run<kMost>();
}

}  // namespace
}  // namespace orrery::kernels
