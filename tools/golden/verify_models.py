"""A second opinion on the GGUF goldens: llama.cpp reads each tiny model.gguf and its logits are
held against transformers' committed ones. It guards the recipe itself: names, row order, rope.

    python tools/golden/verify_models.py [tests/golden/models]

llama.cpp has no sliding window for the architecture `llama`: that case is expected to differ.
It needs the peer that `./dev bench peer` builds, and writes nothing. It is not part of the tests:
llama.cpp's quantised activations differ from float32 by a percent or so.
"""

import json
import pathlib
import sys

import numpy as np

import _pins
from _llama_cpp import Llama

LIMIT = {"F32": 1e-3, "F16": 3e-3, "BF16": 1.5e-2}


def main() -> None:
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else _pins.GOLDEN / "models"
    bad = 0
    for path in sorted(folder.glob("*/expected.json")):
        expected = json.loads(path.read_text())
        model = Llama(path.parent / "model.gguf", context=256)
        worst = 0.0
        for prompt in expected["prompts"]:
            reference = np.load(path.parent / prompt["logits"])
            found = model.logits(prompt["ids"])[prompt["positions"]]
            error = np.linalg.norm(found - reference) / np.linalg.norm(reference)
            worst = max(worst, float(error))
        good = worst < LIMIT.get(expected["format"], 5e-2) or path.parent.name == "mistral_window"
        bad += not good
        print(f"{path.parent.name:24} relative L2 {worst:.1e} {'' if good else ' BAD'}", flush=True)
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
