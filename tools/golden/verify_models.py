"""A second opinion on the GGUF goldens: llama.cpp reads each tiny GGUF file and its logits are held
against transformers' committed ones. It guards the recipe itself: names, row order, rope, experts.

    python tools/golden/verify_models.py [--models tests/golden/models] [case ...]

Where llama.cpp is known to mean something else, DIFFERS says why, and the file is not held to it.
It needs the peer that `./dev bench peer` builds, and writes nothing. It is not part of the tests:
llama.cpp's quantised activations differ from float32 by a percent or so. With experts it is the
median position that counts, as such a difference now and then chooses another expert.
"""

import argparse
import json
import pathlib
import sys

import numpy as np

import _pins
from _llama_cpp import Llama

LIMIT = {"F32": 1e-3, "F16": 3e-3, "BF16": 1.5e-2}
DIFFERS = {
    "mistral_window/model.gguf": "it has no sliding window for the architecture llama",
    "llama_rope_yarn_explicit/model.gguf": "it ignores yarn_attn_factor and the betas",
    "gpt_oss_bf16/model.gguf": "it always truncates YaRN's range and ignores the betas",
    "gpt_oss_mxfp4/model.gguf": "it always truncates YaRN's range and ignores the betas",
    "llama_rope_longrope/model.gguf": "its context, not the sequence, chooses the factors",
}
# It does not open them: it takes 26 or 27 layers for the sign of a model without q_lora, and has
# forgotten the form with an expert a tensor.
UNREAD = (
    "deepseek_v2_lite/model.gguf",
    "deepseek_v2_lite/model_kv_b.gguf",
    "mixtral/model_split_experts.gguf",
)


def worst(path: pathlib.Path, expected: dict) -> float:
    """The largest difference of a prompt, or of its median position with experts."""
    model, result = Llama(path, context=256), 0.0
    for prompt in expected["prompts"]:
        reference = np.load(path.parent / prompt["logits"])
        found = model.logits(prompt["ids"])[prompt["positions"]]
        errors = np.linalg.norm(found - reference, axis=-1)
        sizes = np.linalg.norm(reference, axis=-1)
        if "margin" in prompt:
            result = max(result, float(np.median(errors / sizes)))
        else:
            result = max(result, float(np.linalg.norm(errors) / np.linalg.norm(sizes)))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", type=pathlib.Path, default=_pins.GOLDEN / "models")
    parser.add_argument("cases", nargs="*", help="only these")
    arguments = parser.parse_args()
    bad = 0
    for path in sorted(arguments.models.glob("*/*.gguf")):
        name = f"{path.parent.name}/{path.name}"
        if name in UNREAD or arguments.cases and path.parent.name not in arguments.cases:
            continue
        expected = json.loads((path.parent / "expected.json").read_text())
        error = worst(path, expected)
        good = error < LIMIT.get(expected["format"], 5e-2)
        told = "" if good else DIFFERS.get(name, "BAD")
        bad += told == "BAD"
        print(f"{name:44} relative L2 {error:.1e} {told}", flush=True)
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
