# shellcheck shell=bash
# The verbs of ./dev, one function each.

build_preset() { # PRESET [TARGET...]
  local preset=$1
  shift
  if [[ $preset == release ]]; then build_page; fi
  plain cmake --preset "$preset"
  plain cmake --build --preset "$preset" ${1:+--target "$@"}
}

verb_build() { # [PRESET]
  need_packages build
  if [[ ${1:-release} == fuzz ]]; then need_packages test; fi
  build_preset "${1:-release}"
}

verb_run() { # [ARGUMENTS of orrery run]
  steps 4
  step "packages"
  need_packages build
  step "build"
  build_preset release orrery
  step "model"
  fetch_model
  step "talk"
  plain build/release/orrery run "$@"
}

# prepare_tests [NAME]: builds and fetches what the tests of this name need.
prepare_tests() {
  steps 4
  step "packages"
  need_packages build test
  need_python tools/dev/requirements-format.txt tools/dev/requirements-test.txt \
    tools/dev/requirements-serve.txt
  case ${1:-} in tidy | format | shell) return 0 ;; esac
  step "build"
  build_preset release
  step "model and tokenizers"
  fetch_model
  plain .venv/bin/python tools/fetch_tokenizers.py
  step "fuzzers"
  if [[ -f fuzz/CMakeLists.txt && (-z ${1:-} || $1 == fuzz*) ]]; then build_preset fuzz fuzzers; fi
}

verb_test() { # [NAME [GTEST_FILTER]]
  prepare_tests "$@"
  say "Ready after $SECONDS s"
  plain .venv/bin/python tools/dev/run_tests.py "$@"
}

# prepare_tokenizers: the program, the makers' tokenizers and their libraries.
prepare_tokenizers() {
  need_packages build test
  need_python tools/dev/requirements-test.txt tools/dev/requirements-tokenizers.txt
  build_preset release tokenizer_bench
  plain .venv/bin/python tools/fetch_tokenizers.py
}

verb_bench() { # [peer|serve|soak|model|tokenizer|NAME] [ARGUMENTS]
  local what=${1:-model}
  shift || true
  need_packages build
  case $what in
    peer)
      need_packages test
      need_python tools/dev/requirements-demo.txt
      build_preset release orrery
      fetch_model
      plain .venv/bin/python tools/demo_models.py 1b-Q4_K_M 1b-Q4_0 1b-Q8_0 1b-Q6_K 1b-BF16 \
        8b-Q4_K_M moe-Q4_K_M deepseek-Q4_K_M
      build_peer
      plain .venv/bin/python tools/bench_peer.py "$@"
      ;;
    serve | soak)
      local script=soak
      need_packages test
      need_python tools/dev/requirements-serve.txt
      build_preset release orrery
      fetch_model
      if [[ $what == serve ]]; then
        script=bench_serve
        build_peer
      fi
      plain .venv/bin/python "tools/$script.py" "$@"
      ;;
    tokenizer)
      prepare_tokenizers
      plain .venv/bin/python tools/bench_tokenizer.py "$@"
      ;;
    model)
      build_preset release orrery
      fetch_model
      plain build/release/orrery bench "$models_dir/$model_file" "$@"
      ;;
    *)
      build_preset release
      local program=build/release/${what}_bench
      [[ -x $program ]] || die "no bench named $what: try peer, serve, soak, model, tokenizer, or bench/NAME_bench.cpp"
      plain "$program" "$@"
      ;;
  esac
}

verb_golden() { # [NAME]
  local script rest found=0
  need_packages build
  need_python tools/golden/requirements.txt
  fetch_model
  while read -r script rest; do
    if [[ -z $script || $script == '#'* || (-n ${1:-} && $script != "$1".py) ]]; then continue; fi
    found=1
    if grep -q '^from _llama_cpp' "tools/golden/$script"; then build_peer </dev/null; fi
    # shellcheck disable=SC2086  # the rest of a line are plain words
    plain .venv/bin/python "tools/golden/$script" $rest </dev/null
  done <tools/golden/recipes.txt
  [[ $found == 1 ]] || die "no recipe named ${1:-anything} in tools/golden/recipes.txt"
  plain git status --short tests/golden
}

