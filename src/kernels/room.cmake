# Each rung has its own flags and nothing else decides them: no -march anywhere. The scalar rung
# is the oracle: plain x86-64, and not vectorised, because g++ 12 miscompiles a vectorised sum of
# (unsigned - 128) * signed products (docs/adr/0002). Rungs are optimised in every preset, or the
# tests would crawl.
file(GLOB scalar_sources ${dir}/scalar/*.cpp)
set_source_files_properties(${scalar_sources} PROPERTIES COMPILE_OPTIONS "-O2;-fno-tree-vectorize")

# -fno-tree-ter, -fno-tree-reassoc: g++ otherwise gathers all byte products of a register tile
# before it adds them, and stores them on the stack (matmul 1.7 times slower).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(rung_flags -O2 -fno-tree-ter -fno-tree-reassoc)
else()
  set(rung_flags -O2)
endif()
# Instrumenting code that is inlined this deeply takes many minutes; the scalar rung reads and
# writes the same bytes, and it is instrumented.
if(ORRERY_SANITIZE)
  list(APPEND rung_flags -fno-sanitize=all)
endif()
set(avx2_flags ${rung_flags} -mavx2 -mfma -mf16c)
set(avx512_flags ${avx2_flags} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # g++ 12's own headers pass undefined vectors on purpose
  list(APPEND avx512_flags -Wno-maybe-uninitialized -Wno-uninitialized)
endif()
function(rung_options source)
  set_source_files_properties(${dir}/${source} PROPERTIES COMPILE_OPTIONS "${ARGN}")
endfunction()
rung_options(x86_avx2/install.cpp ${avx2_flags})
rung_options(x86_avx_vnni/install.cpp ${avx2_flags} -mavxvnni)
rung_options(x86_avx512/install.cpp ${avx512_flags})
rung_options(x86_avx512_vnni/install.cpp ${avx512_flags} -mavx512vnni)
rung_options(x86_amx/install.cpp ${avx512_flags} -mavx512vnni -mamx-tile -mamx-int8)
# Packing is most of what loading a model costs: plain loops that -O3 makes twice as fast.
foreach(source pack.cpp blocks.cpp grid_blocks.cpp decode.cpp encode.cpp)
  rung_options(${source} -O3)
endforeach()
# Test builds of the rungs over emulated instructions (emulated/).
rung_options(emulated/avx_vnni_test.cpp ${avx2_flags})
rung_options(emulated/avx512_test.cpp -O1)
rung_options(emulated/avx512_vnni_test.cpp -O1)
rung_options(emulated/amx_test.cpp -O1)

# The test of what the rungs export looks into the library itself.
cmake_language(DEFER CALL target_compile_definitions kernels_test PRIVATE
               "ORRERY_KERNELS_LIBRARY=\"$<TARGET_FILE:orrery_kernels>\"")
