"""What must work: choosing files, going on after a cut, tokens, names without a network."""

import os
import resource
import signal
import threading
import time

from hub_server import Hub, Repo
from sandbox import Sandbox, expect, golden
from split_gguf import split

NAME = "tiny/model"
WEIGHTS = "model.safetensors"


def folder_files():
    return golden("llama_bf16/hf")


def gguf_file(quant="Q8_0"):
    return golden(f"llama_{quant.lower()}", ".gguf")["model.gguf"]


def takes_what_makes_a_model():
    taken = folder_files()
    others = {"README.md": b"no", ".gitattributes": b"no", "pytorch_model.bin": b"no",
              "consolidated.safetensors": b"no", "onnx/model.onnx": b"no"}
    repo = Repo({**taken, **others})
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        out = box.pull(hub, NAME).fine().out
        box.check_pulled(NAME, repo, taken)
        expect(f"{len(taken)} files" in out and str(box.repo(NAME)) in out, out)
        expect("\x1b" not in out and "\r" not in out, "colours or a bar without a terminal")


def fetches_nothing_twice():
    repo = Repo(folder_files())
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        box.pull(hub, NAME).fine()
        hub.requests.clear()
        expect("0 B fetched" in box.pull(hub, NAME).fine().out, "something was fetched")
        expect(not hub.files_got(), f"{hub.files_got()} came again")


def mends_a_damaged_blob():
    repo = Repo(folder_files())
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        box.pull(hub, NAME).fine()
        blob = box.repo(NAME) / "blobs" / repo.key(WEIGHTS)
        data = bytearray(blob.read_bytes())
        data[100] ^= 1
        blob.write_bytes(data)
        box.pull(hub, NAME).fine()
        box.check_pulled(NAME, repo, repo.files)


def a_plain_listing_is_completed():
    repo = Repo(folder_files(), listing="bare")
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        box.pull(hub, NAME).fine()
        box.check_pulled(NAME, repo, repo.files)


def chooses_a_quant():
    files = {f"tiny-{q}.gguf": gguf_file(q) for q in ("Q4_0", "Q8_0")}
    repo = Repo({**files, "README.md": b"no"})
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        box.pull(hub, NAME).failed("Q4_0", "Q8_0")
        box.pull(hub, NAME + ":Q3_K_M").failed("Q4_0", "Q8_0")
        box.pull(hub, NAME + ":q8_0").fine()
        box.check_pulled(NAME, repo, ["tiny-Q8_0.gguf"])
        box.run(None, "inspect", NAME + ":Q8_0").fine()
        box.run(None, "inspect", NAME + ":Q4_0").failed("Q8_0")


def takes_the_usual_quant():
    files = {f"tiny-{q}.gguf": gguf_file(q) for q in ("Q4_K_M", "Q8_0")}
    repo = Repo(files)
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        expect("Q8_0" in box.pull(hub, NAME).fine().out, "the others are not told")
        box.check_pulled(NAME, repo, ["tiny-Q4_K_M.gguf"])


def takes_all_parts():
    parts = split(gguf_file(), 3)
    names = [f"tiny-Q8_0-{i + 1:05}-of-00003.gguf" for i in range(3)]
    repo = Repo({**dict(zip(names, parts)), "tiny-Q4_0.gguf": gguf_file("Q4_0")})
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        box.pull(hub, NAME + ":Q8_0").fine()
        box.check_pulled(NAME, repo, names)
        out = box.run(None, "inspect", NAME + ":Q8_0", "--json").fine().out
        expect('"parameters"' in out, out)
    del repo.files[names[1]]
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        box.pull(hub, NAME + ":Q8_0").failed("3 parts")


def cut_once(at):
    """The store breaks off after `at` bytes the first time, and is honest then."""
    cut = threading.Event()

    def answer(handler):
        if cut.is_set():
            handler.honest()
            return
        cut.set()
        data = handler.server.hub.stored[handler.path.split("/")[-1].split("?")[0]]
        handler.reply(200, {}, data[:at], length=len(data))

    return [("GET /lfs/", answer)]


def goes_on_in_a_run():
    repo = Repo(folder_files())
    with Hub({NAME: repo}, answers=cut_once(5000)) as hub, Sandbox() as box:
        box.pull(hub, NAME).fine()
        box.check_pulled(NAME, repo, repo.files)
        ranges = [r.headers.get("Range") for r in hub.requests if r.role == "store"]
        expect("bytes=5000-" in ranges, f"ranges {ranges}")


