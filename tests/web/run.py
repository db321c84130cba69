#!/usr/bin/env python3
"""The Explorer's page in a real browser, in front of the real program with tiny models.

web/tests drives Debian's Chromium: oracle.mjs reads the page's tables, which are compared here with
what transformers saw (tests/golden/explorer, by the rules of tests/explorer/oracle.py), and all.mjs
holds everything else. Each check is a line `ok - what` or `FAIL - what`; with a word, only the
checks whose names hold it are run. It measures no engine: tests/explorer does that without a
browser.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "explorer"))
import oracle  # noqa: E402
from feed import ROOT, Broken, expect, serve  # noqa: E402

WEB = ROOT / "web"
MODELS = ["llama_f32", "mixtral", "mistral_window", "deepseek_v3"]
WINDOW = 16  # of mistral_window
SECONDS = 420


def goldens():
    return {name: np.load(oracle.GOLDEN / f"{name}.npz") for name in MODELS}


def wanted(golden):
    """What the scripts must know to find their way, and what their questions are compared with."""
    layers, heads, _ = golden["rows"].shape
    lists = {key: golden[key].tolist() for key in golden.files if key != "matrix"}
    return {**lists, "layers": layers, "heads": heads}


def parts():
    """For work on one part: ORRERY_PARTS=keyboard,truth; None is all of them."""
    chosen = os.environ.get("ORRERY_PARTS")
    return chosen.split(",") if chosen else None


def node(script, job):
    """Starts a script of web/tests with a job in a file; its output as it comes."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(job, file)
        file.flush()
        process = subprocess.Popen(["node", str(WEB / "tests" / script), file.name], cwd=WEB,
                                   stdout=subprocess.PIPE, text=True)
        yield from process.stdout
        if process.wait(timeout=SECONDS) != 0:
            raise Broken(f"{script} ended with {process.returncode}")


# --- the oracle, through the page's tables ---

class Shown:
    """What a page shows, in the words of tests/explorer/oracle.py."""

    def __init__(self, found, length):
        self.found, self.length = found, length

    def frames(self):
        best = [{"id": int(id), "logprob": p} for id, p in self.found["candidates"]]
        for step, ident, logprob, entropy, _ in self.found["tokens"]:
            yield {"channel": "token", "step": int(step), "data": {
                "id": ident, "logprob": logprob, "entropy": entropy,
                "candidates": best if step == self.length else []}}
        layers = sorted(self.found["routes"], key=int)
        for at, steps in enumerate(zip(*(self.found["routes"][layer] for layer in layers))):
            yield {"channel": "route", "step": int(steps[0]["step"]), "data": {"layers": [
                {"layer": int(layer), **route} for layer, route in zip(layers, steps)]}}
            expect(len({route["step"] for route in steps}) == 1, f"row {at} of the layers")

    def get(self, name, layer=0, head=0, **_):
        if name == "rows":
            return [self.row(one) for one in self.found["rows"][layer]]
        matrix = [[None] * self.length for _ in range(self.length)]
        for query, key, weight in self.found["matrix"]:
            if query < self.length:
                matrix[int(query)][int(key)] = weight
        return {"data": {"max": matrix}}

    @staticmethod
    def row(shown):
        positions = [int(position) for position, _ in shown["cells"]]
        weights = [weight for _, weight in shown["cells"]]
        # Four digits of each of 40 weights are shown, so their sum is off by up to 40 × 0.00005.
        total = sum(weights)
        return {"data": {"positions": positions, "weights": weights, "check_value": shown["check"],
                         "sum": 1 if abs(total - 1) < 2.1e-3 else total}}


def check_window(found, name, length):
    """Masked are those that the window of the last prompt token does not hold."""
    masked = list(range(length - WINDOW)) if name == "mistral_window" else []
    expect(found["masked"] == masked, f"masked: {found['masked']}, expected: {masked}")


def check_empty_state(found, golden):
    dense = len(golden["expert_layers"]) == 0
    expect(found["honest"] == dense, "a dense model's honest empty state")
    expect(not dense or found["lanes"] == 0, "a dense model has no lanes")


def attempt(name, test):
    try:
        test()
        print(f"ok - {name}", flush=True)
        return True
    except Exception as broken:
        print(f"  {type(broken).__name__}: {broken}\nFAIL - {name}", flush=True)
        return False


def compare(found, golden):
    name, length = found["name"], len(golden["ids"])
    if "error" in found:
        raise Broken(found["error"])
    shown = Shown(found, length)
    frames = list(shown.frames())
    oracle.check_probabilities(golden, frames)
    oracle.check_routes(golden, name, frames)
    oracle.check_rows(golden, shown, 1)
    oracle.check_matrix(golden, shown, 1)
    check_window(found, name, length)
    check_empty_state(found, golden)
    expect(not found["problems"], f"the page's console: {found['problems']}")


def through_the_page(servers, all_goldens):
    jobs = [{"name": name, "url": f"{server.url}/explorer/", "wanted": wanted(all_goldens[name])}
            for name, server in servers.items()]
    good = True
    for line in node("oracle.mjs", jobs):
        found = json.loads(line)
        good &= attempt(f"the page agrees with transformers: {found['name']}",
                        lambda found=found: compare(found, all_goldens[found["name"]]))
    return good


# --- all ---

def main():
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    if not (WEB / "dist" / "index.html").exists():
        print("  web/dist is missing: ./dev build makes it, with Node 20 or newer\n"
              "FAIL - the page is built")
        return 1
    good, known = True, goldens()
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(serve(name, "--exact")) for name in MODELS}
        if only in "the page agrees with transformers" and parts() is None:
            good &= attempt("the page's tables were read",
                            lambda: expect(through_the_page(servers, known), "see above"))
        job = {"only": only, "parts": parts(), "models": {
            name: {"url": f"{server.url}/explorer/", "wanted": wanted(known[name])}
            for name, server in servers.items()}}
        try:
            for line in node("all.mjs", job):
                print(line, end="", flush=True)
        except Broken as broken:
            print(f"  {broken}", flush=True)
            good = False
        for name, server in servers.items():
            good &= attempt(f"the server of {name} lives", server.check_alive)
    return 0 if good else 1


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
