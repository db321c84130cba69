#!/usr/bin/env python3
"""Soaks `orrery serve` in mixed load and faults: load/soak.py says what must hold.

soak.py [--seconds 3600] [--seed N]      ends with 1 at the first thing that does not hold
"""

import argparse
import os
import pathlib
import sys
import time

from load import soak

ROOT = pathlib.Path(__file__).resolve().parents[1]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
MODEL = CACHE / "orrery/models/SmolLM2-135M-Instruct.Q4_1.gguf"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.seconds:.0f} s", flush=True)
    try:
        counts = soak.soak(ROOT / "build/release/orrery", MODEL, options.seconds, options.seed)
    except soak.Wrong as wrong:
        print(f"FAIL: {wrong}")
        return 1
    for what, count in sorted(counts.items()):
        print(f"  {what:24} {count}")
    print("Nothing was lost.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
