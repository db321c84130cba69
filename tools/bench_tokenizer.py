#!/usr/bin/env python3
"""Our tokenizers beside Hugging Face's (SentencePiece's, tiktoken's), one thread each, interleaved.

  bench_tokenizer.py [NAME...] [--rounds N] [--megabytes N]

Text: megabytes of English-like words, Chinese, code, numbers and emoji from a seed, as documents of
16 KB. Prints a row a tokenizer: MB/s of encoding and decoding, ours and theirs (medians), the ratios of the
paired rounds, and the time to load. Needs build/release/tokenizer_bench and tools/fetch_tokenizers.py.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools" / "golden"))
from text_samples import CODE, EMOJI, NUMBERS, WORDS  # noqa: E402
from tokenizer_oracles import open_oracle  # noqa: E402

FILES = {
    "llama3_1": "tokenizer.json",
    "qwen3": "tokenizer.json",
    "deepseek_v3": "tokenizer.json",
    "gptoss": "tokenizer.json",
    "smollm2": "model.gguf",
    "llama2": "tokenizer.json",
    "mistral_v3": "tokenizer.model.v3",
    "tekken": "tekken.json",
}


def zipf(r, items):
    return items[min(int(r.paretovariate(1.05)) - 1, len(items) - 1) % len(items)]


def mixed_text(megabytes, seed=1):
    r = random.Random(seed)
    syllables = [a + b for a in "b c d f g h l m n p r s t th st w br".split() for b in "a e i o u ea on er in al".split()]
    words = ["".join(r.choices(syllables, k=r.choice((1, 1, 2, 2, 3)))) for _ in range(30000)]
    words = ["the", "of", "and", "to", "in", "is", "that", "for", "it", "was", "on", "are", "as", "with"] + words
    han = [chr(code) for code in r.sample(range(0x4E00, 0x9FA5), 3000)]
    parts, size = [], 0
    while size < megabytes * 1_000_000:
        kind = r.random()
        if kind < 0.62:
            sentence = " ".join(zipf(r, words) for _ in range(r.randint(4, 18)))
            part = sentence.capitalize() + r.choice((". ", ", ", "? ", ".\n"))
        elif kind < 0.80:
            part = "".join(zipf(r, han) for _ in range(r.randint(4, 30))) + r.choice("，。！\n")
        elif kind < 0.92:
            part = r.choice(CODE) + "\n"
        else:
            part = r.choice(NUMBERS + EMOJI + WORDS) + " "
        parts.append(part)
        size += len(part.encode())
    return "".join(parts)


def documents_of(data):
    documents = []
    while data:
        cut = data.find(b"\n", 16 << 10) if len(data) > 16 << 10 else -1
        cut = len(data) if cut < 0 else cut + 1
        documents.append(data[:cut].decode())
        data = data[cut:]
    return documents


class Theirs:
    """encode(text) -> ids and decode(ids), of the library behind an oracle."""

    def __init__(self, path):
        start = time.perf_counter()
        oracle = open_oracle(path)
        self.load = time.perf_counter() - start
        if hasattr(oracle, "processor"):
            self.encode, self.decode = oracle.processor.encode, oracle.processor.decode
        elif hasattr(oracle, "keep"):
            self.encode = lambda text: oracle.tokenizer.encode(text, bos=False, eos=False)
            self.decode = oracle.tokenizer.decode
        else:
            tokenizer = oracle.tokenizer
            self.encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
            self.decode = lambda ids: tokenizer.decode(ids, skip_special_tokens=False)

    def round(self, documents):
        start = time.perf_counter()
        ids = [self.encode(text) for text in documents]
        middle = time.perf_counter()
        for one in ids:
            self.decode(one)
        return middle - start, time.perf_counter() - middle, sum(map(len, ids))


def bench(name, text_file, documents, megabytes, rounds):
    path = ROOT / ".cache" / "tokenizers" / name / FILES[name]
    theirs = Theirs(path)
    program = str(ROOT / "build" / "release" / "tokenizer_bench")
    loads = [json.loads(subprocess.check_output([program, str(path), "load"]))["load_s"] for _ in range(5)]
    ours = subprocess.Popen([program, str(path), "time", text_file], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    rows = []
    for _ in range(rounds + 1):
        ours.stdin.write(b"\n")
        ours.stdin.flush()
        mine = json.loads(ours.stdout.readline())
        encode, decode, tokens = theirs.round(documents)
        assert tokens == mine["tokens"], f"{name}: {mine['tokens']} tokens, theirs {tokens}"
        rows.append((mine["encode_s"], mine["decode_s"], encode, decode))
    ours.stdin.close()
    rows = rows[1:]  # the first warms up
    median = [statistics.median(column) for column in zip(*rows)]
    encode_ratio = statistics.median(row[2] / row[0] for row in rows)
    decode_ratio = statistics.median(row[3] / row[1] for row in rows)
    print(
        f"{name:12} encode {megabytes / median[0]:7.1f} MB/s, theirs {megabytes / median[2]:6.1f}: {encode_ratio:5.1f}x"
        f"   decode {megabytes / median[1]:7.1f} MB/s, theirs {megabytes / median[3]:6.1f}: {decode_ratio:5.1f}x"
        f"   load {min(loads) * 1000:5.0f} ms, theirs {theirs.load * 1000:5.0f} ms",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=list(FILES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=10)
    options = parser.parse_args()
    data = mixed_text(options.megabytes).encode()
    with open("/proc/cpuinfo") as cpu:
        model = next(line.split(":")[1].strip() for line in cpu if line.startswith("model name"))
    print(f"{len(data) / 1e6:.1f} MB of mixed text, one thread, {options.rounds} paired rounds, {model}")
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write(data)
        file.flush()
        documents = documents_of(data)
        for name in options.names:
            bench(name, file.name, documents, len(data) / 1e6, options.rounds)


if __name__ == "__main__":
    main()
