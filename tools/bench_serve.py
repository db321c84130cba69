#!/usr/bin/env python3
"""The server under load, beside llama-server: throughput, time to the first token, gaps, restarts.

Both servers run on this machine and are asked in turns, round by round; ratios are taken within a
round and are to the better of the peer's two ways to hold its weights. Prompts are random words, so
that nothing comes from a cache unless that is what is measured.

bench_serve.py [--rounds N] [--clients 1,4,8,16] [--no-peer] [--no-write]
                                              writes docs/serving.md and docs/pictures/serving.svg
"""

import argparse
import asyncio
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from load import chart, client

ROOT = pathlib.Path(__file__).resolve().parents[1]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
MODEL = CACHE / "orrery/models/SmolLM2-135M-Instruct.Q4_1.gguf"
ORRERY = ROOT / "build/release/orrery"
PEER = ROOT / ".cache/peer/build/bin/llama-server"
PAGE, PICTURE = ROOT / "docs/serving.md", ROOT / "docs/pictures/serving.svg"
BEGIN, END = "<!-- bench serve: begin -->", "<!-- bench serve: end -->"
WORDS, TOKENS = 195, 128
START_SECONDS = 120


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Server:
    def __init__(self, name, *command):
        self.name, port = name, free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([str(c) for c in command] + ["--port", str(port)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                self.get("/health")
                return
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"{name} did not start: {error}") from None
                time.sleep(0.05)

    def get(self, path):
        return urllib.request.urlopen(self.url + path, timeout=60).read().decode()

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request, timeout=600))

    def metric(self, name):
        return float(re.search(rf"^{re.escape(name)}\S* (\S+)$", self.get("/metrics"), re.M)[1])

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)


def ours(*flags):
    return Server("orrery", ORRERY, "serve", MODEL, "--alias", "default", "--quiet", *flags)


def peers():
    flags = ["-m", MODEL, "--parallel", 8, "-fa", "on", "-c", 65536, "-t", os.cpu_count(),
             "-tb", os.cpu_count()]
    for name, more in (("repack", []), ("as stored", ["--no-repack"])):
        yield Server(f"llama-server, {name}", PEER, *flags, *more)


def load_round(server, clients, seed):
    prompts = [client.words(WORDS, f"{seed} {i}") for i in range(clients)]
    steps = "orrery:forward_seconds_total"
    before = server.metric(steps) if server.name == "orrery" else 0
    begun = time.perf_counter()
    speed, first = asyncio.run(client.together(server.url, prompts, TOKENS))
    seconds = time.perf_counter() - begun
    share = (server.metric(steps) - before) / seconds if server.name == "orrery" else None
    return {"speed": speed, "first": first, "share": share}


def measure_load(servers, options):
    """{(server, clients): [round]}, the rounds of all servers in turns."""
    rounds = {}
    for server in servers:
        load_round(server, 1, "warm")
    for number in range(options.rounds):
        for clients in options.clients:
            for server in servers:
                rounds.setdefault((server.name, clients), []).append(
                    load_round(server, clients, f"{number} {clients}"))
        print(f"  round {number + 1} of {options.rounds}", file=sys.stderr)
    return rounds


def measure_gap(servers, options):
    return {server.name: [asyncio.run(client.while_a_long_prompt_comes(server.url, number))
                          for number in range(options.rounds)] for server in servers}


def first_token_ms(server, prompt):
    timings = server.post("/v1/completions", {"prompt": prompt, "max_tokens": 1,
                                              "temperature": 0})["timings"]
    return timings["queue_ms"] + timings["prefill_ms"]


def measure_prefix(options):
    """Shares of the first request's time to the first token: the second's, one's after a restart.
    """
    second, restarted = [], []
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            system = client.words(1500, f"{number} system")
            server = ours("--cache-dir", folder)
            count = len(server.post("/tokenize", {"prompt": system})["tokens"])
            first_token_ms(server, "warm up, please")
            first = first_token_ms(server, system + " How many?")
            second.append(first_token_ms(server, system + " Who was it?") / first)
            server.stop()
            server = ours("--cache-dir", folder)
            first_token_ms(server, "warm up, please")
            restarted.append(first_token_ms(server, system + " And when?") / first)
            server.stop()
    return count, statistics.median(second), statistics.median(restarted)


def median(rounds, what):
    return statistics.median(r[what] for r in rounds)


def best_peer(rounds, number, clients, what, better):
    names = {name for name, _ in rounds if name != "orrery"}
    return better(rounds[name, clients][number][what] for name in names)


def ratio(rounds, clients, what, better, options):
    """(median, least, most) of ours to the better peer, within rounds."""
    of = [rounds["orrery", clients][n][what] / best_peer(rounds, n, clients, what, better)
          for n in range(options.rounds)]
    return statistics.median(of), min(of), max(of)


