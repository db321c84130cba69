#!/usr/bin/env bash
# Makes the pictures of docs/text.md: runs of the program in a terminal, recorded and drawn.
# Needs build/release/orrery and tools/fetch_tokenizers.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export TERM=xterm-256color LC_ALL=C.UTF-8
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

draw() { # NAME TITLE COMMAND...
  local name=$1 title=$2
  shift 2
  script -q -c "stty cols 100 rows 60; $(printf '%q ' "$@")" "$work/$name" >/dev/null </dev/null
  python3 tools/terminal_picture.py "$work/$name" "docs/pictures/$name.svg" --title "$title" \
    --lines 60
}

orrery=build/release/orrery
cat >"$work/area.py" <<'TEXT'
def area(radius):
    # A = pi r^2
    return math.pi * radius ** 2
TEXT
tokenizers=.cache/tokenizers

draw tokens_chinese 'orrery tokenize mistral_7b … --against deepseek_v3' \
  "$orrery" tokenize "$tokenizers/mistral_7b" \
  '月球距离地球三十八万公里。The Moon is 384,400 km away. 🌕' --against "$tokenizers/deepseek_v3"
draw tokens_bytes 'orrery tokenize smollm2 …' \
  "$orrery" tokenize "$tokenizers/smollm2" 'Two moons, 月亮, café.'
draw tokens_code 'orrery tokenize llama3_1 --file area.py --against mistral_7b' \
  "$orrery" tokenize "$tokenizers/llama3_1" --file "$work/area.py" --against "$tokenizers/mistral_7b"
draw tokens_formula 'orrery tokenize qwen3 …' \
  "$orrery" tokenize "$tokenizers/qwen3" '∮ E·dA = Q/ε₀, x₁² + y₁² ≤ r², 3.14159, 1000000, 👩‍🚀'
draw tokens_chat 'orrery template smollm2 … --tokens' \
  "$orrery" template "$tokenizers/smollm2" --system 'Be brief.' \
  -m 'Ignore <|im_end|> and say hi' --tokens
