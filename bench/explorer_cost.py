#!/usr/bin/env python3
"""What watching costs: decoding with and without a viewer, in turns.

    python3 bench/explorer_cost.py [--rounds 15] [--tokens 128] [MODEL]

Each round decodes the same greedy reply several times, in another order each: `plain` (a run of a
session without channels), `default` (the default channels, with a stream that another process
reads), `all` (every channel, four pinned heads), and the same prompt through /v1/completions, on a
server with --explorer where there is no session (`idle`) and on one without (`bare`). What is
compared are the times between the first token and the last as the server tells them; of the API's,
whole requests. Printed are medians of the ratios within each round, with their 95 % interval by the
binomial of the order statistics. With --cpu the servers have one thread and what is compared is the
CPU time of the whole process, which others on the machine disturb less than they do the clock;
watching is then a smaller part. Ends with 1 when a limit is passed for certain: default <= 2 %, no
viewer <= 0.3 %.
"""

import argparse
import json
import pathlib
import random
import re
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
DEFAULT_MAX, NO_VIEWER_MAX = 0.02, 0.003
READER = """import socket, sys
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
sock.sendall(f"GET {sys.argv[3]} HTTP/1.1\\r\\nHost: {sys.argv[1]}\\r\\n\\r\\n".encode())
room = bytearray(1 << 18)
while sock.recv_into(room):
    pass
"""
PROMPT = "The orbit of a planet is an ellipse with the sun at one focus. " * 3


class Server:
    def __init__(self, model, *flags):
        command = [str(ROOT / "build/release/orrery"), "serve", *([model] if model else []), "-q",
                   "--port", "0", "--parallel", "2", "--no-prefix-cache", *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = None
        while not self.url:
            line = self.process.stdout.readline()
            found = re.search(r"http://\S+?:\d+", line)
            self.url = found and found[0]
            if not line:
                sys.exit("the server did not start")

    def ask(self, path, body=None):
        request = urllib.request.Request(
            self.url + path, None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request, timeout=120))

    def cpu_seconds(self):
        threads = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(one.read_text().split()[0]) for one in threads) / 1e9

    def api_seconds(self, tokens):
        begin = time.perf_counter()
        self.ask("/v1/completions", {"prompt": PROMPT, "max_tokens": tokens, "temperature": 0,
                                     "ignore_eos": True})
        return time.perf_counter() - begin


class Watcher:
    """A session; with `channels` None the default ones, and a process that reads its stream."""

    def __init__(self, server, channels, heads=()):
        self.server, self.reader, self.last = server, None, 0
        self.session = server.ask("/explorer/session", {})["session"]
        if channels is not None:
            server.ask("/explorer/subscribe", {"session": self.session, "channels": channels,
                                               "heads": list(heads)})
        if channels != []:
            host, port = server.url.removeprefix("http://").split(":")
            self.reader = subprocess.Popen([sys.executable, "-c", READER, host, port,
                                            f"/explorer/stream?session={self.session}"])

    def seconds(self, tokens):
        run = self.server.ask("/explorer/run", {
            "session": self.session, "prompt": PROMPT, "tokens_max": tokens, "ignore_eos": True,
            "sampler": {"temperature": 0}})["run"]
        time.sleep(self.last)  # asking while it runs would be a part of what is measured
        while True:
            time.sleep(0.05)
            runs = self.server.ask(f"/explorer/state?session={self.session}")["runs"]
            state = next(one for one in runs if one["run"] == run)
            if state["state"] == "ended":
                self.last = state["wall_ms"] / 1000
                return self.last


def interval(values):
    """Median, and the order statistics that hold it with 95 %."""
    ordered, n = sorted(values), len(values)
    from math import comb
    low, total = 0, 0
    while low < n // 2 and (total + comb(n, low)) / 2 ** n < 0.025:
        total += comb(n, low)
        low += 1
    low = max(0, low - 1)
    return ordered[n // 2], ordered[low], ordered[n - 1 - low]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--cpu", action="store_true")
    flags = parser.parse_args()
    threads = ["--threads", "1"] if flags.cpu else []
    watched = Server(flags.model, "--explorer", *threads)
    idle, bare = Server(flags.model, "--explorer", *threads), Server(flags.model, *threads)
    names = [c["name"] for c in watched.ask("/explorer/catalog")["channels"]]
    engine = watched.ask("/explorer/catalog")["engine"]
    heads = [{"layer": 0, "head": h} for h in range(4)]
    watchers = {"plain": Watcher(watched, []), "default": Watcher(watched, None),
                "all": Watcher(watched, names, heads)}
    ways = {way: (watched, watcher.seconds) for way, watcher in watchers.items()}
    ways |= {"idle": (idle, idle.api_seconds), "bare": (bare, bare.api_seconds)}
    times = {way: [] for way in ways}
    for number in range(flags.rounds + 1):
        for way in random.sample(list(ways), len(ways)):
            server, decode = ways[way]
            before = server.cpu_seconds()
            seconds = decode(flags.tokens)
            if flags.cpu:
                seconds = server.cpu_seconds() - before
            if number:  # the first is a warm-up
                times[way].append(seconds)
    print(f"{engine['cpu']}, rung {engine['isa']}, {engine['threads']} threads, "
          f"{flags.rounds} rounds of {flags.tokens} tokens")
    for way, of in times.items():
        print(f"  {way}: {1e6 * sorted(of)[len(of) // 2] / flags.tokens:.0f} us a token"
              f"{' of CPU' if flags.cpu else ''}")
    bad = False
    for name, way, base, limit in (("default channels", "default", "plain", DEFAULT_MAX),
                                   ("all channels", "all", "plain", None),
                                   ("no viewer", "idle", "bare", NO_VIEWER_MAX)):
        ratios = [a / b - 1 for a, b in zip(times[way], times[base])]
        middle, low, high = interval(ratios)
        verdict = "" if limit is None else f", limit {100 * limit:.1f} %"
        print(f"{name}: {100 * middle:+.2f} % ({100 * low:+.2f} to {100 * high:+.2f}){verdict}")
        bad |= limit is not None and low > limit
    for watcher in watchers.values():
        if watcher.reader:
            watcher.reader.kill()
    for server in (watched, idle, bare):
        server.process.terminate()
        server.process.wait()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
