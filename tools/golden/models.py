"""Tiny seeded checkpoints of every model family with transformers' answers.

    python tools/golden/models.py [--out tests/golden/models] [case ...]

Each case becomes a folder: the checkpoint (hf/ and model.gguf hold the same weights), and what
transformers computes from it in float32 (expected.json, *.npy; tests/golden/README.md says
what they hold).
Made twice on one machine, the bytes are the same; the checkpoints are the same on every machine.
"""

import argparse
import json
import pathlib
import re
import shutil
import zlib

import _pins

PINS = _pins.check()

import numpy as np
import torch
import transformers

import _deepseek_cases
import _gpt_oss_cases
import _hybrid_cases
import _llama_cases
import _mistral_cases
import _qwen_cases
import _tiny_gguf
import _tiny_hf
import _tiny_layouts
import _tiny_weights
from _tiny_case import FAMILIES, Case
from _tiny_oracle import distance, greedy, prompt, run

transformers.logging.disable_progress_bar()
transformers.logging.set_verbosity_error()
LENGTHS = (1, 7, 40, 100, 150)
# Logits are kept at the last 6 positions, of the longest prompt also at these: both sides of the
# window (16), of the original context (64) and of the block and page sizes between.
KEPT = (0, 1, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128)
RESIDUAL_LENGTH = 7
# What a case's point must at least move the logits by, and what every tensor must.
ABLATED, TENSOR_ABLATED = 0.05, 0.01
CASES = [
    *_llama_cases.NUMBERED,
    *_llama_cases.CASES,
    *_qwen_cases.CASES,
    *_mistral_cases.CASES,
    *_gpt_oss_cases.CASES,
    *_deepseek_cases.CASES,
    *_hybrid_cases.CASES,
]


def seed_of(case: Case) -> int:
    if case in _llama_cases.NUMBERED:
        return 100 * (_llama_cases.NUMBERED.index(case) + 1)
    return zlib.crc32(case.name.encode())


def make_model(case: Case, tensors: dict | None = None, changes: dict | None = None):
    torch.manual_seed(0)
    config = case.make_config(changes)
    config._experts_implementation = "eager"
    model = FAMILIES[case.family].model(config).to(torch.float32).eval()
    if tensors is not None:
        wanted = _tiny_weights.parameters(model)
        model.load_state_dict(
            {n: t.float() for n, t in tensors.items() if n in wanted},
            strict=not model.config.tie_word_embeddings,
        )
    return model


def form_of(case: Case):
    """The format of each matrix; Q4_K_M gives values, down and embedding 6 bits, the rest 4."""
    if case.form != "Q4_K_M":
        return lambda name: case.form
    six = ("v_proj", "down_proj", "embed_tokens")
    return lambda name: "Q6_K" if any(s in name for s in six) else "Q4_K"


def read_back(case: Case, folder: pathlib.Path, tensors: dict):
    """transformers' model of the very folder, proven to take all of it as the case means it."""
    if "mxfp4" in case.layout:  # transformers would want more packages to read these
        return make_model(case, tensors)
    wrapped = "wrap" in case.layout
    kind = _tiny_layouts.WRAPPERS[case.family][1] if wrapped else FAMILIES[case.family].model
    model, problems = kind.from_pretrained(
        folder,
        dtype=torch.float32,
        attn_implementation="eager",
        experts_implementation="eager",
        output_loading_info=True,
    )
    passed_over = ("mtp.", f"model.layers.{case.settings()['num_hidden_layers']}.")
    problems["unexpected_keys"] = [
        key for key in problems["unexpected_keys"] if not key.startswith(passed_over)
    ]
    assert not any(problems.values()), (case.name, problems)
    if wrapped:
        return unwrapped(case, model, tensors)
    ours, theirs = case.make_config().to_dict(), model.config.to_dict()
    for key in ("_name_or_path", "dtype", "transformers_version", "architectures", *case.published):
        ours.pop(key, None)
    theirs["rope_parameters"].pop("type", None)  # the older name of rope_type
    assert {k: theirs[k] for k in ours} == ours, (case.name, theirs, ours)
    return model.eval()


def unwrapped(case: Case, whole, tensors: dict):
    """The text model, proven to say what the image model around it says."""
    model, ids = make_model(case, tensors), torch.tensor([prompt(LENGTHS[-1])])
    with torch.no_grad():
        assert torch.equal(model(ids).logits, whole.eval()(ids).logits), case.name
    return model


def write_checkpoints(case: Case, out: pathlib.Path, seed: int):
    """Writes the case's files and returns the oracle: transformers' model with their weights."""
    model = make_model(case)
    arrays = _tiny_weights.weights(model, seed)
    if case.form in _tiny_hf.TORCH_DTYPE:
        disk, tensors = _tiny_hf.on_disk(case, model, _tiny_hf.rounded(arrays, case.form))
        config = _tiny_hf.config_json(case, PINS["transformers"])
        _tiny_hf.write(out / "hf", config, disk, case.shards)
        oracle = read_back(case, out / "hf", tensors)
    else:
        oracle, tensors, disk = None, None, arrays
    for file, style in case.gguf.items():
        name, config = f"tiny {case.name}", case.make_config()
        meaning = _tiny_gguf.write(out / file, name, config, disk, form_of(case), seed + 1, style)
        if oracle is None:
            tensors = meaning
    return oracle or make_model(case, tensors), tensors


