# Each rung has its own flags and nothing else decides them: no -march anywhere. The scalar rung
# is the oracle: plain x86-64, and not vectorised, because g++ 12 miscompiles a vectorised sum of
# (unsigned - 128) * signed products (docs/adr/0002).
file(GLOB scalar_sources ${dir}/scalar/*.cpp)
set_source_files_properties(${scalar_sources} PROPERTIES COMPILE_OPTIONS "-O2;-fno-tree-vectorize")
set_source_files_properties(${dir}/x86_avx2/install.cpp PROPERTIES
                            COMPILE_OPTIONS "-O2;-fno-tree-ter;-fno-tree-reassoc;-mavx2;-mfma;-mf16c")
