"""A server under mixed load and faults, for as long as is wanted, and what must hold all the while.

Clients chat, stream, share prompts, leave in the middle, send nonsense, flood the queue, read
slowly, send half a request. Meanwhile the disk of the cache folder is full now and then, and the
clock of the day jumps. Each request must end in exactly one way that its API knows, no answer may
be a 5xx, memory must stay flat, and at the end nothing may be left: no request, no page.
"""

import asyncio
import collections
import json
import os
import pathlib
import random
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import aiohttp

from load import client

FAKETIME = "libfaketimeMT.so.1"
PARALLEL, CONTEXT, QUEUE = 8, 1024, 24
MEMORY_SHARE = 0.02
BAD_BODIES = [
    b"", b"{", b"[]", b"null", b'{"messages":[]}', b'{"messages":"x"}', b"\xff\xfe" * 50,
    b'{"messages":[{"role":"user","content":"x"}],"temperature":NaN}',
    b'{"messages":[{"role":"user","content":"x"}],"max_tokens":-1}',
    b'{"messages":[{"role":"user","content":"x"}],"temperature":1e400}',
    b'{"messages":[{"role":"user","content":"x"}],"n":1000000}',
    b'{"messages":[{"role":"king","content":"x"}]}', b"[" * 100000, b'{"a":' * 100000,
    b'{"messages":[{"role":"user","content":"' + b"x" * (9 << 20) + b'"}]}']


class Wrong(Exception):
    """Something that must hold did not."""