def dump(value, depth: int = 0) -> str:
    """JSON with one line for each list of numbers."""
    pad = " " * (depth + 1)
    if isinstance(value, dict):
        items = [f"{pad}{json.dumps(k)}: {dump(v, depth + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(items) + "\n" + pad[1:] + "}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        items = [pad + dump(v, depth + 1) for v in value]
        return "[\n" + ",\n".join(items) + "\n" + pad[1:] + "]"
    return json.dumps(value, ensure_ascii=False)


def positions_kept(length: int) -> list[int]:
    return [
        p
        for p in range(length)
        if p >= length - 6 or length == LENGTHS[1] or length == LENGTHS[-1] and p in KEPT
    ]


class Unlucky(Exception):
    """With these weights some choice hangs on rounding, or a case does not show its point."""


def margin_of(choices) -> dict:
    margin = choices.margin()
    if choices.is_near_tie():
        raise Unlucky(f"a near tie: {margin}")
    return {} if margin is None else {"margin": margin}


def ask(model, out: pathlib.Path):
    """Saves the oracle's answers; returns the prompts' entries and the answer to the longest."""
    prompts = []
    for length in LENGTHS:
        ids = prompt(length)
        answer = run(model, ids)
        kept = positions_kept(length)
        np.save(out / f"logits_{length}.npy", answer.logits[kept])
        entry = {"ids": ids, "positions": kept, "logits": f"logits_{length}.npy"}
        prompts.append(entry | margin_of(answer.choices))
        if length == RESIDUAL_LENGTH:
            np.save(out / "residuals.npy", answer.residuals)
    return prompts, answer


def least_effect(case: Case, tensors: dict, answer, ids: list[int]) -> tuple[float, str]:
    """How far the logits move without the tensors of one kind, in all layers at once, and of which
    kind they move least: what forgets one must be found out."""
    kinds = {re.sub(r"\d+", "N", name) for name in tensors}
    effects = []
    for kind in sorted(kinds - {"lm_head.weight", "model.embed_tokens.weight"}):
        model = make_model(case, tensors)
        state = model.state_dict()
        for name in state:
            if re.sub(r"\d+", "N", name) == kind:
                neutral = _tiny_weights.neutral(name, model.config)
                state[name] = torch.full_like(state[name], neutral)
        model.load_state_dict(state)
        other = run(model, ids, watched=False)
        effects.append((distance(other.logits, answer.logits), kind))
    return min(effects)


def make_case(case: Case, root: pathlib.Path, seed: int) -> None:
    out = root / case.name
    shutil.rmtree(out, ignore_errors=True)
    model, tensors = write_checkpoints(case, out, seed)
    prompts, answer = ask(model, out)
    continued = greedy(model)
    effects = []
    for changes in case.ablations:
        other = run(make_model(case, tensors, changes), prompts[-1]["ids"], watched=False)
        effects.append(distance(other.logits, answer.logits))
        if effects[-1] < ABLATED:
            raise Unlucky(f"{changes} moves the logits by {effects[-1]} only")
    least = least_effect(case, tensors, answer, prompts[-1]["ids"])
    if least[0] < TENSOR_ABLATED:
        raise Unlucky(f"without {least[1]} the logits move by {least[0]} only")
    expected = {
        "oracle": f"transformers {PINS['transformers']} {type(model).__name__}, float32, eager",
        "checkpoints": [c for c in ("hf", *case.gguf) if (out / c).exists()],
        "format": case.form,
        "prompts": prompts,
        "residuals": {"ids": prompt(RESIDUAL_LENGTH), "file": "residuals.npy"},
        "greedy": continued,
    } | chosen(answer.choices, out)
    (out / "expected.json").write_text(dump(expected) + "\n")
    report(case, out, answer, [*effects, least[0]], expected)


def chosen(choices, out: pathlib.Path) -> dict:
    """What routers and indexers chose in the longest prompt."""
    result = {"routing": choices.as_json()} if choices.experts else {}
    if choices.keys:
        np.save(out / "keys.npy", np.stack(list(choices.keys.values())))
        result["keys"] = {"layers": list(choices.keys), "file": "keys.npy"}
    return result


def report(case: Case, out: pathlib.Path, answer, effects: list, expected: dict) -> None:
    margins = [p["margin"] for p in [*expected["prompts"], expected["greedy"]] if "margin" in p]
    size = sum(f.stat().st_size for f in out.rglob("*") if f.is_file())
    print(
        f"{case.name:24} {size / 1000:5.0f} kB  spread of logits {answer.logits.std():.2f}  "
        f"smallest greedy gap {min(expected['greedy']['gaps']):.3f}  "
        f"smallest margin {min(margins, default='-')}  ablations {[round(e, 3) for e in effects]}",
        flush=True,
    )


def try_seeds(case: Case, root: pathlib.Path) -> None:
    for attempt in range(200):
        try:
            return make_case(case, root, seed_of(case) + attempt)
        except Unlucky as why:
            reason = why
    raise SystemExit(f"golden: {case.name}: {reason}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, default=_pins.GOLDEN / "models")
    parser.add_argument("cases", nargs="*", help="only these")
    arguments = parser.parse_args()
    for case in CASES:
        if not arguments.cases or case.name in arguments.cases:
            try_seeds(case, arguments.out)


if __name__ == "__main__":
    main()
