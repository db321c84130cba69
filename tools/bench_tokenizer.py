#!/usr/bin/env python3
"""Our tokenizers beside their makers' libraries, one thread each, in turns.

  bench_tokenizer.py [NAME...] [--rounds N] [--megabytes N]

Text: megabytes of English-like words, Chinese, code, numbers and emoji from a seed, as documents of
16 KB. A row a tokenizer: MB/s of encoding and decoding, ours and theirs (medians), the medians of
the paired ratios, and the time to load (the best of several). Then two cases of their own: a
tokenizer.json of 20 MB is loaded, and 1 MB of one letter is encoded. Without a NAME it all goes to
docs/text.md. Ends with 1 when a target is missed. Needs build/release/tokenizer_bench and
tools/fetch_tokenizers.py.
"""

import argparse
import datetime
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

PROGRAM = str(ROOT / "build/release/tokenizer_bench")
FILES = {
    "llama3_1": "tokenizer.json",
    "qwen3": "tokenizer.json",
    "deepseek_v3": "tokenizer.json",
    "gptoss": "tokenizer.json",
    "smollm2": "model.gguf",
    "mistral_7b": "tokenizer.json",
    "mistral_v3": "tokenizer.model.v3",
    "tekken": "tekken.json",
}
ENCODE_RATIO, DECODE_RATIO, LOAD_MS, LETTER_SECONDS = 2, 3, 150, 0.5
# Beside Hugging Face's library; SentencePiece's and tiktoken's are shown without a target.
WITH_TARGET = {"llama3_1", "qwen3", "deepseek_v3", "gptoss", "smollm2", "mistral_7b"}


def zipf(r, items):
    return items[min(int(r.paretovariate(1.05)) - 1, len(items) - 1) % len(items)]


def mixed_text(megabytes, seed=1):
    r = random.Random(seed)
    consonants = "b c d f g h l m n p r s t th st w br".split()
    syllables = [a + b for a in consonants for b in "a e i o u ea on er in al".split()]
    words = "the of and to in is that for it was on are as with".split()
    words += ["".join(r.choices(syllables, k=r.choice((1, 1, 2, 2, 3)))) for _ in range(30000)]
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
    """The library behind an oracle, by the quickest calls that it has for one thread."""

    def __init__(self, path):
        oracle = open_oracle(path)
        if hasattr(oracle, "processor"):
            processor = oracle.processor
            self.encode = lambda texts: processor.encode(texts, num_threads=1)
            self.decode = lambda ids: processor.decode(ids, num_threads=1)
        elif hasattr(oracle, "keep"):
            encode, decode = oracle.tokenizer.encode, oracle.tokenizer.decode
            self.encode = lambda texts: [encode(text, bos=False, eos=False) for text in texts]
            self.decode = lambda ids: [decode(one) for one in ids]
        else:
            encode, decode = oracle.tokenizer.encode_batch_fast, oracle.tokenizer.decode_batch
            self.encode = lambda texts: [e.ids for e in encode(texts, add_special_tokens=False)]
            self.decode = lambda ids: decode(ids, skip_special_tokens=False)

    def round(self, documents):
        start = time.perf_counter()
        ids = self.encode(documents)
        middle = time.perf_counter()
        self.decode(ids)
        return middle - start, time.perf_counter() - middle, sum(map(len, ids))


def their_milliseconds_to_load(path):
    """Of their library alone; nothing for GGUF, which it does not read."""
    path = pathlib.Path(path)
    if path.name == "tokenizer.json":
        from tokenizers import Tokenizer

        load = Tokenizer.from_file
    elif path.name == "tekken.json":
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer

        load = Tekkenizer.from_file
    elif ".model" in path.name:
        import sentencepiece

        load = sentencepiece.SentencePieceProcessor
    else:
        return ""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        load(str(path))
        times.append(time.perf_counter() - start)
    return f"{1000 * min(times):.0f}"


