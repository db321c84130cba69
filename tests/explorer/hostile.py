"""What others may send to the Explorer."""

import time

from feed import MODELS, Server, Stream, Viewer, expect
from behaviour import greedy


def refused(answer, status, code):
    expect(answer.status == status, f"{answer.status} {answer.body[:200]!r}, not {status}")
    body = answer.json()
    expect(set(body) == {"code", "message", "hint"}, f"the form of {body}")
    expect(body["code"] == code, f"{body['code']}, not {code}")
    expect("\n" not in body["message"] and body["message"], "one line")


def bodies(server):
    viewer = Viewer(server)
    for body in ({"tokens": [1], "prompt": "a"}, {}, {"tokens": "x"}, {"tokens": [1.5]},
                 {"tokens": [-1]}, {"tokens": [10 ** 12]}, {"tokens": []},
                 {"messages": [{"role": 1}]}, {"prompt": ["a"]}, {"tokens": [5], "seed": -1},
                 {"tokens": [5], "seed": 1e300}, {"tokens": [5], "sampler": {"temperature": -1}},
                 {"tokens": [5], "sampler": {"temperature": 1e-9}}, {"tokens": [5], "sampler": 3},
                 {"tokens": [5], "tokens_max": 0}, {"tokens": [5], "stop": [""]}):
        refused(viewer.ask("run", body), 400, "bad_request")
    refused(viewer.ask("run", {"tokens": [5] * 1000}), 400, "does_not_fit")
    refused(server.post("/explorer/run", b"{"), 400, "bad_request")
    refused(server.post("/explorer/run", b"[" * 100000), 400, "bad_request")
    refused(server.post("/explorer/session", b"{}", content_type="text/plain"), 415, "bad_request")
    refused(server.post("/explorer/run", {"session": viewer.session, "prompt": "x" * (1 << 20)}),
            413, "bad_request")
    refused(viewer.ask("subscribe", {"channels": ["nothing"]}), 400, "unknown_channel")
    refused(viewer.ask("subscribe", {"heads": [{"layer": 99, "head": 0}]}), 400, "not_applicable")
    refused(viewer.ask("subscribe", {"heads": [{"layer": 0}]}), 400, "bad_request")
    refused(viewer.ask("subscribe", {"heads": [{"layer": 0, "head": 0}] * 9}), 400, "bad_request")
    refused(viewer.ask("pause", {"run": 7}), 404, "no_such_run")
    run = viewer.post("run", greedy(tokens_max=4))["run"]
    viewer.wait(run, "ended")
    refused(viewer.ask("step", {"run": run}), 409, "wrong_state")
    for body in ({"position": 0, "token": 5}, {"position": 99999, "token": 5},
                 {"position": 3, "token": 10 ** 9}, {"position": 3}, {"position": 3, "token": -1}):
        refused(viewer.ask("branch", {"run": run, **body}), 400, "bad_request")
    for body in ({"position": 999}, {"count": 65}, {"count": 12, "position": 3}):
        refused(viewer.ask("counterfactual", {"run": run, **body}), 400, "bad_request")
    refused(viewer.ask("counterfactual", {"run": run, "experts_active": 2}), 400, "not_applicable")


def addresses(server):
    viewer = Viewer(server)
    run = viewer.post("run", greedy(tokens_max=4))["run"]
    viewer.wait(run, "ended")
    at = f"/explorer/rows?session={viewer.session}&run={run}"
    for query in ("&layer=99", "&layer=x", "&head=99", "&position=999", "&format=xml", "&layer=%zz",
                  "&run=1", "&layer=-1", "&position=99999999999999999999999"):
        refused(server.get(at + query), 400, "bad_request")
    at = f"/explorer/tile?session={viewer.session}&run={run}"
    for query in ("&row0=5&row1=5", "&row1=999", "&col0=9&col1=3", "&size=1", "&size=999"):
        refused(server.get(at + query), 400, "bad_request")
    refused(server.get(f"/explorer/lens?session={viewer.session}"), 400, "not_built")
    refused(server.get("/explorer/compare?a=nothing&b="), 404, "not_found")
    refused(server.get("/explorer/nothing"), 404, "not_found")
    refused(server.get("/explorer/../etc/passwd"), 404, "not_found")
    refused(server.get("/explorer/assets/../../x"), 404, "not_found")
    refused(server.get("/explorer/run"), 405, "bad_request")
    refused(server.post("/explorer/catalog", {}), 405, "bad_request")
    refused(server.get(f"/explorer/stream?session={viewer.session}&format=x"), 400, "bad_request")
    refused(server.get(f"/explorer/stream?session={viewer.session}&since=x"), 400, "bad_request")


