"""A viewer: a session of `orrery serve --explorer`, its control and both forms of its stream."""

import json
import pathlib
import socket
import struct
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "serve"))
from server import ROOT, Broken, Server, expect  # noqa: E402,F401

MODELS = ROOT / "tests" / "golden" / "models"
CHANNELS = {0: "catalog", 1: "token", 2: "attn.stat", 3: "attn.row", 4: "attn.topk", 5: "attn.tile",
            6: "route", 7: "route.full", 8: "kv", 9: "resid", 12: "sys", 13: "run", 14: "gap"}


def serve(model, *flags):
    return Server(str(MODELS / model / "hf"), "--explorer", "--parallel", "2", *flags)


class Stream:
    """One GET /explorer/stream whose bytes are taken out of their chunks as they come."""

    def __init__(self, server, session, since=0, form="ndjson", receive=None):
        self.sock = socket.socket()
        if receive:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.sock.settimeout(20)
        self.sock.connect(("127.0.0.1", server.port))
        self.sock.sendall(f"GET /explorer/stream?session={session}&since={since}&format={form} "
                          f"HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        self.raw, self.data, self.head = b"", b"", None

    def more(self):
        """Reads something; False at the end."""
        got = self.sock.recv(1 << 16)
        if not got:
            return False
        self.raw += got
        if self.head is None:
            head, found, rest = self.raw.partition(b"\r\n\r\n")
            if not found:
                return True
            self.head, self.raw = head.decode(), rest
        while True:
            size, found, rest = self.raw.partition(b"\r\n")
            if not found or len(rest) < int(size, 16) + 2:
                return True
            length = int(size, 16)
            self.data, self.raw = self.data + rest[:length], rest[length + 2:]

    def lines(self):
        while True:
            while b"\n" in self.data:
                line, _, self.data = self.data.partition(b"\n")
                yield json.loads(line)
            if not self.more():
                return

    def frames(self):
        """(channel, flags, sequence, run, step, payload) of the binary form."""
        while True:
            while len(self.data) >= 32:
                magic, version, channel, flags, words, seq, run, step, _, size = struct.unpack(
                    "<HBBHHQIIII", self.data[:32])
                expect(
                    (magic, version, words) == (0x524F, 1, 8),
                    f"a frame of {magic, version, words}",
                )
                expect(size % 8 == 0, "a payload that is not padded")
                if len(self.data) < 32 + size:
                    break
                payload, self.data = self.data[32:32 + size], self.data[32 + size:]
                yield CHANNELS[channel], flags, seq, run, step, payload
            if not self.more():
                return

    def close(self):
        self.sock.close()


class Viewer:
    made = []  # all that have not been closed

    def __init__(self, server):
        self.server = server
        answer = self.post("session", {}, session=False)
        self.session = answer["session"]
        Viewer.made.append(self)

    @classmethod
    def close_all(cls):
        """A server has room for 16 sessions; those of a test that has ended are not needed."""
        while cls.made:
            viewer = cls.made.pop()
            if viewer.server.process.poll() is None:
                viewer.ask("close", {})

    def ask(self, name, body, session=True):
        if session:
            body = {"session": self.session, **body}
        return self.server.post(f"/explorer/{name}", body)

    def post(self, name, body, session=True):
        answer = self.ask(name, body, session)
        expect(answer.status == 200, f"{name}: {answer.status} {answer.body[:300]!r}")
        return answer.json()

    def get(self, name, **parameters):
        query = "&".join(f"{key}={value}" for key, value in parameters.items())
        answer = self.server.get(f"/explorer/{name}?session={self.session}&{query}")
        expect(answer.status == 200, f"{name}: {answer.status} {answer.body[:300]!r}")
        return answer.json()

    def stream(self, **options):
        return Stream(self.server, self.session, **options)

    def until_rest(self, run, since=0):
        """The frames of the session until the run has ended or pauses."""
        stream, frames = self.stream(since=since), []
        for frame in stream.lines():
            frames.append(frame)
            if frame["channel"] == "run" and frame["run"] == run and not frame["replay"] \
                    and frame["data"]["state"] in ("ended", "paused"):
                stream.close()
                return frames
        raise Broken("the stream ended before the run")

    def run(self, **request):
        """Runs to its end: its answer and its frames."""
        answer = self.post("run", request)
        return answer, self.until_rest(answer["run"])

    def state(self, run):
        return next(one for one in self.get("state")["runs"] if one["run"] == run)

    def wait(self, run, *states, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            state = self.state(run)
            if state["state"] in states:
                return state
            time.sleep(0.02)
        raise Broken(f"run {run} is {state['state']} after {seconds} s")


def of(frames, channel, **where):
    return [f for f in frames if f["channel"] == channel
            and all(f[key] == value for key, value in where.items())]
