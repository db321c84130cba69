"""How a session behaves: runs, pauses, branches, resuming, both forms, slow readers, what-ifs."""

import json
import math
import struct
import time

from feed import Viewer, expect, of

IDS = [5, 9, 22, 31, 40, 17, 88, 120]


def text_of(frames):
    return [f["data"]["id"] for f in sorted(of(frames, "token"), key=lambda f: f["step"])]


def greedy(**more):
    return {"tokens": IDS, "sampler": {"temperature": 0}, "ignore_eos": True, **more}


def both_forms(server):
    viewer = Viewer(server)
    answer, frames = viewer.run(**greedy(tokens_max=8))
    twins = {f["seq"]: f for f in frames if f["seq"]}
    stream = viewer.stream(form="binary")
    seen = 0
    for channel, flags, seq, run, step, payload in stream.frames():
        if seq == 0:
            expect(flags & 4, "what stands before the stream is a replay")
            continue
        twin = twins.get(seq)
        if not twin or channel == "sys":
            continue
        expect((twin["channel"], twin["run"], twin["step"]) == (channel, run, step), f"frame {seq}")
        expect(bool(flags & 1) == twin["last"], f"frame {seq}: the last of its step")
        if channel == "token":
            ident, kind, logprob = struct.unpack("<IIf", payload[:12])
            expect(ident == twin["data"]["id"], "ids")
            expect((math.isnan(logprob) and twin["data"]["logprob"] is None)
                   or logprob == twin["data"]["logprob"], "log probabilities, to the bit")
        if channel == "resid":
            layers = struct.unpack("<I", payload[:4])[0]
            norms = list(struct.unpack(f"<{layers}f", payload[16:16 + 4 * layers]))
            expect(norms == twin["data"]["norm"], "norms, to the bit")
        seen += 1
        if seq == max(s for s in twins if twins[s]["channel"] == "run"):
            break
    stream.close()
    expect(seen > 20, f"only {seen} frames were compared")


def same_with_and_without_viewer(server):
    """Watching changes no bit: the same seed gives the same tokens and the same logits."""
    sampler = {"temperature": 1, "top_p": 0.9}
    plain = server.post("/v1/completions", {"prompt": IDS, "max_tokens": 24, "seed": 5,
                                            "temperature": 1, "top_p": 0.9, "ignore_eos": True,
                                            "logprobs": 1}).json()["choices"][0]["logprobs"]
    viewer = Viewer(server)
    all_channels = [c["name"] for c in server.get("/explorer/catalog").json()["channels"]]
    viewer.post("subscribe", {"channels": all_channels, "heads": [{"layer": 0, "head": 0}]})
    _, watched = viewer.run(tokens=IDS, tokens_max=24, seed=5, sampler=sampler, ignore_eos=True)
    viewer.post("subscribe", {"channels": []})
    answer = viewer.post("run", {"tokens": IDS, "tokens_max": 24, "seed": 5, "sampler": sampler,
                                 "ignore_eos": True})
    unwatched = viewer.wait(answer["run"], "ended")["tokens"]
    expect(text_of(watched) == unwatched, "watched and unwatched tokens differ")
    logprobs = [f["data"]["logprob"] for f in of(watched, "token")][len(IDS):]
    worst = max(abs(a - b) for a, b in zip(logprobs, plain["token_logprobs"]))
    expect(worst < 1e-5, f"log probabilities differ from the API's by {worst}")


def chain(server):
    viewer = Viewer(server)
    _, frames = viewer.run(tokens=IDS, tokens_max=12, seed=3, ignore_eos=True,
                           sampler={"temperature": 0.7, "top_k": 12, "top_p": 0.8, "min_p": 0.02})
    for frame in of(frames, "token"):
        data = frame["data"]
        if data["kind"] != "reply":
            continue
        names = [s["stage"] for s in data["stages"]]
        expect(names == ["raw", "temperature", "top_k", "top_p", "min_p"], f"stages {names}")
        counts = [s["survivors"] for s in data["stages"]]
        expect(counts == sorted(counts, reverse=True) and counts[2] == 12, f"survivors {counts}")
        kept = [c for c in data["candidates"] if c["dropped_by"] is None]
        expect(len(kept) == counts[-1], "who was kept")
        expect(abs(sum(c["probability"] for c in kept) - 1) < 1e-5, "probabilities sum to 1")
        expect(data["bar_begin"] <= data["u"] <= data["bar_end"] + 1e-7, "u lies in its part")
        # The temperature and the chain again, from the raw log probabilities of the frame.
        weights = [math.exp(c["logprob"] / 0.7) for c in kept]
        for c, w in zip(kept, weights):
            expect(abs(c["probability"] - w / sum(weights)) < 1e-4, "a probability after the chain")


