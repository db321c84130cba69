#!/usr/bin/env python3
"""Two minutes of tools/soak.py: the server in mixed load and faults. `./dev bench soak` is an hour.

With a number: so many seconds.
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))
import soak  # noqa: E402


def main():
    seconds = sys.argv[1] if len(sys.argv) > 1 else "120"
    sys.argv = [sys.argv[0], "--seconds", seconds]
    code = soak.main()
    print(f"{'FAIL' if code else 'ok'} - {seconds} s of mixed load and faults", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
