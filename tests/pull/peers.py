"""What the Python package huggingface_hub and this program find in each other's caches.

The package is pointed at the same server. It runs in a process of its own, since it reads its
environment once."""

import importlib.util
import json
import os
import subprocess
import sys

from hub_server import Hub, Repo
from sandbox import Sandbox, expect, golden

NAME = "tiny/model"


class Missing(Exception):
    pass


def python(box, hub, code, **variables):
    if not importlib.util.find_spec("huggingface_hub"):
        raise Missing("the package huggingface_hub is not installed")
    done = subprocess.run([sys.executable, "-c", "import huggingface_hub as h, json\n" + code],
                          env=box.environment(hub, **variables), cwd=box.home,
                          capture_output=True, text=True, timeout=60)
    expect(done.returncode == 0, f"huggingface_hub: {done.stderr[-600:]}")
    return json.loads(done.stdout)


def layout(box):
    """What counts in a repository's folder: blobs with their bytes, links, refs."""
    folder, found = box.repo(NAME), {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file() and not name.startswith("trees/"):
            found[name] = path.read_bytes()
    return found


def same_layout():
    repo = Repo({**golden("llama_bf16/hf"), "chat_template.jinja": b"{{ messages }}"})
    with Hub({NAME: repo}) as hub, Sandbox() as ours, Sandbox() as theirs:
        ours.pull(hub, NAME).fine()
        python(theirs, hub, f"print(json.dumps(h.snapshot_download('{NAME}')))")
        a, b = layout(ours), layout(theirs)
        expect(a == b, f"only here {sorted(set(a) - set(b))}, only there {sorted(set(b) - set(a))}")
        expect(len(a) == 2 * len(repo.files) + 1, f"{len(a)} entries")


def they_use_ours():
    repo = Repo({**golden("llama_bf16/hf"), "README.md": b"not taken", "sub/x.bin": b"nor this"})
    taken = list(golden("llama_bf16/hf"))
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        box.pull(hub, NAME).fine()
        hub.requests.clear()
        path = python(box, hub, f"print(json.dumps(h.snapshot_download('{NAME}', "
                                f"allow_patterns={taken})))")
        expect(path == str(box.repo(NAME) / "snapshots" / repo.commit), path)
        expect(not hub.files_got(), f"it fetched {hub.files_got()}")
        for file in taken:
            got = python(box, hub, f"print(json.dumps(h.hf_hub_download('{NAME}', '{file}')))",
                         HF_HUB_OFFLINE="1")
            expect(open(got, "rb").read() == repo.files[file], f"{file} is another")


def we_use_theirs():
    repo = Repo(golden("llama_bf16/hf"))
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        python(box, hub, f"print(json.dumps(h.snapshot_download('{NAME}')))")
        out = box.run(None, "inspect", NAME, "--json").fine().out
        expect(json.loads(out)["parameters"] > 0, out)
        hub.requests.clear()
        expect("0 B fetched" in box.pull(hub, NAME).fine().out, "it fetched something")
        expect(not hub.files_got(), f"it fetched {hub.files_got()}")
        box.check_pulled(NAME, repo, repo.files)


def we_use_their_gguf():
    files = {f"tiny-{q}.gguf": golden(f"llama_{q.lower()}", ".gguf")["model.gguf"]
             for q in ("Q4_K_M", "Q8_0")}
    repo = Repo(files)
    with Hub({NAME: repo}) as hub, Sandbox() as box:
        python(box, hub, f"print(json.dumps(h.hf_hub_download('{NAME}', 'tiny-Q8_0.gguf')))")
        box.run(None, "inspect", f"{NAME}:Q8_0").fine()
        box.run(None, "inspect", NAME).fine()
        box.run(None, "inspect", f"{NAME}:Q4_K_M").failed("Q8_0")


def tests():
    yield "huggingface_hub makes the same layout", same_layout
    yield "huggingface_hub uses what we pulled, without a download", they_use_ours
    yield "we use what huggingface_hub pulled, without a download", we_use_theirs
    yield "we use one GGUF file that huggingface_hub pulled", we_use_their_gguf
