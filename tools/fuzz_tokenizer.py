#!/usr/bin/env python3
"""Random texts through our tokenizer and its maker's library: the answers must be equal.

  fuzz_tokenizer.py TOKENIZER [--count N] [--seed S] [--command "build/release/orrery tokenize"]

The command is run as COMMAND TOKENIZER --jsonl - and reads {"text"} lines. Prints the first
differences
and ends with 1 when there is one.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent / "golden"))
from text_samples import Samples  # noqa: E402
from tokenizer_oracles import open_oracle  # noqa: E402


def answers(command, texts):
    """Our answers, in order: one process reads all lines."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def feed():
        for text in texts:
            process.stdin.write(json.dumps({"text": text}).encode() + b"\n")
        process.stdin.close()

    threading.Thread(target=feed, daemon=True).start()
    for line in process.stdout:
        yield json.loads(line)
    process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tokenizer")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--command", default="build/release/orrery tokenize")
    parser.add_argument("--arguments", default="--jsonl -", help="after the tokenizer's path")
    options = parser.parse_args()
    oracle = open_oracle(options.tokenizer)
    samples = Samples(options.seed, oracle.special)
    texts = [samples.text() for _ in range(options.count)]
    command = [*options.command.split(), options.tokenizer, *options.arguments.split()]
    differences = compared = 0
    for text, ours in zip(texts, answers(command, texts)):
        compared += 1
        theirs = oracle.answer(text)
        for key in theirs:
            if ours.get(key) != theirs[key]:
                differences += 1
                if differences <= 5:
                    print(
                        f"text   {text!r}\n  {key}\n  ours   {ours.get(key)!r}\n  theirs {theirs[key]!r}"
                    )
                break
    print(f"{options.tokenizer}: {compared} texts, {differences} differences, seed {options.seed}")
    if compared < options.count:
        print(f"error: the program answered only {compared} of {options.count} lines")
    sys.exit(1 if differences or compared < options.count else 0)


if __name__ == "__main__":
    main()