def leave_half(box, repo, data):
    path = box.repo(NAME) / "blobs" / (repo.key(WEIGHTS) + ".incomplete")
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return path


def goes_on_after_a_run():
    repo = Repo(folder_files())
    for ranges, half in ((True, repo.files[WEIGHTS][:7000]), (False, repo.files[WEIGHTS][:7000]),
                         (True, b"x" * 7000), (True, b"x" * (len(repo.files[WEIGHTS]) + 5)),
                         (True, repo.files[WEIGHTS])):
        with Hub({NAME: repo}, ranges=ranges) as hub, Sandbox() as box:
            leave_half(box, repo, half)
            box.pull(hub, NAME).fine()
            box.check_pulled(NAME, repo, repo.files)


def ends_when_it_is_told():
    repo = Repo(folder_files())

    def slow(handler):
        data = handler.server.hub.stored[handler.path.split("/")[-1].split("?")[0]]
        handler.reply(200, {}, data[:4000], length=len(data))
        handler.wfile.flush()
        time.sleep(5)

    def interrupt(process):
        time.sleep(1)
        process.send_signal(signal.SIGINT)

    with Hub({NAME: repo}, answers=[("GET /lfs/", slow)]) as hub, Sandbox() as box:
        start = time.monotonic()
        box.pull(hub, NAME, during=interrupt).failed("stopped")
        expect(time.monotonic() - start < 4, "it did not end at once")
        expect(not (box.repo(NAME) / "snapshots" / repo.commit).exists(), "a snapshot of a half")
        box.run(None, "inspect", NAME).failed()
        hub.answers = []
        box.pull(hub, NAME).fine()
        box.check_pulled(NAME, repo, repo.files)


def forgives_a_passing_problem():
    repo = Repo(folder_files())
    left = {"GET /api/": [500, 429], "GET /lfs/": [503, 502]}

    def answer(part):
        def tell(handler):
            if left[part]:
                handler.reply(left[part].pop(), {"Retry-After": "0"}, b"later")
            else:
                handler.honest()
        return (part, tell)

    with Hub({NAME: repo}, answers=[answer(part) for part in left]) as hub, Sandbox() as box:
        box.pull(hub, NAME).fine()
        box.check_pulled(NAME, repo, repo.files)


def fetches_several_at_once():
    files = {f"tiny-Q8_0-{i + 1:05}-of-00004.gguf": p for i, p in enumerate(split(gguf_file(), 4))}
    together = threading.Barrier(2, timeout=10)
    waited = []

    def answer(handler):
        if len(waited) < 2:
            waited.append(1)
            together.wait()
        handler.honest()

    repo = Repo(files)
    with Hub({NAME: repo}, answers=[("GET /lfs/", answer)]) as hub, Sandbox() as box:
        box.pull(hub, NAME).fine()
        box.check_pulled(NAME, repo, repo.files)


def two_at_once_fetch_once():
    repo = Repo(folder_files())

    def slow(handler):
        time.sleep(0.5)
        handler.honest()

    with Hub({NAME: repo}, answers=[("GET /lfs/", slow)]) as hub, Sandbox() as box:
        other = threading.Thread(target=lambda: box.pull(hub, NAME).fine())
        other.start()
        box.pull(hub, NAME).fine()
        other.join()
        box.check_pulled(NAME, repo, repo.files)
        expect(sum(r.role == "store" for r in hub.requests) == 1, "it came twice")


def the_token_stays_at_the_hub():
    repo = Repo(folder_files())

    def sent(hub, role):
        return {r.headers.get("Authorization") for r in hub.requests if r.role == role}

    def check(prepare=lambda box: {}):
        with Hub({NAME: repo}) as hub, Sandbox() as box:
            box.pull(hub, NAME, **prepare(box)).fine()
            expect(sent(hub, "hub") == {"Bearer hf_secret"}, f"the hub got {sent(hub, 'hub')}")
            expect(sent(hub, "store") == {None}, f"the store got {sent(hub, 'store')}")

    def in_home(box):
        (box.root / "hf").mkdir()
        (box.root / "hf" / "token").write_text("hf_secret\n")
        return {}

    def in_file(box):
        (box.desk / "secret").write_text("hf_secret")
        return {"HF_TOKEN_PATH": str(box.desk / "secret")}

    check(lambda box: {"HF_TOKEN": "hf_secret"})
    check(in_home)
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        path = in_file(box)
        outcome = box.pull(hub, NAME, **path).fine()
        expect("hf_secret" not in outcome.out + outcome.err, "the token is shown")
        expect(sent(hub, "hub") == {"Bearer hf_secret"}, f"the hub got {sent(hub, 'hub')}")
        box.pull(hub, NAME, HF_TOKEN="two\nlines: x").failed("token")


