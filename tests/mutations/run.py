#!/usr/bin/env python3
"""Models of every family of which one thing is changed: each ends well or with one clear line.

  run.py [--all] [--seed N] [MODEL...]

Every setting of a config.json, every number of a GGUF file's metadata, and tensors in the headers
of both kinds of file take values that lie. Some are still models (another epsilon); whatever they
are, the program ends by itself with code 0, or with one line and a code from 1 to 125, within 512
MiB and 10 seconds. A sample each time, --all of them takes minutes.
"""

import argparse
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import changes

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "tests/golden/models"
SAMPLE = 600
MIB_MAX, SECONDS_MAX = 512, 10


def run(program, folder, model):
    """(exit code or None when killed, stderr, seconds, MiB)"""
    arguments = [program, "generate", model, "--tokens", folder / "ids.json", "-n", "1"]
    start = time.monotonic()
    with open(folder / "err", "w+b") as err:
        child = subprocess.Popen(
            [*arguments, "--ctx", "64"], stdout=subprocess.DEVNULL, stderr=err
        )
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - start > 2 * SECONDS_MAX:
                child.kill()
            time.sleep(0.001)
        child.returncode = os.waitstatus_to_exitcode(status)
        err.seek(0)
        text = err.read().decode(errors="replace")
    seconds = time.monotonic() - start
    return child.returncode, text, seconds, usage.ru_maxrss / 1024


def fault(code, err, seconds, mib):
    """What is wrong with how it ended, or nothing."""
    if code < 0 or code > 125:
        return f"died with {code}"
    if code != 0 and (err.count("\n") != 1 or not err.startswith("orrery: error: ")):
        return f"said {err!r}"
    if code == 0 and err:
        return f"ended with 0 and said {err!r}"
    if seconds > SECONDS_MAX:
        return f"took {seconds:.1f} s"
    return f"took {mib:.0f} MiB" if mib > MIB_MAX else ""


def prepare(folder, model, change):
    """Writes the changed model; its path."""
    if change.kind == "gguf":
        (folder / "model.gguf").write_bytes(change.bytes())
        return folder / "model.gguf"
    changed = folder / "hf"
    shutil.rmtree(changed, ignore_errors=True)
    changed.mkdir()
    for file in (model / "hf").iterdir():
        os.symlink(file, changed / file.name)
    (changed / change.file).unlink()
    (changed / change.file).write_bytes(change.bytes())
    return changed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="*")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    models = [p for p in sorted(MODELS.iterdir()) if not options.models or p.name in options.models]
    cases = [(model, change) for model in models for change in changes.of(model, options.seed)]
    if not options.all:
        cases = random.Random(options.seed).sample(cases, min(SAMPLE, len(cases)))
    faults, refused = 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "ids.json").write_text("[1, 2, 3]")
        for model, change in cases:
            path = prepare(folder, model, change)
            code, err, seconds, mib = run(ROOT / "build/release/orrery", folder, path)
            refused += code != 0
            wrong = fault(code, err, seconds, mib)
            if wrong:
                faults += 1
                print(f"  {model.name}, {change.what}: {wrong}")
    print(f"  {len(cases)} changed models, {refused} of them refused, seed {options.seed}")
    print(f"{'FAIL' if faults else 'ok'} - a changed model ends well or with one clear line")
    # A test that never refuses, or always, tests nothing.
    balanced = 0.2 * len(cases) < refused < 0.95 * len(cases)
    print(f"{'ok' if balanced else 'FAIL'} - many changes are refused and not all")
    return 1 if faults or not balanced else 0


if __name__ == "__main__":
    sys.exit(main())
