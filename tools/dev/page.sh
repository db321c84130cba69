# shellcheck shell=bash
# The Explorer's page: web/ built by Vite into web/dist, which the program embeds. Without Node 20
# or newer the program is built all the same and serves a page that says what is missing.

build_page() {
  local stamp=.cache/page.stamp sources
  if ! have node || ! node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)'; then
    say "No Node 20 or newer: the program is built without the Explorer's page."
    return 0
  fi
  sources=$(find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -print0 |
    sort -z | xargs -0 sha256sum | sha256sum)
  if [[ -f web/dist/index.html && -f $stamp && $(<"$stamp") == "$sources" ]]; then return 0; fi
  plain npm --prefix web ci --no-audit --no-fund --ignore-scripts
  plain npm --prefix web run build
  mkdir -p .cache
  printf '%s\n' "$sources" >"$stamp"
}