class Server:
    """`orrery serve` whose clock can be moved and whose disk can be filled."""

    def __init__(self, program, model, folder):
        self.clock = pathlib.Path(folder) / "clock"
        self.clock.write_text("+0")
        self.log = open(pathlib.Path(folder) / "log", "w+b")
        found = next(iter(sorted(pathlib.Path("/usr/lib").glob(f"*/faketime/{FAKETIME}"))), None)
        if not found:
            raise Wrong("libfaketime is missing (Debian: libfaketime); ./dev installs it")
        environment = {**os.environ, "LD_PRELOAD": str(found), "FAKETIME_NO_CACHE": "1",
                       "FAKETIME_TIMESTAMP_FILE": str(self.clock),
                       "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}
        self.process = subprocess.Popen(
            [str(program), "serve", str(model), "--port", "0", "--alias", "default", "--quiet",
             "--parallel", str(PARALLEL), "--ctx", str(CONTEXT), "--queue", str(QUEUE),
             "--cache-dir", str(pathlib.Path(folder) / "pages")],
            stdout=subprocess.PIPE, stderr=self.log, env=environment, restore_signals=False,
            # A file that grows beyond its limit is an error then, as on a full disk, not the end.
            preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
        for line in self.process.stdout:
            if found := re.search(rb"http://[\w.:]+:(\d+)", line):
                self.url = f"http://127.0.0.1:{int(found[1])}"
                return
        raise Wrong(f"did not start: {self.log_text()}")

    def log_text(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-2000:]

    def memory(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) << 10

    def fill_disk(self, full):
        most = 4096 if full else resource.RLIM_INFINITY
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE,
                         (most, resource.RLIM_INFINITY))

    def move_clock(self, seconds):
        part = self.clock.with_suffix(".part")
        part.write_text(f"{seconds:+d}")
        part.replace(self.clock)


class Soak:
    def __init__(self, server, seed):
        self.server, self.random, self.counts = server, random.Random(seed), collections.Counter()
        self.stories = [client.words(200, f"story {i}") for i in range(4)]
        self.memory = []

    def body(self, **more):
        chosen = self.random
        text = chosen.choice([*self.stories, ""]) + client.words(chosen.randint(1, 60),
                                                                 chosen.random())
        return {"messages": [{"role": "user", "content": text}], "temperature": chosen.choice(
            [0, 1]), "max_completion_tokens": chosen.choice([1, 8, 40]), **more}

    def ended(self, how, status=200):
        if status >= 500:
            raise Wrong(f"status {status} to a request of kind '{how}'")
        self.counts[f"{how}: {status}"] += 1

    async def whole(self, http):
        async with http.post(self.server.url + "/v1/chat/completions", json=self.body()) as answer:
            reply = await answer.json()
            if answer.status == 200 and len(reply["choices"]) != 1:
                raise Wrong(f"{reply}")
            if answer.status == 429 and int(answer.headers["Retry-After"]) < 1:
                raise Wrong("429 without Retry-After")
            self.ended("whole", answer.status)
            await asyncio.sleep(answer.status == 429)

    async def stream(self, http, leave_after=None, pause=0):
        how = "slow" if pause else "stream" if leave_after is None else "leaves"
        ends, pieces = 0, 0
        async with http.post(self.server.url + "/v1/chat/completions",
                             json=self.body(stream=True)) as answer:
            if answer.status != 200:
                self.ended(how, answer.status)
                return await asyncio.sleep(1)
            async for line in answer.content:
                ends += line.startswith(b"data: [DONE]")
                pieces += line.startswith(b"data: {")
                if b'"error"' in line:
                    raise Wrong(f"an error in a stream: {line[:300]!r}")
                if leave_after is not None and pieces > leave_after:
                    break
                await asyncio.sleep(pause)
        if leave_after is None and ends != 1:
            raise Wrong(f"a stream ended {ends} times")
        return self.ended(how)

    async def leaves(self, http):
        await self.stream(http, leave_after=self.random.choice([0, 1, 5]))

    async def slow(self, http):
        await self.stream(http, pause=0.05)

    async def bad(self, http):
        body = self.random.choice(BAD_BODIES)
        try:
            async with http.post(self.server.url + self.random.choice(
                    ["/v1/chat/completions", "/v1/completions", "/v1/messages", "/api/chat"]),
                    data=body, headers={"Content-Type": "application/json"}) as answer:
                if answer.status == 200:
                    raise Wrong(f"200 to {body[:80]!r}")
                self.ended("bad", answer.status)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            self.ended("bad, closed")  # a body that is too large is not read to its end

    async def flood(self, http):
        await asyncio.gather(*(self.whole(http) for _ in range(2 * QUEUE)))

    async def half(self, _):
        port = int(self.server.url.rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900"
                     b"\r\n\r\n{" [:self.random.randint(1, 90)])
        await asyncio.sleep(self.random.random())
        writer.close()
        self.ended("half")
        del reader

    async def worker(self, http, end):
        kinds = [self.whole] * 6 + [self.stream] * 6 + [self.leaves] * 4 + [self.slow, self.half]
        kinds += [self.bad] * 4
        while time.monotonic() < end:
            kind = self.flood if self.random.random() < 0.01 else self.random.choice(kinds)
            await kind(http)

    async def faults(self, end):
        while time.monotonic() < end:
            self.server.fill_disk(self.random.random() < 0.3)
            self.server.move_clock(self.random.choice([0, 0, 86400, -86400, 3_000_000, -50_000]))
            if self.server.process.poll() is not None:
                raise Wrong(f"the server ended: {self.server.log_text()}")
            self.memory.append((time.monotonic(), self.server.memory()))
            await asyncio.sleep(1)
        self.server.fill_disk(False)

    async def warm_up(self, http):
        """Touches every page, so that what grows later is growth."""
        for begin in range(0, 3 * PARALLEL, PARALLEL):
            await asyncio.gather(*(self.long(http, begin + i) for i in range(PARALLEL)))

    async def long(self, http, number):
        body = {"prompt": client.words(500, f"long {number}"), "max_tokens": 200,
                "ignore_eos": True}
        async with http.post(self.server.url + "/v1/completions", json=body) as answer:
            await answer.read()

    async def run(self, seconds):
        async with client.session() as http:
            await self.warm_up(http)
            begun = time.monotonic()
            work = [self.worker(http, begun + seconds) for _ in range(2 * PARALLEL)]
            await asyncio.gather(self.faults(begun + seconds), *work)
            await asyncio.sleep(1)
            async with http.get(self.server.url + "/metrics") as answer:
                self.check_end(await answer.text())
        self.check_memory()

    def check_end(self, metrics):
        def value(name):
            return sum(float(v) for v in re.findall(rf"^{name}\{{\S* (\S+)$", metrics, re.M))
        taken, ended = value("orrery:requests_taken_total"), value("orrery:requests_ended_total")
        left = value("vllm:num_requests_running") + value("vllm:num_requests_waiting")
        if taken != ended or left or taken == 0:
            raise Wrong(f"{taken:.0f} requests taken, {ended:.0f} ended, {left:.0f} left")
        if value("vllm:kv_cache_usage_perc") != 0:
            raise Wrong("pages are still in use")
        self.counts["taken and ended"] = int(taken)

    def check_memory(self):
        """The median of the last quarter beside that of the second."""
        sizes = [size for _, size in self.memory]
        quarter = len(sizes) // 4
        if quarter < 3:
            return
        early = statistics.median(sizes[quarter:2 * quarter])
        late = statistics.median(sizes[-quarter:])
        self.counts["memory, MiB"] = int(late) >> 20
        if late > early * (1 + MEMORY_SHARE):
            raise Wrong(f"memory grew from {early / 2**20:.1f} to {late / 2**20:.1f} MiB")


def soak(program, model, seconds, seed):
    """Runs it; the counts of what happened. Raises Wrong."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(program, model, folder)
        run = Soak(server, seed)
        try:
            asyncio.run(run.run(seconds))
            server.process.terminate()
            if (code := server.process.wait(timeout=60)) != 0:
                raise Wrong(f"exit code {code}: {server.log_text()}")
        finally:
            if server.process.poll() is None:
                server.process.kill()
            server.log.close()
            if sys.exc_info()[0]:
                print(json.dumps(run.counts, indent=1), file=sys.stderr)
        return run.counts