verb_fuzz() { # [TARGET] [--seconds N], or tokenizer [NAME...] [--count N] [--seed S]
  if [[ ${1:-} == tokenizer ]]; then
    shift
    prepare_tokenizers
    plain .venv/bin/python tools/fuzz_tokenizer.py "$@"
    return
  fi
  local target='' seconds=60
  while [[ $# != 0 ]]; do
    case $1 in
      --seconds)
        seconds=${2:?--seconds needs a number}
        shift
        ;;
      *) target=$1 ;;
    esac
    shift
  done
  [[ -f fuzz/CMakeLists.txt ]] || die "there are no fuzz targets yet"
  need_packages build test
  build_preset fuzz fuzzers
  local source name corpora found=0
  for source in fuzz/*.cpp; do
    name=$(basename "$source" .cpp)
    if [[ -n $target && $name != "$target" ]]; then continue; fi
    found=1
    corpora=(".cache/fuzz/$name")
    mkdir -p "${corpora[0]}"
    if [[ -d fuzz/corpus/$name ]]; then corpora+=("fuzz/corpus/$name"); fi
    plain "build/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
      -print_final_stats=1 -artifact_prefix=".cache/fuzz/$name-" "${corpora[@]}"
  done
  [[ $found == 1 ]] || die "no fuzz target named $target: see fuzz/"
}

cpp_files() { git ls-files --cached --others --exclude-standard '*.cpp' '*.h'; }

verb_format() { # [--check]
  need_packages build
  need_python tools/dev/requirements-format.txt
  local mode=(-i)
  if [[ ${1:-} == --check ]]; then mode=(--dry-run --Werror); fi
  show .venv/bin/clang-format "${mode[@]}" '*.cpp *.h'
  cpp_files | xargs -r .venv/bin/clang-format "${mode[@]}"
}

verb_tidy() { # [--all]
  need_packages build
  need_python tools/dev/requirements-format.txt tools/dev/requirements-tidy.txt
  local files bad=0
  plain .venv/bin/python tests/tidy/run.py || bad=1
  plain cmake --preset release
  if [[ ${1:-} == --all ]]; then
    files=$(cpp_files | grep -E '^(src|apps)/.*\.cpp$' || true)
  else
    files=$( (git diff --name-only --diff-filter=d main... 2>/dev/null || true
      git diff --name-only --diff-filter=d HEAD) | sort -u | grep -E '^(src|apps)/.*\.cpp$' || true)
  fi
  if [[ -z $files ]]; then
    say "clang-tidy: no changed source; ./dev tidy --all looks at every one"
    return "$bad"
  fi
  show .venv/bin/clang-tidy -p build/release --quiet '<each source>'
  # shellcheck disable=SC2086  # our file names hold no spaces
  printf '%s\n' $files | xargs -P 2 -n 1 .venv/bin/clang-tidy -p build/release --quiet || bad=1
  return "$bad"
}

verb_serve() { # [ARGUMENTS of orrery serve]
  steps 4
  step "packages"
  need_packages build
  step "build"
  build_preset release orrery
  step "model"
  fetch_model
  step "serve"
  plain build/release/orrery serve "$@"
}

verb_demo_models() { # [KIND...]; without: both that somebody who looks around wants
  local kinds=() kind trained=0
  if [[ $# == 0 ]]; then set -- 1b-Q4_K_M demo-moe; fi
  for kind in "$@"; do
    if [[ $kind == demo-moe ]]; then trained=1; else kinds+=("$kind"); fi
  done
  need_packages build
  if ((${#kinds[@]})); then
    need_python tools/dev/requirements-demo.txt
    fetch_model
    plain .venv/bin/python tools/demo_models.py "${kinds[@]}"
  fi
  if ((trained)); then
    need_packages demo
    need_python tools/dev/requirements-train.txt
    plain .venv/bin/python tools/train_demo_moe.py
  fi
}

verb_pictures() { # [--kinds light,dark,narrow]
  need_packages build test
  need_python tools/dev/requirements-test.txt
  build_preset release orrery
  fetch_model
  plain .venv/bin/python tools/explorer_pictures.py "$@"
}