def pause_step_resume(server):
    viewer = Viewer(server)
    run = viewer.post("run", greedy(tokens_max=200, paused=True))["run"]
    expect(viewer.state(run)["state"] == "paused", "begins paused")
    viewer.post("step", {"run": run, "count": 3})
    state = viewer.wait(run, "paused")
    expect(state["length"] == len(IDS) + 3, f"three tokens, not {state['length'] - len(IDS)}")
    viewer.post("step", {"run": run})
    expect(viewer.wait(run, "paused")["length"] == len(IDS) + 4, "one more")
    stream = viewer.stream()
    shown = next(f for f in stream.lines() if f["channel"] == "attn.topk")
    stream.close()
    expect(shown["step"] == len(IDS) + 1, "a pause shows the strongest keys of the last token")
    viewer.post("resume", {"run": run})
    expect(viewer.wait(run, "ended")["finish"] == "length", "goes on to its end")
    _, whole = viewer.run(**greedy(tokens_max=200))
    expect(viewer.state(run)["tokens"] == text_of(of(whole, "token", run=run + 1)),
           "pauses change no token")


def branches(server):
    viewer = Viewer(server)
    answer, frames = viewer.run(**greedy(tokens_max=20))
    run, text = answer["run"], text_of(frames)
    at = len(IDS) + 6
    same = viewer.post("branch", {"run": run, "position": at, "token": text[at], "tokens_max": 13})
    expect(viewer.wait(same["run"], "ended")["tokens"] == text, "the same token: the same text")
    other = (text[at] + 1) % 300 + 5
    forked = viewer.post("branch", {"run": run, "position": at, "token": other, "tokens_max": 10})
    found = viewer.wait(forked["run"], "ended")["tokens"]
    fresh = viewer.post("run", greedy(tokens_max=10) | {"tokens": text[:at] + [other]})
    expect(viewer.wait(fresh["run"], "ended")["tokens"] == found, "as a fresh run of that prefix")
    expect(viewer.state(run)["tokens"] == text, "the parent stays as it is")
    expect(viewer.state(forked["run"])["parent"] == run, "who its parent is")


def long_prompts(server):
    """Prompts of several chunks, with everything watched, on a server that has seen nothing yet."""
    names = [c["name"] for c in server.get("/explorer/catalog").json()["channels"]]
    for length in (63, 64, 65, 129, 200):
        viewer = Viewer(server)
        viewer.post("subscribe", {"channels": names, "heads": [{"layer": 0, "head": 0}]})
        _, frames = viewer.run(**greedy(tokens=(IDS * 25)[:length], tokens_max=3))
        expect(text_of(frames)[:length] == (IDS * 25)[:length], f"a prompt of {length}")
    server.check_alive()


def oldest_goes_first(server):
    """Room in the cache is made by the run that began first, whosever it is."""
    viewers, runs = [Viewer(server), Viewer(server)], []
    for number in range(5):
        viewer = viewers[number % 2]
        run = viewer.post("run", greedy(tokens_max=3))["run"]
        viewer.wait(run, "ended")
        runs.append((viewer, run))
    kept = [viewer.state(run)["in_cache"] for viewer, run in runs]
    expect(kept == [False, True, True, True, True], f"in the cache: {kept}")


