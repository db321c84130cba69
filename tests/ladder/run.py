#!/usr/bin/env python3
"""The ladders of bench/ladder: every rung computes what its first rung computes."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build/release/ladder_bench"
LADDERS = ["matrix_vector", "matrix_matrix", "attention_prompt", "attention_token", "experts"]


def main():
    done = subprocess.run(
        [str(PROGRAM), "--check"], capture_output=True, text=True, timeout=120, check=False
    )
    sys.stdout.write(done.stdout)
    seen = [line.split()[2].rstrip(":") for line in done.stdout.splitlines()]
    if done.returncode != 0 or seen != LADDERS:
        print(f"FAIL - ladders {seen} of {LADDERS}: {done.stderr.strip()}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
