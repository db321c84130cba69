// Words that make the generic kernels one piece of code per rung: everything is inlined into the
// function that a slot of Kernels points to, so nothing but install_*() leaves the object file.
#pragma once

#define ORRERY_INLINE inline __attribute__((always_inline))

#define ORRERY_INLINE_LAMBDA __attribute__((always_inline))

// Small constant loops over arrays of registers must be unrolled, or the arrays live on the stack.
#if defined(ORRERY_UNROLL)  // the emulated rungs of the tests need no speed, only quick builds
#elif defined(__clang__)
#define ORRERY_UNROLL _Pragma("unroll")
#else
#define ORRERY_UNROLL _Pragma("GCC unroll 16")
#endif
