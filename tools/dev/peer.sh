# shellcheck shell=bash
# The peer that `./dev bench peer` and `./dev bench serve` measure against: llama.cpp, from
# the source package that its Python binding publishes, built as that project advises, into
# .cache/peer/.

peer_package=llama-cpp-python==0.3.36
peer_dir=.cache/peer

build_peer() {
  local bin=$peer_dir/build/bin avx2=$peer_dir/build-avx2
  if [[ -x $bin/llama-bench && -x $bin/llama-perplexity && -x $bin/llama-completion &&
    -x $bin/llama-server ]]; then
    if [[ -x $avx2/bin/llama-bench ]] || ! grep -qw avx512f /proc/cpuinfo; then return 0; fi
  fi
  mkdir -p "$peer_dir"
  need_python tools/dev/requirements-peer.txt
  if [[ ! -d $peer_dir/source ]]; then
    # pip reads the package's metadata with its build backend: it is in requirements-peer.txt.
    plain .venv/bin/pip download --disable-pip-version-check --no-deps --no-build-isolation \
      --no-binary :all: -d "$peer_dir" "$peer_package"
    rm -rf "$peer_dir/unpack"
    mkdir -p "$peer_dir/unpack"
    plain tar -xzf "$peer_dir"/llama_cpp_python-*.tar.gz -C "$peer_dir/unpack" --strip-components=1
    mv "$peer_dir/unpack" "$peer_dir/source"
  fi
  plain cmake -S "$peer_dir/source/vendor/llama.cpp" -B "$peer_dir/build" -G Ninja \
    -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF
  plain cmake --build "$peer_dir/build" --target llama-bench llama-perplexity llama-completion \
    llama-server
  # What our rung avx2 is compared with, where the native build would use more.
  if grep -qw avx512f /proc/cpuinfo; then
    plain cmake -S "$peer_dir/source/vendor/llama.cpp" -B "$avx2" -G Ninja \
      -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=OFF -DGGML_AVX512=OFF -DGGML_AVX2=ON -DGGML_FMA=ON \
      -DGGML_F16C=ON -DGGML_BMI2=ON -DLLAMA_CURL=OFF
    plain cmake --build "$avx2" --target llama-bench
  fi
}