def resume_by_sequence(server):
    viewer = Viewer(server)
    answer, frames = viewer.run(**greedy(tokens_max=16))
    numbers = [f["seq"] for f in frames if f["seq"]]
    expect(numbers == list(range(numbers[0], numbers[0] + len(numbers))), "numbers have gaps")
    middle = numbers[len(numbers) // 2]
    again = [f for f in viewer.until_rest(answer["run"], since=middle) if f["seq"]]
    expect(again[0]["seq"] == middle + 1, f"goes on at {again[0]['seq']}, not {middle + 1}")
    wanted = [f for f in frames if f["seq"] > middle]
    expect(again[:len(wanted)] == wanted, "the same frames again")


def streams_at_any_moment(server):
    """Streams that open while a run begins, goes on or ends: each has all frames after `since`."""
    viewer, last = Viewer(server), 0
    for number in range(60):
        run = viewer.post("run", greedy(tokens_max=1 + number % 5))["run"]
        time.sleep(0.0005 * (number % 7))
        numbers = [f["seq"] for f in viewer.until_rest(run, since=last) if f["seq"]]
        expect(numbers == list(range(last + 1, last + 1 + len(numbers))),
               f"after {last}, stream {number} told of {numbers[0]} to {numbers[-1]}")
        last = numbers[-1]


def slow_reader(server):
    """A viewer that stops reading: the run ends as fast, and the reader learns what it lost."""
    viewer = Viewer(server)
    channels = ["token", "route", "kv", "attn.row", "resid", "attn.stat"]
    viewer.post("subscribe", {"channels": channels,
                              "heads": [{"layer": 0, "head": h} for h in range(4)]})
    stream = viewer.stream(form="binary", receive=4096)
    stream.more()
    runs, begin = [], time.monotonic()
    for _ in range(30):
        run = viewer.post("run", greedy(tokens_max=240))["run"]
        viewer.wait(run, "ended", seconds=60)
        runs.append(run)
    seconds = time.monotonic() - begin
    server.check_alive()
    newest = viewer.get("state")["next_sequence"] - 1
    gap, last, thinned = None, 0, False
    for channel, flags, seq, _, _, payload in stream.frames():
        if channel == "gap":
            length = struct.unpack("<I", payload[:4])[0]
            gap = json.loads(payload[8:8 + length])
        if seq:
            expect(seq == last + 1 or (gap and seq == gap["to"] + 1), f"{seq} after {last}")
            last, thinned = seq, thinned or bool(flags & 2)
        if last >= newest:
            break
    stream.close()
    tokens = 30 * 240
    expect(seconds < 60, f"{tokens} tokens took {seconds:.1f} s")
    expect(gap is not None or thinned, "no gap and nothing thinned: the test reads too fast")
    expect(viewer.state(runs[-1])["length"] == len(IDS) + 240, "all tokens are there")


def what_ifs(server):
    viewer = Viewer(server)
    answer, frames = viewer.run(**greedy(tokens_max=60))
    run, before = answer["run"], viewer.state(answer["run"])["tokens"]

    def what(**change):
        return viewer.post("counterfactual", {"run": run, "count": 4, **change})

    full = what(window=100000)
    expect(full["kl_max"] < 1e-9 and full["top1_flips"] == 0, f"a window of all: {full['kl']}")
    pinned = what(window=4, sinks=100000)
    expect(pinned["kl_max"] < 1e-5, f"all keys pinned: {pinned['kl']}")
    small = what(window=2)
    expect(small["kl_mean"] > 1e-4, f"a window of 2 changes something: {small['kl']}")
    expect(what(window=2, sinks=4)["kl"] != small["kl"], "sinks change it again")
    expect(len(small["top1"]) == 4 and small["ms"] > 0, "positions and time")
    deep = what(window=2, recompute=True)
    expect(deep["kl"] != small["kl"], "with the whole text computed anew it is another number")
    position = before.index(frames and text_of(frames)[-2], len(IDS))
    sampled = viewer.post("counterfactual", {"run": run, "position": position,
                                             "sampler": {"temperature": 5, "top_k": 3}})
    expect([s["stage"] for s in sampled["stages"]] == ["raw", "temperature", "top_k"], "its chain")
    expect(viewer.state(run)["tokens"] == before, "nothing of the run has changed")
    again = viewer.post("resume", {"run": run, "tokens_max": 70})
    _, straight = viewer.run(**greedy(tokens_max=70))
    expect(viewer.wait(again["run"], "ended")["tokens"] ==
           viewer.wait(run + 1, "ended")["tokens"], "it goes on as if nothing had been tried")


def experts(server):
    viewer = Viewer(server)
    answer, frames = viewer.run(**greedy(tokens_max=30))
    steps = [f["step"] for f in of(frames, "route")]
    expect(steps == sorted(set(steps)), f"each token's experts are told once: {steps}")
    run = answer["run"]

    def what(**change):
        return viewer.post("counterfactual", {"run": run, "count": 4, **change})

    expect(what(experts_active=2)["kl_max"] < 1e-9, "as many as there are: nothing changes")
    expect(what(experts_active=1)["kl_mean"] > 1e-5, "fewer change something")
    expect(what(experts_active=8)["kl_mean"] > 1e-5, "all of them, too")
    last = max(of(frames, "route"), key=lambda f: f["step"])
    layers = last["data"]["layers"]
    chosen = {e["id"] for e in layers[0]["experts"]}
    unused = next(e for e in range(8) if e not in chosen)
    one = viewer.post("counterfactual", {"run": run, "position": last["step"], "experts_dropped":
                                         [{"layer": 0, "expert": unused}]})
    expect(one["kl_max"] < 1e-6, f"without an expert that was not asked: {one['kl']}")
    two = viewer.post("counterfactual", {"run": run, "position": last["step"], "experts_dropped":
                                         [{"layer": 0, "expert": min(chosen)}]})
    expect(two["kl_max"] > 1e-7, "without one that was")
    refused = viewer.ask("counterfactual", {"run": run, "experts_active": 9})
    expect(refused.status == 400 and refused.json()["code"] == "not_applicable", "9 of 8 experts")


def catalogue(server):
    catalog = server.get("/explorer/catalog").json()
    blocks, totals = catalog["blocks"], catalog["totals"]
    expect(sum(b["parameters"] for b in blocks) == totals["parameters"], "parameters")
    expect(sum(b["resident_bytes"] for b in blocks) == totals["weights_bytes"]
           or abs(sum(b["resident_bytes"] for b in blocks) - totals["weights_bytes"]) < 65536,
           "resident bytes")
    expect(sum(b["kv_bytes"] for b in blocks) == totals["kv_bytes_per_token"], "bytes of the cache")
    expect(sum(b["flops"] for b in blocks) == totals["flops_per_token"], "operations")
    pair = server.get("/explorer/compare?a=Llama-3-8B&b=Mixtral-8x7B").json()
    expect(pair["a"]["totals"]["parameters"] == 8030261248, "Llama 3 8B")
    expect(pair["b"]["totals"]["parameters"] == 46702792704, "Mixtral")
    for side in (pair["a"], pair["b"]):
        expect(sum(b["parameters"] for b in side["blocks"]) == side["totals"]["parameters"],
               f"the blocks of {side['model']['id']}")


def memory(server):
    viewer = Viewer(server)
    run = viewer.post("run", greedy(tokens_max=100))["run"]
    viewer.wait(run, "ended")
    frames = viewer.until_rest(run)
    snapshot = [f["data"] for f in of(frames, "kv") if f["replay"]][-1]
    held = next(r for r in snapshot["runs"] if r["run"] == run)
    expect(len(held["pages"]) == -(-held["length"] // 64), "as many pages as positions need")
    written = {}
    for frame in of(frames, "kv", run=run, replay=False):
        for event in frame["data"]["events"]:
            if event["kind"] == "write":
                written[event["position"]] = event["page"]
    expect(sorted(written) == list(range(held["length"])), "each position was written once")
    expect(all(held["pages"][p // 64] == page for p, page in written.items()), "to its page")
    sys = of(frames, "sys")
    if sys:
        data = sys[-1]["data"]
        parts = sum(data[k] for k in ("weights_bytes", "kv_bytes_used", "scratch_bytes",
                                      "explorer_bytes", "other_bytes"))
        expect(parts >= data["resident_bytes"], "the parts make up the whole")


def tests(server, moe):
    yield "both forms of the stream are one", lambda: both_forms(server)
    yield "watching changes no bit", lambda: same_with_and_without_viewer(server)
    yield "the sampler's chain, from its own numbers", lambda: chain(server)
    yield "pause, step, resume", lambda: pause_step_resume(server)
    yield "branches", lambda: branches(server)
    yield "prompts of several chunks", lambda: long_prompts(server)
    yield "the oldest run gives way", lambda: oldest_goes_first(server)
    yield "resume by sequence number", lambda: resume_by_sequence(server)
    yield "streams that open at any moment", lambda: streams_at_any_moment(server)
    yield "what if: windows, sinks, samplers", lambda: what_ifs(server)
    yield "what if: experts", lambda: experts(moe)
    yield "the catalogue adds up", lambda: catalogue(moe)
    yield "the cache's pages", lambda: memory(server)
    yield "a viewer that stops reading", lambda: slow_reader(server)
