#!/usr/bin/env python3
"""Random texts through our tokenizers and their makers' libraries: the answers must be equal.

  fuzz_tokenizer.py [NAME...] [--count N] [--seed S]

NAME is one of tools/fetch_tokenizers.py (all of them without a NAME) or a path. For each text the
ids, the ids with the tokenizer's own tokens and the decoded text are compared; the first texts that
differ are cut down to what still differs. Ends with 1 when there is one. A seed repeats a run.
"""

import argparse
import os
import pathlib
import random
import subprocess
import sys
import time
from array import array

os.environ["TOKENIZERS_PARALLELISM"] = "false"
ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools" / "golden"))
from fetch_tokenizers import SOURCES  # noqa: E402
from text_samples import SCRIPTS, Samples  # noqa: E402
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


class Mixtures(Samples):
    """The texts of the golden files, and two kinds more: any code points, and scripts mixed within
    a word."""

    def piece(self):
        r = self.random
        kind = r.randrange(12)
        if kind == 0:
            return self.run_of(self.any_code)
        if kind == 1:
            ranges = [SCRIPTS[name] for name in r.choices(list(SCRIPTS), k=2)]
            return self.run_of(lambda: r.randint(*r.choice(ranges)))
        return super().piece()

    def any_code(self):
        code = self.random.randrange(0x110000 - 0x800)
        return code if code < 0xD800 else code + 0x800  # no surrogates


def in_binary(answer):
    """An answer as the program writes it."""
    decoded = answer["decoded"].encode()
    ids, around = array("I", answer["ids"]), array("I", answer["ids_special"])
    return b"".join(
        (
            len(ids).to_bytes(4, "little"),
            ids.tobytes(),
            len(around).to_bytes(4, "little"),
            around.tobytes(),
            len(decoded).to_bytes(4, "little"),
            decoded,
        )
    )


class Ours:
    """The program, asked with a block of texts. It works while its maker's library does."""

    def __init__(self, path):
        self.process = subprocess.Popen(
            [PROGRAM, path, "blocks"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def ask(self, texts):
        parts = [len(texts).to_bytes(4, "little")]
        for text in texts:
            data = text.encode()
            parts += [len(data).to_bytes(4, "little"), data]
        self.process.stdin.write(b"".join(parts))
        self.process.stdin.flush()

    def read(self, size):
        data = self.process.stdout.read(size)
        if len(data) != size:
            sys.exit("error: our program ended before it had answered")
        return data

    def take(self):
        """The answer to the next text, as it came."""
        parts = []
        for unit in (4, 4, 1):
            parts.append(self.read(4))
            parts.append(self.read(unit * int.from_bytes(parts[-1], "little")))
        return b"".join(parts)

    def answers(self, texts):
        self.ask(texts)
        return [self.take() for _ in texts]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def read_answer(data):
    """What `data`, one answer of the program, says."""
    answer = {}
    for key, unit in (("ids", 4), ("ids_special", 4), ("decoded", 1)):
        end = 4 + unit * int.from_bytes(data[:4], "little")
        answer[key] = data[4:end].decode(errors="replace") if unit == 1 else array("I", data[4:end]).tolist()
        data = data[end:]
    return answer


def smallest(text, oracle, ours):
    """`text` without all that it differs without."""
    step = max(1, len(text) // 2)
    while step:
        shorter = [text[:i] + text[i + step :] for i in range(0, len(text), step)]
        for candidate, answer in zip(shorter, ours.answers(shorter)):
            if candidate and in_binary(oracle.answer(candidate)) != answer:
                text = candidate
                break
        else:
            step //= 2
    return text


def show(text, oracle, ours):
    text = smallest(text, oracle, ours)
    answer, theirs = read_answer(ours.answers([text])[0]), oracle.answer(text)
    print(f"\n  {text!r} ({' '.join(f'U+{ord(c):04X}' for c in text[:20])})")
    for key in theirs:
        if answer[key] != theirs[key]:
            print(f"    {key}: ours   {answer[key]!r}\n    {key}: theirs {theirs[key]!r}")


class Progress:
    """A line that counts on a terminal; in a log a line every 100 000 texts."""

    EVERY = 100_000

    def __init__(self, name, count):
        self.name, self.count, self.started = name, count, time.monotonic()
        self.terminal = sys.stdout.isatty()

    def tell(self, done, differ):
        if not self.terminal and (done % self.EVERY or done == self.count):
            return
        rate = done / (time.monotonic() - self.started)
        line = f"  {self.name}: {done:,} of {self.count:,} texts, {rate:,.0f} a second"
        line += f", {differ} differ" if differ else ""
        print(f"\r{line}\x1b[K" if self.terminal else line, end="" if self.terminal else "\n",
              flush=True)

    def close(self):
        if self.terminal:
            print("\r\x1b[K", end="")


def fuzz(name, count, seed):
    """The number of texts that differ."""
    path = path_of(name)
    oracle, ours = open_oracle(path), Ours(path)
    samples, progress = Mixtures(seed, oracle.special), Progress(name, count)
    done, differ = 0, 0
    while done < count:
        texts = [samples.text() for _ in range(min(BLOCK, count - done))]
        ours.ask(texts)
        expected = [in_binary(answer) for answer in oracle.answers(texts)]
        # All are read before the program is asked again, to make a text smaller.
        got = [ours.take() for _ in texts]
        for text, theirs, answer in zip(texts, expected, got):
            if theirs != answer:
                differ += 1
                if differ <= SHOWN:
                    show(text, oracle, ours)
        done += len(texts)
        progress.tell(done, differ)
    ours.close()
    progress.close()
    return differ


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--count", type=int, default=1_000_000, help="texts for each (10^6)")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    names = options.names or sorted(SOURCES)
    failed = False
    for name in names:
        differ = fuzz(name, options.count, options.seed)
        failed |= differ > 0
        print(f"  {name}: {options.count:,} texts, {differ} differences, seed {options.seed}")
        print(f"{'FAIL' if differ else 'ok'} - {name} says what its maker's library says",
              flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