def capabilities(server):
    """Who has no id sees nothing, and one session's runs are not another's."""
    mine, other = Viewer(server), Viewer(server)
    run = mine.post("run", greedy(tokens_max=4))["run"]
    mine.wait(run, "ended")
    for path in ("state", "rows", "tile", "stream"):
        refused(server.get(f"/explorer/{path}?run={run}"), 404, "no_such_session")
        refused(server.get(f"/explorer/{path}?session={'0' * 32}"), 404, "no_such_session")
    refused(other.ask("pause", {"run": run}), 404, "no_such_run")
    refused(server.get(f"/explorer/rows?session={other.session}&run={run}"), 404, "no_such_run")
    expect(mine.session != other.session and len(mine.session) == 32, "ids are long and different")
    mine.post("close", {})
    refused(mine.ask("run", greedy()), 404, "no_such_session")


def strangers(server):
    for headers in ({"host": "evil.example"}, {"origin": "http://example.org"},
                    {"origin": "null"}):
        refused(server.get("/explorer/catalog", **headers), 403, "forbidden")
        refused(server.post("/explorer/session", {}, **headers), 403, "forbidden")
    own = f"http://127.0.0.1:{server.port}"
    expect(server.post("/explorer/session", {}, origin=own).status == 200, "its own page may")


def limits(server):
    viewer = Viewer(server)
    streams = [viewer.stream() for _ in range(4)]
    for stream in streams:
        stream.more()
    refused(server.get(f"/explorer/stream?session={viewer.session}"), 429, "too_many")
    for stream in streams:
        stream.close()
    end = time.monotonic() + 5
    while time.monotonic() < end:
        stream = Stream(server, viewer.session)
        while stream.head is None and stream.more():
            pass
        stream.close()
        if " 200 " in stream.head.splitlines()[0]:
            break
        time.sleep(0.1)
    else:
        expect(False, "streams that were closed are never forgotten")
    viewer.post("close", {})
    made = 0
    while made < 40:
        answer = server.post("/explorer/session", {})
        if answer.status != 200:
            break
        made += 1
    refused(answer, 429, "too_many")


def off():
    with Server(str(MODELS / "llama_f32" / "hf")) as server:
        for path in ("/explorer", "/explorer/", "/explorer/catalog", "/explorer/assets/x.js"):
            refused(server.get(path), 404, "explorer_off")
        refused(server.post("/explorer/session", {}), 404, "explorer_off")


def page(server):
    answer = server.get("/explorer/", accept_encoding="gzip")
    policy = answer.headers["content-security-policy"]
    expect(answer.status == 200 and "default-src 'self'" in policy,
           f"the page: {answer.status} {answer.headers}")
    expect(answer.headers["content-type"].startswith("text/html"), "is HTML")
    expect(server.get("/explorer").headers["location"] == "/explorer/", "with its stroke")
    home = server.get("/", accept="text/html,*/*")
    expect(home.status == 303, "browsers are sent on")
    expect(home.headers["location"] == "/explorer/", "to the page")
    expect(b"orrery is running" in server.get("/").body, "programs are not")
    if "etag" in answer.headers:
        again = server.get("/explorer/", if_none_match=answer.headers["etag"])
        expect(again.status == 304, "what is known is not sent again")


def ends(server_flags=("--explorer",)):
    """An open stream does not hold up the end."""
    with Server(str(MODELS / "llama_f32" / "hf"), *server_flags) as server:
        viewer = Viewer(server)
        run = viewer.post("run", greedy(tokens_max=30))["run"]
        stream = viewer.stream()
        stream.more()
        viewer.wait(run, "ended")
        expect(server.stop() == 0, "ends well")
        while stream.more():
            pass


def tests(server):
    yield "bodies that are wrong", lambda: bodies(server)
    yield "addresses that are wrong", lambda: addresses(server)
    yield "capabilities", lambda: capabilities(server)
    yield "other hosts and origins", lambda: strangers(server)
    yield "the page's files", lambda: page(server)
    yield "off without --explorer", off
    yield "SIGTERM with an open stream", ends
    yield "limits of streams and sessions", lambda: limits(server)
