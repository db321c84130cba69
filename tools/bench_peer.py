#!/usr/bin/env python3
"""The table of promises of speed: each line measured beside its limit and beside llama.cpp.

Speeds of a shared machine wander by tens of percent within minutes, so only what was measured in
turns is believed: `orrery bench --against` runs the programs one after the other in every round,
with the machine's own limits (probes) right before and after, and takes shares and ratios within
the round. Printed are medians of those, and whether each line of the table is reached. The peer is
the better of its two ways to hold the weights (--repack 1 and 0).

It takes about an hour of a machine that does nothing else. What was measured is kept in
build/bench_peer, so that --resume goes on after a break instead of measuring it again.

bench_peer.py [--rounds N] [--only WORD]... [--resume] [--no-write]     writes docs/performance.md
"""

import argparse
import dataclasses
import hashlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
MODELS = CACHE / "orrery/models"
ORRERY = ROOT / "build/release/orrery"
PEER = ROOT / ".cache/peer/build/bin/llama-bench"
PEER_AVX2 = ROOT / ".cache/peer/build-avx2/bin/llama-bench"
KEPT = ROOT / "build/bench_peer"
PAGE = ROOT / "docs/performance.md"
BEGIN, END = "<!-- bench peer: begin -->", "<!-- bench peer: end -->"
SMOL, B1, B8 = "SmolLM2-135M-Instruct.Q4_1", "syn-1b", "syn-8b"


class Failed(Exception):
    """A program that did not give its numbers; the words say why."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One call of `orrery bench` on one file; `tests` are its flags."""

    model: str
    tests: tuple
    against: bool = True
    isa: str = ""


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of the table: `test` of `run` must reach `targets`, {what: number}.

    ratio: to the peer, at least. read: share of the read probe, at least. peak: share of the
    arithmetic's, at least. speed, time: of the speed, at least, or of the seconds of a pass, at
    most, of the test `to` of the same run.
    """

    work: str
    run: Run
    test: str
    targets: dict
    amx: dict | None = None  # targets on a machine with AMX, where they differ
    to: str = ""


def lines():
    pp, both = ("-p", "512", "-n", "0"), ("-p", "512", "-n", "64")
    smol = Run(SMOL, ("-p", "512", "-n", "128"))
    yield Line("prompt, SmolLM2", smol, "pp512", {"ratio": 5}, {"ratio": 2.5})
    yield Line("reply, SmolLM2", smol, "tg128", {"ratio": 2.2}, {"ratio": 1.3})
    for shape in (B1, B8):
        run = Run(f"{shape}-Q4_K_M", both)
        yield Line("prompt", run, "pp512", {"ratio": 1.5, "peak": 0.65}, {"ratio": 3})
        yield Line("reply", run, "tg64", {"read": 0.85, "ratio": 1.25})
    for kind in ("Q4_0", "Q8_0"):
        run = Run(f"{B1}-{kind}", both)
        yield Line("prompt", run, "pp512", {"peak": 0.6}, {"ratio": 2.5})
        yield Line("reply", run, "tg64", {"read": 0.85, "ratio": 1.25})
    yield Line("prompt", Run(f"{B1}-Q6_K", pp), "pp512", {"peak": 0.6}, {"ratio": 2.5})
    long = Run(f"{B1}-Q4_K_M", ("-p", "512,8192", "-n", "0"), against=False)
    yield Line("long prompt", long, "pp8192", {"speed": 0.7}, {"speed": 0.6}, to="pp512")
    deep = Run(f"{B1}-Q4_0", ("-p", "0", "-n", "32", "-d", "8192"))
    yield Line("reply at depth", deep, "tg32@d8192", {"read": 0.7, "ratio": 2.5})
    moe = Run("syn-moe-Q4_K_M", both)
    yield Line("prompt, experts", moe, "pp512", {"ratio": 1.5}, {"ratio": 2.5})
    yield Line(
        "reply, experts", moe, "tg64", {"ratio": 1.25, "read": 0.85}, {"ratio": 1.4, "read": 0.85}
    )
    latent = Run(
        "syn-deepseek-Q4_K_M", ("-p", "0", "-n", "32", "-d", "4096"), against=False
    )
    yield Line("reply at depth, latent", latent, "tg32@d4096", {"read": 0.75})
    together = Run(
        f"{B1}-Q4_K_M", ("-p", "0", "-n", "32", "-c", "1,2,4,8"), against=False
    )
    for columns, most in ((2, 1.1), (4, 1.25), (8, 2.0)):
        test = f"tg32x{columns}"
        yield Line(f"{columns} replies together", together, test, {"time": most}, to="tg32")
    plain = Run(f"{B1}-BF16", ("-p", "512", "-n", "32"), against=False)
    yield Line("prompt", plain, "pp512", {"peak": 0.5}, {"peak": 0.35})
    yield Line("reply", plain, "tg32", {"read": 0.85})
    lower = Run(f"{B1}-Q4_K_M", both, isa="avx2")
    yield Line("prompt, rung avx2", lower, "pp512", {"ratio": 1})
    yield Line("reply, rung avx2", lower, "tg64", {"ratio": 1})


def run_json(command, **more_environment):
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=7200,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **more_environment},
        )
    except subprocess.TimeoutExpired as late:
        raise Failed("took more than two hours") from late
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Failed(f"ended with {done.returncode}: {last[:300]}")
    return json.loads(done.stdout[done.stdout.index("{") :])


def play(run, options):
    """The answer of `orrery bench`."""
    command = [str(ORRERY), "bench", str(MODELS / f"{run.model}.gguf"), *run.tests, "--json"]
    command += ["-t", str(options.threads), "-r", str(options.rounds)]
    if run.against:
        peer = PEER_AVX2 if run.isa == "avx2" and PEER_AVX2.exists() else options.peer
        command += ["--against", f"llama-bench={peer}"]
    return kept(command, options, **({"ORRERY_ISA": run.isa} if run.isa else {}))


def kept(command, options, **environment):
    """The answer of the command; with --resume of an earlier run of the same program, if any."""
    program = ORRERY.stat()
    key = json.dumps([command, environment, program.st_size, program.st_mtime])
    place = KEPT / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
    if options.resume and place.exists():
        return json.loads(place.read_text(encoding="utf-8"))
    answer = run_json(command, **environment)
    KEPT.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(answer), encoding="utf-8")
    return answer


def paired(row, other, turn):
    """Medians of what `turn` makes of two rows' rates, round by round."""
    return statistics.median(turn(a, b) for a, b in zip(row["rates"], other["rates"], strict=True))


