#!/usr/bin/env python3
"""Makes the pictures of docs/explorer.md: two engines are started, and a browser looks at them.

    python3 tools/explorer_pictures.py [--kinds light,dark,narrow] [--out docs/pictures]

The dense model is the default one; the mixture is the small trained one of `./dev demo-models`
(demo-moe) if it has been made, else the tests' tiny one, whose routing is noise. Everything on the
pictures comes from those runs. `./dev pictures` builds and fetches first.
"""

import argparse
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "serve"))
from server import Server  # noqa: E402

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
MODELS = CACHE / "orrery" / "models"
DENSE = MODELS / "SmolLM2-135M-Instruct.Q4_1.gguf"


def mixture():
    trained = sorted(MODELS.glob("demo-moe*"))
    return trained[0] if trained else ROOT / "tests" / "golden" / "models" / "mixtral" / "hf"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kinds", default="light")
    parser.add_argument("--out", default="docs/pictures")
    options = parser.parse_args()
    with Server(str(DENSE), "--explorer") as dense, Server(str(mixture()), "--explorer") as moe:
        pages = [f"{server.url}/explorer/" for server in (dense, moe)]
        subprocess.run(["node", "tests/pictures.mjs", str(ROOT / options.out), *pages,
                        options.kinds], cwd=ROOT / "web", check=True)
    for picture in sorted((ROOT / options.out).glob("explorer_*.png")):
        size = picture.stat().st_size
        print(f"{picture.name}: {size >> 10} KiB")
        if size > 200 << 10:
            print("  more than the 200 KiB that a picture may have")


if __name__ == "__main__":
    main()
