"""The pinned oracle: refuses to make goldens with other versions than requirements.txt says,
and sets torch to one thread and deterministic arithmetic, so that a repeat gives the same bytes.
Also where things lie: the repository, its goldens, the default model."""

import importlib.metadata
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
MODEL = CACHE / "orrery/models/SmolLM2-135M-Instruct.Q4_1.gguf"


def check() -> dict:
    """Asserts every pin; returns {name: version}."""
    lines = (ROOT / "tools/golden/requirements.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    for name, wanted in pins.items():
        found = importlib.metadata.version(name).split("+")[0]
        if found != wanted:
            raise SystemExit(f"golden: {name} is {found}, the goldens are pinned to {wanted}")
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    return pins