def lines_of(rounds, gaps, prefix, options):
    """[(what, wanted, found, reached)]"""
    for clients, wanted in ((1, 1.5), (8, 3), (16, 4)):
        if clients in options.clients and not options.no_peer:
            middle, least, most = ratio(rounds, clients, "speed", max, options)
            yield (f"generated tokens a second, {clients} at once", f"≥ {wanted} x llama-server",
                   f"{middle:.2f} x ({least:.2f} to {most:.2f})", middle >= wanted)
    if 8 in options.clients and not options.no_peer:
        middle, least, most = ratio(rounds, 8, "first", min, options)
        yield ("median time to the first token, 8 at once", "≤ 0.5 x llama-server",
               f"{middle:.2f} x ({least:.2f} to {most:.2f})", middle <= 0.5)
    if 16 in options.clients:
        share = median(rounds["orrery", 16], "share")
        yield "time in the model, 16 at once", "≥ 95 %", f"{100 * share:.1f} %", share >= 0.95
    worst = statistics.median(w for w, _ in gaps["orrery"])
    times = statistics.median(w / m for w, m in gaps["orrery"])
    peer = [statistics.median(w for w, _ in gaps[name]) for name in gaps if name != "orrery"]
    beside = f" (llama-server: {1000 * min(peer):.0f} ms)" if peer else ""
    yield ("worst gap of 4 streams while a prompt of 4,000 words comes", "≤ 150 ms",
           f"{1000 * worst:.0f} ms{beside}", worst <= 0.15)
    yield ("the same, to their median gap", "≤ 4 x", f"{times:.1f} x", times <= 4)
    count, second, restarted = prefix
    yield (f"first token behind {count:,} shared tokens, second request", "≤ 5 % of the first's",
           f"{100 * second:.1f} %", second <= 0.05)
    yield ("the same, after a restart", "≤ 20 %", f"{100 * restarted:.1f} %", restarted <= 0.2)


def page(rows, rounds, options, cpu):
    out = ["![Generated tokens a second and time to the first token, for each number of clients]"
           "(pictures/serving.svg)", "",
           f"`./dev bench serve`, {time.strftime('%Y-%m-%d')}, {cpu}, {os.cpu_count()} threads, "
           f"SmolLM2-135M-Instruct Q4_1, {options.rounds} rounds in turns, prompts of {WORDS} "
           f"words, {TOKENS} tokens each. Medians; in brackets the least and the most of the "
           f"rounds.", "", "| what | must reach | found | |", "|---|---|---|---|"]
    out += [f"| {what} | {wanted} | {found} | {'yes' if good else '**no**'} |"
            for what, wanted, found, good in rows]
    names = sorted({name for name, _ in rounds}, key=lambda n: n != "orrery")
    out += ["", "| clients | " + " | ".join(f"{n}: tok/s | first token" for n in names) + " |",
            "|---|" + "---|---|" * len(names)]
    for clients in options.clients:
        cells = [f"{median(rounds[n, clients], 'speed'):.0f} | "
                 f"{1000 * median(rounds[n, clients], 'first'):.0f} ms" for n in names]
        out.append(f"| {clients} | " + " | ".join(cells) + " |")
    return "\n".join(out)


def picture(rounds, options, cpu):
    def better(what, choose):
        return [statistics.median(best_peer(rounds, n, c, what, choose)
                                  for n in range(options.rounds)) for c in options.clients]

    def mine(what):
        return [median(rounds["orrery", c], what) for c in options.clients]
    about = f"{cpu}, SmolLM2-135M Q4_1, prompts of {WORDS} words, replies of {TOKENS} tokens"
    return chart.chart(
        "orrery serve beside llama-server", about, "clients at once", options.clients,
        [("generated tokens a second", [("orrery", mine("speed")),
                                        ("llama-server", better("speed", max))]),
         ("median seconds to the first token", [("orrery", mine("first")),
                                                ("llama-server", better("first", min))])])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", default="1,4,8,16",
                        type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--no-peer", action="store_true", help="measure orrery alone")
    parser.add_argument("--no-write", action="store_true", help="leave docs/ alone")
    options = parser.parse_args()
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())[1]
    servers = [ours(), *([] if options.no_peer else peers())]
    try:
        rounds = measure_load(servers, options)
        gaps = measure_gap(servers, options)
    finally:
        for server in servers:
            server.stop()
    rows = list(lines_of(rounds, gaps, measure_prefix(options), options))
    text = page(rows, rounds, options, cpu)
    print(text)
    if options.no_write or options.no_peer:
        return
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1],
                    encoding="utf-8")
    PICTURE.write_text(picture(rounds, options, cpu), encoding="utf-8")


if __name__ == "__main__":
    main()
