"""The hostile suite: each case gets a 4xx in the style of its API, or its connection closed, and
the next request is served."""

import json
import socket
import struct
import threading
import time

import hostile_cases
from server import expect, read_answers


def check_style(answer, path):
    expect(400 <= answer.status < 500, f"status {answer.status}: {answer.body[:300]!r}")
    body = answer.json()
    if path.startswith("/api/"):
        expect(isinstance(body.get("error"), str) and body["error"], f"not Ollama's: {body}")
    elif path.startswith("/v1/messages"):
        expect(body.get("type") == "error" and body["error"]["message"] and body["error"]["type"],
               f"not Anthropic's: {body}")
    else:
        error = body.get("error")
        expect(isinstance(error, dict) and error["message"] and error["type"] and
               "param" in error and "code" in error, f"not OpenAI's: {body}")


def body_case(server, path, body):
    answer = server.post(path, body.replace(b'"MODEL"', json.dumps(server.model).encode()))
    check_style(answer, path)
    server.check_alive()


def raw_case(server, data):
    for answer in server.raw(data):
        check_style(answer, "/v1")
    server.check_alive()


def half_requests(server):
    """Half a request, then gone: nothing stays behind."""
    good = hostile_cases.post(body=hostile_cases.GOOD)
    for cut in (1, 20, 60, 100, len(good) - 1):
        with server.connect() as sock:
            sock.sendall(good[:cut])
    server.check_alive()


def reset_requests(server):
    """A reset in the middle of a body."""
    with server.connect() as sock:
        sock.sendall(hostile_cases.post(length=1000, body=b"{"))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.check_alive()


def slow_header(server):
    """A byte a second: closed after the time for a header; others are served meanwhile."""
    begun = time.monotonic()
    with server.connect(timeout=30) as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\n")
        try:
            while time.monotonic() - begun < 20:
                sock.sendall(b"X")
                server.check_alive()
                time.sleep(1)
        except (BrokenPipeError, ConnectionResetError):
            pass
    expect(time.monotonic() - begun < 15, "a slow header is not closed")


def silent_connections(server):
    """200 that say nothing do not keep others out."""
    socks = [server.connect() for _ in range(200)]
    server.check_alive()
    for sock in socks:
        sock.close()


def pipelining(server):
    """Requests sent ahead are answered in order, also a broken one among them."""
    get = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    last = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    good = hostile_cases.post(body=hostile_cases.GOOD)
    bad = hostile_cases.post(body=b"{}")
    answers = server.raw(get * 50 + good + bad + get + last)
    codes = [answer.status for answer in answers]
    expect(codes == [200] * 51 + [400, 200, 200], f"{codes}")
    expect("choices" in answers[50].json() and "data" in answers[-1].json(), "out of order")


def pipelined_then_gone(server):
    """Many chats sent ahead, then gone: what is left is not computed for nobody."""
    body = json.dumps({"messages": hostile_cases.HI, "max_tokens": 2000,
                       "ignore_eos": True}).encode()
    with server.connect() as sock:
        sock.sendall(hostile_cases.post(body=body) * 50)
        time.sleep(0.3)
    wait_idle(server)


def running(server):
    text = server.get("/metrics").body.decode()
    return sum(float(line.split()[-1]) for line in text.splitlines()
               if line.startswith(("vllm:num_requests_running{", "vllm:num_requests_waiting{")))


def wait_idle(server, seconds=5):
    end = time.monotonic() + seconds
    while running(server) > 0:
        expect(time.monotonic() < end, f"still {running(server)} requests after {seconds} s")
        time.sleep(0.05)


def leaving(server, stream):
    """A client that leaves in the middle: its reply ends within a step."""
    body = json.dumps({"messages": hostile_cases.HI, "max_tokens": 4000, "ignore_eos": True,
                       "stream": stream}).encode()
    with server.connect() as sock:
        sock.sendall(hostile_cases.post(body=body))
        end = time.monotonic() + 10
        while running(server) == 0:
            expect(time.monotonic() < end, "it never ran")
        if stream:
            sock.recv(2000)
    begun = time.monotonic()
    wait_idle(server)
    expect(time.monotonic() - begun < 2, "noticed late")


def slow_reader(server):
    """One that does not read its stream costs the others nothing."""
    body = json.dumps({"messages": hostile_cases.HI, "max_tokens": 300, "ignore_eos": True,
                       "stream": True}).encode()
    with server.connect(timeout=60) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.sendall(hostile_cases.post(body=body, head="Connection: close\r\n"))
        expect(server.post(hostile_cases.CHAT, hostile_cases.GOOD).status == 200, "the other waits")
        wait_idle(server, 30)
        answers = read_answers(sock, 30)
        expect(len(answers) == 1 and b"[DONE]" in answers[0].body, "the slow one lost its stream")


def many_at_once(server):
    """Forty bad and good ones at once, each answered as alone."""
    codes, threads = [], []

    def one(bad):
        body = b'{"messages":5}' if bad else hostile_cases.GOOD
        codes.append((bad, server.post(hostile_cases.CHAT, body).status))
    for i in range(40):
        threads.append(threading.Thread(target=one, args=(i % 2 == 0,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    expect(len(codes) == 40 and all(status == (400 if bad else 200) for bad, status in codes),
           f"{codes}")


def memory_stays(server):
    """A hundred bodies of 7 MB leave nothing behind."""
    body = b'{"messages":5,"x":"' + b"y" * (7 << 20) + b'"}'
    for _ in range(3):
        server.post(hostile_cases.CHAT, body)
    before = server.memory()
    for _ in range(30):
        expect(server.post(hostile_cases.CHAT, body).status == 400, "taken")
    grown = server.memory() - before
    expect(grown < 40 << 20, f"memory grew by {grown >> 20} MB")


def tests(server):
    for name, path, body in hostile_cases.bodies():
        yield f"hostile body: {path}: {name}", lambda p=path, b=body: body_case(server, p, b)
    for name, data in hostile_cases.RAW:
        yield f"hostile HTTP: {name}", lambda d=data: raw_case(server, d)
    for test in (half_requests, reset_requests, slow_header, silent_connections, pipelining,
                 many_at_once, memory_stays, slow_reader, pipelined_then_gone):
        yield f"hostile: {test.__doc__}", lambda t=test: t(server)
    for stream in (True, False):
        yield (f"hostile: {leaving.__doc__} (stream {stream})",
               lambda s=stream: leaving(server, s))
