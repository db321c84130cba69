#!/usr/bin/env python3
"""Random texts through our tokenizers and their makers' libraries: the answers must be equal.

  fuzz_tokenizer.py [NAME...] [--count N] [--seed S]

NAME is one of tools/fetch_tokenizers.py (all of them without a NAME) or a path. For each text the
ids, the ids with the tokenizer's own tokens and the decoded text are compared; the first texts that
differ are cut down to what still differs. Ends with 1 when there is one. A seed repeats a run.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import threading

os.environ["TOKENIZERS_PARALLELISM"] = "false"
ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools" / "golden"))
from text_samples import Samples  # noqa: E402
from tokenizer_oracles import open_oracle  # noqa: E402

PROGRAM = ROOT / "build/release/tokenizer_bench"
FETCHED = ROOT / ".cache/tokenizers"
BLOCK = 2000  # texts that are made, answered and forgotten together
SHOWN = 3  # differences of a tokenizer that are cut down and shown


def path_of(name):
    """The file that a fetched tokenizer is read from, or the path itself."""
    folder = FETCHED / name
    if not folder.is_dir():
        return pathlib.Path(name)
    files = sorted(folder.iterdir())
    for kind in ("tokenizer.json", "tekken.json"):
        if folder / kind in files:
            return folder / kind
    return next(file for file in files if ".model" in file.name or file.suffix == ".gguf")


class Ours:
    """The program, asked with a text a line; it answers in order."""

    def __init__(self, path):
        self.process = subprocess.Popen(
            [PROGRAM, path, "jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def answers(self, texts):
        def feed():
            lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
            self.process.stdin.write(lines.encode())
            self.process.stdin.flush()

        thread = threading.Thread(target=feed, daemon=True)
        thread.start()
        for _ in texts:
            line = self.process.stdout.readline()
            if not line:
                sys.exit("error: our program ended before it had answered")
            yield json.loads(line)
        thread.join()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def difference(theirs, ours):
    """The first answer that differs, or nothing."""
    return next((key for key in theirs if ours.get(key) != theirs[key]), None)


def smallest(text, oracle, ours):
    """`text` without all that it differs without."""
    step = max(1, len(text) // 2)
    while step:
        shorter = [text[:i] + text[i + step :] for i in range(0, len(text), step)]
        for candidate, answer in zip(shorter, list(ours.answers(shorter))):
            if candidate and difference(oracle.answer(candidate), answer):
                text = candidate
                break
        else:
            step //= 2
    return text


def show(text, oracle, ours):
    text = smallest(text, oracle, ours)
    answer, theirs = next(iter(ours.answers([text]))), oracle.answer(text)
    key = difference(theirs, answer)
    print(f"\n  {text!r}: {key}\n    ours   {answer.get(key)!r}\n    theirs {theirs[key]!r}")


def fuzz(name, count, seed, progress):
    """The number of texts that differ."""
    path = path_of(name)
    oracle, ours = open_oracle(path), Ours(path)
    samples = Samples(seed, oracle.special)
    done, differ = 0, 0
    while done < count:
        texts = [samples.text() for _ in range(min(BLOCK, count - done))]
        # A list: the answers are all read before the program is asked again.
        answers = list(ours.answers(texts))
        for text, theirs, answer in zip(texts, oracle.answers(texts), answers):
            if difference(theirs, answer):
                differ += 1
                if differ <= SHOWN:
                    show(text, oracle, ours)
        done += len(texts)
        if progress:
            print(f"\r  {name}: {done:,} of {count:,} texts", end="", flush=True)
    ours.close()
    if progress:
        print("\r", end="")
    return differ


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--count", type=int, default=1_000_000, help="texts for each (10^6)")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    names = options.names or sorted(folder.name for folder in FETCHED.iterdir())
    failed = False
    for name in names:
        differ = fuzz(name, options.count, options.seed, sys.stdout.isatty())
        failed |= differ > 0
        print(f"  {name}: {options.count:,} texts, {differ} differences, seed {options.seed}")
        print(f"{'FAIL' if differ else 'ok'} - {name} says what its maker's library says")
    sys.exit(failed)


if __name__ == "__main__":
    main()
