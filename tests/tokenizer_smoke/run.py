#!/usr/bin/env python3
"""A few random texts of a new seed through tokenizers and their makers' libraries.

The same as `./dev fuzz tokenizer`, which takes a million texts for each; the seed that it prints
repeats a run: tools/fuzz_tokenizer.py NAME --count N --seed S.
"""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = ["mistral_7b", "llama3_1", "qwen3", "deepseek_v3", "mistral_v3"]
command = [sys.executable, ROOT / "tools/fuzz_tokenizer.py", *NAMES, "--count", "400"]
sys.exit(subprocess.run(command).returncode)
