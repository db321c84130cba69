#!/usr/bin/env python3
"""Orrery beside llama.cpp, on the same files, cores and minutes; writes docs/performance.md.

Speeds of a shared machine wander by tens of percent within minutes, so only pairs are believed: in
each round every program runs once, in turns (A B C, A B C, ...), and a ratio is taken within the
round. Printed are the medians of those ratios and their spread, and beside them the machine's own
limits, which `orrery bench` measures (probes) in the same runs. The peer is the better of its two
ways to hold the weights (--repack 1 and 0).

bench_peer.py [--rounds N] [--threads T] [--model FILE]... [--no-write]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
MODELS = [
    CACHE / "orrery/models" / name
    for name in ("SmolLM2-135M-Instruct.Q4_1.gguf", "syn-1b-Q4_K_M.gguf")
]
ORRERY = ROOT / "build/release/orrery"
PEER = ROOT / ".cache/peer/build/bin/llama-bench"
PAGE = ROOT / "docs/performance.md"
BEGIN, END = "<!-- bench peer: begin -->", "<!-- bench peer: end -->"
PROMPT, NEW = 512, 128
TESTS = (f"pp{PROMPT}", f"tg{NEW}")


class Failed(Exception):
    """A program that did not give its numbers; the words say why."""


def run_json(command, bracket):
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as late:
        raise Failed("took more than 900 s") from late
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Failed(f"ended with {done.returncode}: {last[:200]}")
    return json.loads(done.stdout[done.stdout.index(bracket) :])


def measure_orrery(model, options):
    """({test: tokens/s}, the whole answer)."""
    answer = run_json(
        [
            str(ORRERY),
            "bench",
            str(model),
            "-p",
            str(PROMPT),
            "-n",
            str(NEW),
            "-t",
            str(options.threads),
            "-r",
            "1",
            "--json",
        ],
        "{",
    )
    speeds = {row["test"]: row["tokens_per_second"]["median"] for row in answer["results"]}
    return speeds, answer


def measure_peer(model, options, repack):
    rows = run_json(
        [
            str(options.peer),
            "-m",
            str(model),
            "-p",
            str(PROMPT),
            "-n",
            str(NEW),
            "-t",
            str(options.threads),
            "-fa",
            "1",
            "-r",
            "1",
            "--repack",
            str(repack),
            "-o",
            "json",
        ],
        "[",
    )
    speeds = {}
    for row in rows:
        test = f"pp{row['n_prompt']}" if row["n_prompt"] else f"tg{row['n_gen']}"
        speeds[test] = row["avg_ts"]
    return speeds, rows[0]


def play_rounds(model, options):
    """(rounds: [{program: {test: tokens/s}}], orrery's answers, {program: why it failed})."""
    rounds, answers, failures = [], [], {}
    for number in range(1, options.rounds + 1):
        speeds = {}
        speeds["orrery"], answer = measure_orrery(model, options)
        answers.append(answer)
        for repack in (1, 0):
            name = f"repack {repack}"
            if name in failures:
                continue
            try:
                speeds[name], _ = measure_peer(model, options, repack)
            except Failed as why:
                failures[name] = str(why)
                print(f"  llama-bench --repack {repack} {why}", flush=True)
        rounds.append(speeds)
        words = [
            f"{name} " + " ".join(f"{test} {value:.1f}" for test, value in row.items())
            for name, row in speeds.items()
        ]
        print(f"  round {number}/{options.rounds}: " + "; ".join(words), flush=True)
    return rounds, answers, failures


def summarize(rounds, test):
    """Medians, and the ratio of orrery to the peer's better way, paired within each round."""
    line = {"orrery": statistics.median(row["orrery"][test] for row in rounds)}
    best = None
    for name in ("repack 1", "repack 0"):
        pairs = [row["orrery"][test] / row[name][test] for row in rounds if name in row]
        if not pairs:
            continue
        line[name] = statistics.median(row[name][test] for row in rounds if name in row)
        ratio = (statistics.median(pairs), min(pairs), max(pairs), name)
        best = ratio if best is None or ratio[0] < best[0] else best
    line["ratio"] = best
    return line


def probe_words(answers):
    """The limits of this machine that the runs measured beside themselves, as medians."""
    words = []
    for key, unit in (("read_probe_gb_per_s", "GB/s read"), ("int8_probe_gops", "int8 GOPS")):
        values = [value for answer in answers for value in find(answer, key)]
        if values:
            middle = statistics.median(values)
            words.append(f"{middle:.1f} {unit} ({min(values):.1f} to {max(values):.1f})")
    return ", ".join(words) or "not reported"


def find(tree, key):
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name == key and isinstance(value, (int, float)):
                yield value
            else:
                yield from find(value, key)
    elif isinstance(tree, list):
        for value in tree:
            yield from find(value, key)


def number(value):
    return "-" if value is None else f"{value:.1f}"


def table(results, options):
    first = results[0][2][0]
    lines = [
        f"`./dev bench peer`, {time.strftime('%Y-%m-%d')}, {first.get('cpu', 'unknown CPU')}, "
        f"rung {first.get('isa', '?')}, {options.threads} threads, {options.rounds} rounds in "
        "turns.",
        "Tokens a second, medians; ratio: the median of the paired ratios to the "
        "better peer column",
        "(smallest to largest).",
        "",
        "| model | test | orrery | llama.cpp repack 1 | repack 0 | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for model, rounds, _, _ in results:
        for test in TESTS:
            line = summarize(rounds, test)
            ratio = (
                "-" if line["ratio"] is None else "{:.2f} ({:.2f} to {:.2f})".format(*line["ratio"])
            )
            lines.append(
                f"| {model.stem} | {test} | {number(line['orrery'])} | "
                f"{number(line.get('repack 1'))} | {number(line.get('repack 0'))} | "
                f"{ratio} |"
            )
    for model, _, answers, failures in results:
        lines += ["", f"Probes beside {model.stem}:", f"{probe_words(answers)}."]
        for name, why in failures.items():
            lines.append(f"llama-bench with {name} gave no numbers on {model.stem}: it {why}.")
    return "\n".join(lines)


def write_page(text):
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", type=pathlib.Path, action="append")
    parser.add_argument("--peer", type=pathlib.Path, default=PEER, help="another llama-bench")
    parser.add_argument("--no-write", action="store_true", help="leave docs/performance.md alone")
    options = parser.parse_args()
    results = []
    for model in options.model or MODELS:
        print(model.name, flush=True)
        try:
            rounds, answers, failures = play_rounds(model, options)
        except Failed as why:
            print(f"bench_peer: error: orrery bench {why}", file=sys.stderr)
            return 1
        results.append((model, rounds, answers, failures))
    text = table(results, options)
    print("\n" + text)
    if not options.no_write:
        write_page(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
