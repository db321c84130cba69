"""SmolLM2's answers by llama.cpp: greedy.json and perplexity.json.

    python tools/golden/smollm2_llama_cpp.py [--model FILE] [--out tests/golden/smollm2]

Needs the peer that `./dev bench peer` builds, and text.json of smollm2.py. llama.cpp runs with its
defaults (half-precision cache, integer kernels), on the CPU with two threads. Its last bits
depend on the CPU, the tokens hardly: greedy.json tells how near each step came to a tie.
"""

import argparse
import json
import pathlib
import re
import subprocess

import numpy as np

import _pins
import _smollm2_gguf
import _smollm2_texts
from _llama_cpp import PEER, VERSION, Llama

TOKENS = 64


def cpu_name() -> str:
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    return next(line.split(": ")[1] for line in lines if line.startswith("model name"))


def greedy(model: Llama, text: str) -> dict:
    """64 tokens, an end token included if it comes (then there are fewer), and at each step the two
    best tokens with their log-probabilities in nats."""
    ids = model.tokenize(text)
    model.restart()
    row, past, chosen, steps = model.feed(ids, 0, False)[0].astype(np.float64), len(ids), [], []
    while len(chosen) < TOKENS:
        top = float(row.max())
        row -= top + np.log(np.exp(row - top).sum())
        best = np.argsort(-row, kind="stable")[:2]
        chosen.append(int(best[0]))
        steps.append([[int(i), round(float(row[i]), 5)] for i in best])
        if model.is_end(chosen[-1]):
            break
        row, past = model.feed([chosen[-1]], past, False)[0].astype(np.float64), past + 1
    return {
        "prompt": text,
        "prompt_ids": ids,
        "ids": chosen,
        "text": model.text(chosen),
        "best_two": steps,
    }


def perplexity(model: pathlib.Path, text: pathlib.Path) -> dict:
    options = ["-c", "512", "-t", "2"]
    done = subprocess.run(
        [PEER / "build/bin/llama-perplexity", "-m", model, "-f", text, *options],
        capture_output=True,
        text=True,
        check=True,
    )
    output = done.stdout + done.stderr
    chunks = [float(v) for v in re.findall(r"\[\d+\]([\d.]+),", output)]
    final = re.search(r"Final estimate: PPL = ([\d.]+) \+/- ([\d.]+)", output)
    return {
        "command": " ".join(["llama-perplexity", "-m", model.name, "-f", text.name, *options]),
        "perplexity": float(final[1]),
        "error": float(final[2]),
        "chunks": chunks,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=pathlib.Path, default=_pins.MODEL)
    parser.add_argument("--out", type=pathlib.Path, default=_pins.GOLDEN / "smollm2")
    arguments = parser.parse_args()
    _smollm2_gguf.open_gguf(arguments.model)
    oracle = {"oracle": f"llama.cpp of llama-cpp-python {VERSION}", "cpu": cpu_name()}

    model = Llama(arguments.model, context=1024, half_kv=True)
    texts = json.loads((arguments.out / "text.json").read_text())["texts"]
    for item in texts:
        if model.tokenize(item["text"]) != item["ids"]:
            print(f"llama.cpp tokenizes differently: {item['text']!r}")
    prompts = [greedy(model, text) for text in _smollm2_texts.PROMPTS]
    for p in prompts:
        gaps = sorted(a[1] - b[1] for a, b in p["best_two"])
        print(f"{len(p['ids'])} tokens, smallest gaps {[round(g, 3) for g in gaps[:3]]}")
    lines = ",\n  ".join(json.dumps(p) for p in prompts)
    head = json.dumps(oracle)[1:-1]
    (arguments.out / "greedy.json").write_text(f'{{{head}, "prompts": [\n  {lines}\n]}}\n')

    found = perplexity(arguments.model, arguments.out / "text.txt")
    (arguments.out / "perplexity.json").write_text(json.dumps(oracle | found, indent=1) + "\n")
    print(found)


if __name__ == "__main__":
    main()