def revisions_have_names():
    repo = Repo(folder_files())
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        box.pull(hub, NAME + "@v1").fine()
        ref = box.repo(NAME) / "refs" / "v1"
        expect(ref.read_text() == repo.commit, "refs/v1 is wrong")
        box.pull(hub, NAME, "--revision", repo.commit).fine()
        box.run(None, "inspect", NAME + "@v1").fine()
        box.run(None, "inspect", f"{NAME}@{repo.commit}").fine()
        box.run(None, "inspect", NAME + "@v2").failed("v2")
        box.pull(hub, NAME + "@v7").failed("no such revision")


def names_work_without_a_network():
    repo = Repo(folder_files())
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        box.pull(hub, NAME).fine()
        ids = box.desk / "ids.json"
        ids.write_text("[1, 2, 3]")
        for name in (NAME, "TINY/Model", "model", "tiny/mod"):
            box.run(None, "generate", name, "--tokens", ids, "-n", "2").fine()
        box.run(None, "inspect", "tiny/other").failed("tiny/other")
        box.pull(None, NAME).failed("HF_ENDPOINT")
        box.pull(hub, NAME, HF_HUB_OFFLINE="1").failed("HF_HUB_OFFLINE")
        box.pull(None, NAME, HF_ENDPOINT="file:///etc").failed("HF_ENDPOINT")
        box.pull(None, NAME, HF_ENDPOINT="http://127.0.0.1:1").failed("connect")


def wrong_names_are_refused():
    with Hub({}) as hub, Sandbox() as box:
        for name in ("../x", "a/b/c", "/etc/passwd", "tiny", "tiny/", "/model", "a--b/c", "a/..",
                     "tiny/model:../x", "tiny/model@../x", "t\niny/model", "tiny/model:", "-x/y"):
            outcome = box.pull(hub, "--", name)
            expect(outcome.code == 1 and outcome.err.count("\n") == 1, f"{name}: {outcome}")
        expect(not hub.requests, "the hub was asked")


def traps_in_the_folder():
    """Links, pipes and folders in our places: nothing outside is touched, nothing waits."""
    repo = Repo(folder_files())
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        victim = box.desk / "victim"
        victim.write_text("untouched")
        half = leave_half(box, repo, b"")
        half.unlink()
        half.symlink_to(victim)
        try:
            box.pull(hub, NAME).fine()
        finally:
            expect(victim.read_text() == "untouched", "a link was followed")
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        half = leave_half(box, repo, b"")
        half.unlink()
        os.mkfifo(half)
        box.pull(hub, NAME).failed()
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        leave_half(box, repo, b"").with_name(repo.key(WEIGHTS)).mkdir()
        box.pull(hub, NAME).failed()


def a_full_disk_is_told():
    repo = Repo(folder_files())

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    with Hub({NAME: repo}) as hub, Sandbox() as box:
        box.pull(hub, NAME, before=limit).failed("cannot write")
        box.pull(hub, NAME).fine()
        box.check_pulled(NAME, repo, repo.files)


def tests():
    for test in (takes_what_makes_a_model, fetches_nothing_twice, mends_a_damaged_blob,
                 a_plain_listing_is_completed, chooses_a_quant, takes_the_usual_quant,
                 takes_all_parts, goes_on_in_a_run, goes_on_after_a_run, ends_when_it_is_told,
                 forgives_a_passing_problem, fetches_several_at_once, two_at_once_fetch_once,
                 the_token_stays_at_the_hub, revisions_have_names, names_work_without_a_network,
                 wrong_names_are_refused, traps_in_the_folder, a_full_disk_is_told):
        yield test.__name__.replace("_", " "), test
