"""What the feed says beside what transformers saw (tests/golden/explorer, made by
tools/golden/explorer.py): probabilities, attention rows, experts and their weights."""

import math

import numpy as np

from feed import ROOT, Viewer, expect, of, serve

GOLDEN = ROOT / "tests" / "golden" / "explorer"
NEAR = 2e-3  # what issue 9 asks for; float32 sums in another order, weights of a row in 16 bits
CASES = ["llama_f32", "mixtral", "mistral_window", "deepseek_v3", "deepseek_v2_lite",
         "gpt_oss_bf16", "qwen3_moe"]


def near(found, wanted, what, limit=NEAR):
    worst = float(np.abs(np.asarray(found, float) - np.asarray(wanted, float)).max())
    expect(worst <= limit, f"{what}: off by {worst:.2e}, allowed is {limit}")


def whole_row(frame, length):
    """A row over all positions; what is masked is zero to the oracle and absent in the frame."""
    data, row = frame["data"], np.zeros(length)
    if data["positions"] is not None:
        row[data["positions"]] = data["weights"]
    else:
        row[data["first"]:data["first"] + data["keys"]] = data["weights"]
    return row


def check_probabilities(golden, frames):
    tokens = {f["step"]: f["data"] for f in of(frames, "token")}
    ids = golden["ids"].tolist()
    expect([tokens[i]["id"] for i in range(len(ids))] == ids, "the prompt's ids")
    found = [tokens[i]["logprob"] for i in range(1, len(ids))]
    near(found, golden["logprobs"], "log probabilities")
    near([tokens[i]["entropy"] for i in range(1, len(ids) + 1)], golden["entropy"], "entropies")
    last = golden["last"]
    best = np.argsort(-last, kind="stable")[:20]
    candidates = tokens[len(ids)]["candidates"]
    near([c["logprob"] for c in candidates], last[best], "the best candidates")
    expect(candidates[0]["id"] == best[0], "the best candidate's id")
    expect(tokens[len(ids)]["id"] == int(last.argmax()), "greedy takes the best")


def check_rows(golden, viewer, run):
    layers, heads, length = golden["rows"].shape
    for layer in range(layers):
        frames = viewer.get("rows", run=run, layer=layer, position=length - 1, format="json")
        expect(len(frames) == heads, f"{len(frames)} rows of {heads} heads")
        for head, frame in enumerate(frames):
            data = frame["data"]
            near(whole_row(frame, length), golden["rows"][layer, head], f"row {layer}.{head}")
            near(data["sum"], 1, f"the sum of row {layer}.{head}", 1e-3)
            expect(data["check_value"] < 1e-3, f"row x values of {layer}.{head}: "
                   f"{data['check_value']} off from what the kernel gave")


def check_matrix(golden, viewer, run):
    layer, head = golden["matrix_at"].tolist()
    wanted, length = golden["matrix"], len(golden["ids"])
    tile = viewer.get("tile", run=run, layer=layer, head=head, row0=0, row1=length, col0=0,
                      col1=length, size=256, format="json")["data"]
    found = np.array([[math.nan if v is None else v for v in row] for row in tile["max"]])
    expect(found.shape == wanted.shape, f"a tile of {found.shape}")
    near(np.nan_to_num(found), wanted, "the matrix")
    expect(np.isnan(found[np.triu_indices(length, 1)]).all(), "the future is masked")


def check_routes(golden, name, frames):
    layers = golden["expert_layers"].tolist()
    routes = {f["step"]: f["data"]["layers"] for f in of(frames, "route")}
    if not layers:
        expect(not routes, "a dense model has no routes")
        return
    for step in range(len(golden["ids"])):
        expect([r["layer"] for r in routes[step]] == layers, "the layers with experts")
        for at, route in enumerate(routes[step]):
            wanted = dict(zip(golden["experts"][at, step].tolist(),
                              golden["weights"][at, step].tolist()))
            found = {e["id"]: e["weight"] for e in route["experts"]}
            if route["margin"] < 1e-3:
                continue
            where = f"step {step} layer {layers[at]}"
            expect(found.keys() == wanted.keys(), f"{where}: {found} {wanted}")
            near([found[e] for e in wanted], list(wanted.values()), "router weights")


def check_window(golden, frames, window):
    """Which positions left, from the events; by the rule, from the prompt's length alone."""
    left = [e["position"] for f in of(frames, "kv") if not f["replay"]
            for e in f["data"]["events"] if e["kind"] == "leave"]
    computed = max(f["step"] for f in of(frames, "kv"))
    expect(left == list(range(computed - window + 1)), f"left: {left[:5]}.. of {computed}")


def case(name):
    def test():
        golden = np.load(GOLDEN / f"{name}.npz")
        with serve(name, "--exact") as server:
            viewer = Viewer(server)
            answer, frames = viewer.run(tokens=golden["ids"].tolist(), tokens_max=2,
                                        prompt_logprobs=True, ignore_eos=True,
                                        sampler={"temperature": 0})
            check_probabilities(golden, frames)
            check_routes(golden, name, frames)
            check_rows(golden, viewer, answer["run"])
            check_matrix(golden, viewer, answer["run"])
            stats = of(frames, "attn.stat")
            expect(stats, "no statistics")
            for stat in stats:
                expect(stat["data"]["check_sum"] < 1e-3, f"sums: {stat['data']['check_sum']}")
                expect(stat["data"]["check_value"] < 1e-3, f"values: {stat['data']['check_value']}")
            if name == "mistral_window":
                check_window(golden, frames, 16)
    return test


def tests():
    for name in CASES:
        yield f"the feed agrees with transformers: {name}", case(name)