class Ours:
    """The program, which encodes and decodes a file once for each line that it gets."""

    def __init__(self, path, file):
        self.process = subprocess.Popen(
            [PROGRAM, path, "time", file], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def round(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["encode_s"], answer["decode_s"], answer["tokens"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def milliseconds_to_load(path):
    runs = [subprocess.check_output([PROGRAM, path, "load"]) for _ in range(5)]
    return 1000 * min(json.loads(run)["load_s"] for run in runs)


def path_of(name):
    return str(ROOT / ".cache/tokenizers" / name / FILES[name])


def mark(good):
    return "reached" if good else "MISSED"


def bench(name, text_file, documents, megabytes, rounds):
    """A row of the table, and whether its targets were reached."""
    theirs, ours = Theirs(path_of(name)), Ours(path_of(name), text_file)
    rows = []
    for _ in range(rounds + 1):
        encode, decode, tokens = ours.round()
        their_encode, their_decode, their_tokens = theirs.round(documents)
        assert tokens == their_tokens, f"{name}: {tokens} tokens, theirs {their_tokens}"
        rows.append((encode, decode, their_encode, their_decode))
    ours.close()
    rows = rows[1:]  # the first warms up
    ours_e, ours_d, theirs_e, theirs_d = (
        megabytes / statistics.median(column) for column in zip(*rows)
    )
    encode = statistics.median(row[2] / row[0] for row in rows)
    decode = statistics.median(row[3] / row[1] for row in rows)
    good = name not in WITH_TARGET or (encode >= ENCODE_RATIO and decode >= DECODE_RATIO)
    row = (
        f"| {name} | {ours_e:.1f} | {theirs_e:.1f} | {encode:.1f} | {ours_d:.1f} | {theirs_d:.1f} "
        f"| {decode:.1f} | {milliseconds_to_load(path_of(name)):.0f} "
        f"| {their_milliseconds_to_load(path_of(name))} "
        f"| {mark(good) if name in WITH_TARGET else ''} |"
    )
    return row, good


def load_of_20_megabytes(folder):
    """A real tokenizer.json as its library writes it today (pairs as lists, indented), its
    vocabulary grown until the file has 20 MB."""
    tokenizer = json.loads(pathlib.Path(path_of("llama3_1")).read_text())
    vocab = tokenizer["model"]["vocab"]
    merges = [m.split(" ") if isinstance(m, str) else m for m in tokenizer["model"]["merges"]]
    tokenizer["model"]["merges"] = merges
    largest = max(max(vocab.values()), *(t["id"] for t in tokenizer["added_tokens"]))
    names = [name for name in vocab if 2 <= len(name) <= 8]
    path = pathlib.Path(folder) / "tokenizer.json"
    r, size = random.Random(1), 0
    while size < 20_000_000:
        for _ in range(10_000):
            left, right = r.choice(names), r.choice(names)
            if left + right not in vocab:
                largest += 1
                vocab[left + right] = largest
                merges.append([left, right])
        path.write_text(json.dumps(tokenizer, ensure_ascii=False, indent=2))
        size = path.stat().st_size
    return size, milliseconds_to_load(str(path))


def one_letter(name, folder):
    path = pathlib.Path(folder) / "letter.txt"
    path.write_text("a" * 1_000_000)
    ours = Ours(path_of(name), str(path))
    seconds = min(ours.round()[0] for _ in range(3))
    ours.close()
    return seconds


class Page:
    """Prints lines and keeps them; a whole bench goes to the page of docs/."""

    FILE = ROOT / "docs/text.md"
    BEGIN, END = "<!-- bench tokenizer: begin -->", "<!-- bench tokenizer: end -->"

    def __init__(self):
        self.lines = []

    def say(self, line):
        print(line, flush=True)
        self.lines.append(line)

    def write(self):
        page = self.FILE.read_text(encoding="utf-8")
        before, rest = page.split(self.BEGIN, 1)
        after = rest.split(self.END, 1)[1]
        text = "\n".join([self.BEGIN, *self.lines, self.END])
        self.FILE.write_text(before + text + after, encoding="utf-8")


def cpu_name():
    with open("/proc/cpuinfo") as cpu:
        return next(line.split(":")[1].strip() for line in cpu if line.startswith("model name"))


def bench_all(names, rounds, megabytes, page):
    """Whether a target was missed."""
    data = mixed_text(megabytes).encode()
    command = " ".join(["./dev bench tokenizer", *sys.argv[1:]])
    page.say(
        f"`{command}`, {datetime.date.today()}, {cpu_name()}, one thread, "
        f"{len(data) / 1e6:.1f} MB of mixed text,\n"
        f"{rounds} round{'s' if rounds > 1 else ''} in turns. MB/s, medians; "
        f"targets: {ENCODE_RATIO} times in encoding, {DECODE_RATIO} in decoding.\n"
    )
    heads = ["tokenizer", *2 * ["encode", "theirs", "ratio"], "load, ms", "theirs", ""]
    heads[4] = "decode"
    page.say("| " + " | ".join(heads) + " |")
    page.say("|---" * len(heads) + "|")
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        text_file = pathlib.Path(folder) / "mixed.txt"
        text_file.write_bytes(data)
        documents = documents_of(data)
        for name in names:
            row, good = bench(name, str(text_file), documents, len(data) / 1e6, rounds)
            missed |= not good
            page.say(row)
        size, load = load_of_20_megabytes(folder)
        missed |= load > LOAD_MS
        page.say(f"\nA tokenizer.json of {size / 1e6:.1f} MB is loaded in {load:.0f} ms "
                 f"(target {LOAD_MS}: {mark(load <= LOAD_MS)}).")
        for name in ("llama3_1", "mistral_7b"):
            seconds = one_letter(name, folder)
            missed |= seconds > LETTER_SECONDS
            page.say(f"1 MB of one letter, {name}: {seconds:.2f} s "
                     f"(target {LETTER_SECONDS}: {mark(seconds <= LETTER_SECONDS)}).")
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=10)
    options = parser.parse_args()
    page = Page()
    missed = bench_all(options.names or list(FILES), options.rounds, options.megabytes, page)
    if not options.names:
        page.write()
    return missed


if __name__ == "__main__":
    sys.exit(main())