def measured(line, answer):
    """{what: number} beside the line's targets."""
    rows = {row["test"]: row for row in answer["results"]}
    row = rows[line.test]
    values = {"tok/s": row["tokens_per_second"]["median"]}
    if "read_fraction" in row:
        values["read"] = row["read_fraction"]["median"]
        values["peak"] = row.get("peak_fraction", {}).get("median", 0)
    if "against" in row:
        values["ratio"] = row["against"]["ratio"]["median"]
        values["spread"] = (row["against"]["ratio"]["min"], row["against"]["ratio"]["max"])
        values["peer"] = row["against"]["tokens_per_second"]["median"]
    if line.to:
        other = rows[line.to]
        values["speed"] = paired(row, other, lambda mine, its: mine / its)
        columns = int(line.test.partition("x")[2] or 1)
        values["time"] = paired(row, other, lambda mine, its: columns * its / mine)
    return values


def words(name, value):
    if name in ("read", "peak", "speed"):
        return f"{100 * value:.0f} % of " + {"read": "read", "peak": "peak", "speed": "pp512"}[name]
    return f"{value:.2f} x" + {"ratio": " peer", "time": " one's time"}[name]


def verdict(line, values, amx):
    """(words of targets, words of what was measured, reached)."""
    targets = line.amx if amx and line.amx is not None else line.targets
    wanted, found, reached = [], [], True
    for name, number in targets.items():
        most = name == "time"
        wanted.append(("≤ " if most else "≥ ") + words(name, number))
        found.append(words(name, values[name]))
        reached &= values[name] <= number if most else values[name] >= number
    return wanted, found, reached


