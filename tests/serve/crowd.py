"""Many clients at once: what 3,000 slow readers cost, and that 3,000 who leave are noticed."""

import json
import re
import selectors
import socket
import time

from server import ROOT, Server, expect

TINY = ROOT / "tests" / "golden" / "models" / "llama_f32" / "hf"
CROWD, TOKENS, PARALLEL = 3000, 24, 16
MEMORY_MAX = 60 << 20


def crowd_server():
    return Server(str(TINY), "--parallel", str(PARALLEL), "--ctx", "256", "--queue",
                  str(2 * CROWD), "--connections", str(2 * CROWD), "--quiet", "--alias", "default")


def request(tokens):
    body = json.dumps({"prompt": [1, 2, 3, 4, 5], "max_tokens": tokens, "ignore_eos": True,
                       "stream": True}).encode()
    return (b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
            b"\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)) + body


def arrive(server, tokens):
    """CROWD connections, each with its request sent."""
    sockets = []
    for _ in range(CROWD):
        sock = server.connect()
        # A small window, so that what is not read waits in the server.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        sock.sendall(request(tokens))
        sock.setblocking(False)
        sockets.append(sock)
    return sockets


def metric(server, name):
    text = server.get("/metrics").body.decode()
    return float(re.search(rf"^{name}\S* (\S+)$", text, re.M)[1])


def left(server):
    return sum(metric(server, f"vllm:num_requests_{what}") for what in ("running", "waiting"))


def slow_readers(_):
    """3,000 slow streaming clients at once all get their whole reply; they cost less than 60 MB."""
    with crowd_server() as server:
        for _ in range(3):  # touches what any request touches
            server.post("/v1/completions", {"prompt": [1] * 150, "max_tokens": 90, "n": PARALLEL})
        before, most = server.memory(), 0
        sockets = arrive(server, TOKENS)
        got = dict.fromkeys(sockets, b"")
        waiting = selectors.DefaultSelector()
        for sock in sockets:
            waiting.register(sock, selectors.EVENT_READ)
        end = time.monotonic() + 120
        while waiting.get_map() and time.monotonic() < end:
            for key, _ in waiting.select(1):
                more = key.fileobj.recv(512)  # a slow reader takes little at a time
                got[key.fileobj] += more
                if not more:
                    waiting.unregister(key.fileobj)
                    key.fileobj.close()
            most = max(most, server.memory())
            time.sleep(0.02)
        whole = sum(data.startswith(b"HTTP/1.1 200") and data.count(b"[DONE]") == 1
                    for data in got.values())
        expect(whole == CROWD, f"{whole} of {CROWD} got their reply")
        expect(most - before < MEMORY_MAX, f"{(most - before) / 2**20:.1f} MB more")


def all_leave(_):
    """3,000 clients that leave in mid-stream are all noticed, and no page is lost."""
    with crowd_server() as server:
        sockets = arrive(server, 200)
        while metric(server, "vllm:generation_tokens_total") < 100:
            time.sleep(0.01)
        expect(left(server) > CROWD / 2, "they were too quick")
        for sock in sockets:
            sock.close()
        begun = time.monotonic()
        while left(server):
            expect(time.monotonic() - begun < 10, f"{left(server)} still there after 10 s")
        expect(metric(server, "orrery:requests_taken_total")
               == metric(server, "orrery:requests_ended_total"), "not all ended")
        expect(metric(server, "vllm:kv_cache_usage_perc") == 0, "pages are still in use")
        server.check_alive()


def tests():
    for test in (slow_readers, all_leave):
        yield test.__doc__, lambda t=test: t(None)
