# shellcheck shell=bash
# What every verb of ./dev stands on: plain words to the person, and plain commands shown first.

step_total=0
step_number=0

say() { printf '%s\n' "$*" >&2; }

die() {
  say "dev: error: $*"
  exit 1
}

# steps N: the next N calls of `step` count up to N.
steps() {
  step_total=$1
  step_number=0
}

step() {
  step_number=$((step_number + 1))
  say "[$step_number/$step_total] $*"
}

# show COMMAND...: prints the command as one could type it, without running it.
show() {
  local word line='+'
  for word in "$@"; do
    if [[ ! $word =~ ^[A-Za-z0-9_./:=+,@%-]+$ ]]; then word=$(printf '%q' "$word"); fi
    line+=" $word"
  done
  say "$line"
}

# plain COMMAND...: prints the command, then runs it.
plain() {
  show "$@"
  "$@"
}

have() { command -v "$1" >/dev/null 2>&1; }
