"""The real `orrery serve` as a process of its own, and plain HTTP to it, also broken HTTP."""

import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("ORRERY_PROGRAM", ROOT / "build" / "release" / "orrery"))
START_SECONDS = 60


class Broken(Exception):
    """What a check found."""


def expect(truth, what):
    if not truth:
        raise Broken(what)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            raise Broken(f"no JSON: {self.body[:300]!r}") from None

    def lines(self):
        """The JSON objects of an event stream, or of ndjson."""
        for line in self.body.decode().splitlines():
            line = line.removeprefix("data: ")
            if line.startswith("{"):
                yield json.loads(line)


class Server:
    def __init__(self, *arguments):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [str(PROGRAM), "serve", "--port", "0", *arguments], stdout=subprocess.PIPE,
            stderr=self.log, stdin=subprocess.DEVNULL)
        self.port = self._wait_for_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.model = self.get("/v1/models").json().get("data", [{}])[0].get("id")

    def _wait_for_port(self):
        end, text = time.monotonic() + START_SECONDS, ""
        while time.monotonic() < end:
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                text += os.read(self.process.stdout.fileno(), 4096).decode()
                found = re.search(r"http://[\w.\[\]:]*:(\d+)\n", text)
                if found:
                    return int(found[1])
            if self.process.poll() is not None:
                break
        raise Broken(f"did not start: {text} {self.log_text()}")

    def log_text(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def stop(self, seconds=10):
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Broken(f"still runs {seconds} s after SIGTERM") from None

    def memory(self):
        """Resident bytes."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) << 10

    # --- requests ---

    def connect(self, timeout=10):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def raw(self, data, timeout=20):
        """Sends these bytes on a connection of their own; the answers, until it is closed."""
        with self.connect(timeout) as sock:
            try:
                sock.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return read_answers(sock, timeout)

    def get(self, path, **headers):
        return self.ask("GET", path, None, **headers)

    def post(self, path, body, **headers):
        return self.ask("POST", path, body, **headers)

    def ask(self, method, path, body=None, timeout=60, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None \
            else b""
        lines = {"host": f"127.0.0.1:{self.port}", "connection": "close"}
        if body is not None:
            lines["content-type"] = "application/json"
            lines["content-length"] = str(len(data))
        lines |= {name.replace("_", "-").lower(): value for name, value in headers.items()}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
        answers = self.raw(head.encode() + b"\r\n" + data, timeout)
        expect(len(answers) == 1, f"{len(answers)} answers to {method} {path}")
        return answers[0]

    def check_alive(self):
        """The next request is served."""
        expect(self.process.poll() is None, f"the server ended with {self.process.poll()}")
        expect(self.get("/health").status == 200, "no /health any more")


def read_answers(sock, timeout=20):
    """Every complete answer that comes before the other side closes."""
    data, end = b"", time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            more = sock.recv(1 << 16)
        except ConnectionResetError:
            break
        except (TimeoutError, socket.timeout):
            raise Broken("hangs") from None
        if not more:
            break
        data += more
    answers = []
    while data:
        answer, data = parse_answer(data)
        if answer is None:
            break
        if answer.status != 100:
            answers.append(answer)
    return answers


def parse_answer(data):
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        return None, b""
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in
               (line.partition(":") for line in lines)}
    status = int(first.split()[1])
    if status in (100, 204):
        return Answer(status, headers, b""), rest
    if "content-length" in headers:
        length = int(headers["content-length"])
        expect(len(rest) >= length or first, "a cut body")
        return Answer(status, headers, rest[:length]), rest[length:]
    if headers.get("transfer-encoding") != "chunked":
        return Answer(status, headers, rest), b""
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size or b"0", 16)
        body += rest[:length]
        rest = rest[length + 2:]
        if length == 0:
            return Answer(status, headers, body), rest