def measure_start(options):
    """[(work, wanted, found, reached)] of the first and the second start, with a cache of its own."""
    rows = []
    model = MODELS / f"{B8}-Q4_K_M.gguf"
    command = [str(ORRERY), "bench", str(model), "-p", "0", "-n", "1", "-r", "1", "--no-probe"]
    command += ["--json", "-t", str(options.threads)]
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        # The model's file is in the page cache after this, as after a download.
        with open(model, "rb") as file:
            while file.read(1 << 24):
                pass
        for work, most in (("first start", 3.0), ("second start", 0.7)):
            start = run_json(command, XDG_CACHE_HOME=folder)["start"]
            seconds = start["first_token_seconds"]
            more = (start["memory_peak_bytes"] - start["memory_expected_bytes"]) / 2**20
            rows.append((work, [f"≤ {most} s"], [f"{seconds:.2f} s"], seconds <= most))
            if work == "first start":
                memory = ("loading", ["≤ packed + 64 MiB"], [f"packed {more:+.0f} MiB"], more <= 64)
    return [*rows, memory]


def probe_words(answers):
    """The limits that the runs measured beside themselves, as medians and extremes."""
    found = {}
    for answer in answers:
        for row in answer["results"]:
            if "read_probe_gb_per_s" in row:
                found.setdefault("GB/s read", []).append(row["read_probe_gb_per_s"])
            for kind, peak in row.get("peak_gops", {}).items():
                found.setdefault(f"GOPS {kind}", []).append(peak)
    return "; ".join(
        f"{statistics.median(p['median'] for p in peaks):.1f} {name} "
        f"({min(p['min'] for p in peaks):.1f} to {max(p['max'] for p in peaks):.1f})"
        for name, peaks in found.items()
    )


def number(value):
    return "-" if value is None else f"{value:.1f}"


def table(results, starts, answers, options):
    first = answers[0]
    out = [
        f"`./dev bench peer`, {time.strftime('%Y-%m-%d')}, {first['cpu']}, rung {first['isa']}, "
        f"{options.threads} threads, {options.rounds} rounds in turns.",
        "Tokens a second are medians; shares and ratios are medians of what each round gave.",
        "",
        "| work | model | test | tok/s | peer | must reach | reached | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for line, values, (wanted, found, reached) in results:
        spread = (
            " ({:.2f} to {:.2f})".format(*values["spread"]) if "ratio" in line.targets else ""
        )
        out.append(
            f"| {line.work} | {line.run.model} | {line.test} | {number(values['tok/s'])} | "
            f"{number(values.get('peer'))} | {', '.join(wanted)} | {', '.join(found)}{spread} | "
            f"{'yes' if reached else '**no**'} |"
        )
    for work, wanted, found, reached in starts:
        out.append(
            f"| {work} | {B8}-Q4_K_M | one token | - | - | {', '.join(wanted)} | "
            f"{', '.join(found)} | {'yes' if reached else '**no**'} |"
        )
    return "\n".join([*out, "", f"Probes beside the runs: {probe_words(answers)}."])


def write_page(text):
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def has_amx():
    try:
        return "amx_int8" in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", action="append", help="lines with these words: WORK MODEL TEST")
    parser.add_argument("--peer", type=pathlib.Path, default=PEER, help="another llama-bench")
    parser.add_argument("--resume", action="store_true", help="take what was measured already")
    parser.add_argument("--no-write", action="store_true", help="leave docs/performance.md alone")
    options = parser.parse_args()

    def chosen(text):
        return not options.only or any(words in text for words in options.only)

    results, starts, answers = [], [], {}
    for line in lines():
        if not chosen(f"{line.work} {line.run.model} {line.test}"):
            continue
        try:
            if line.run not in answers:
                print(f"{line.run.model} {' '.join(line.run.tests)}", flush=True)
                answers[line.run] = play(line.run, options)
        except Failed as why:
            print(f"bench_peer: error: orrery bench {why}", file=sys.stderr)
            return 1
        values = measured(line, answers[line.run])
        results.append((line, values, verdict(line, values, has_amx())))
        wanted, found, reached = results[-1][2]
        print(f"  {line.work}, {line.test}: {', '.join(found)} ({', '.join(wanted)}): "
              f"{'reached' if reached else 'NOT reached'}", flush=True)  # fmt: skip
    if chosen(f"start {B8}"):
        print(f"{B8} starts", flush=True)
        starts = measure_start(options)
    text = table(results, starts, list(answers.values()), options)
    print("\n" + text)
    if not options.no_write:
        write_page(text)
    reached = [row[2][2] for row in results] + [row[3] for row in starts]
    print(f"\n{sum(reached)} of {len(reached)} lines reached")
    return 0


if __name__ == "__main__":
    sys.exit(main())
