"""A folder of its own for each test: home, cache and all that the program may touch, and the checks
that hold for every run of it."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build" / "release" / "orrery"
MODELS = ROOT / "tests" / "golden" / "models"
MEMORY_MAX = 512 << 20
SECONDS_MAX = 40
HUB_VARIABLES = ("HF_", "HUGGING", "XDG_", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY",
                 "TRANSFORMERS_")


class Broken(Exception):
    """What a check found."""


def expect(truth, what):
    if not truth:
        raise Broken(what)


@dataclass
class Outcome:
    code: int
    out: str
    err: str
    memory: int

    def fine(self):
        expect(self.code == 0, f"ended with {self.code}: {self.err.strip()}")
        return self

    def failed(self, *words):
        """One line on stderr with these words, exit code 1, nothing on stdout."""
        expect(self.code == 1, f"ended with {self.code}, not 1: {self.err.strip()} {self.out}")
        expect(self.err.startswith("orrery: error: ") and self.err.count("\n") == 1 and
               self.err.endswith("\n"), f"not one line: {self.err!r}")
        expect(not self.out, f"stdout has {self.out!r}")
        expect(len(self.err) < 2000, f"a line of {len(self.err)} bytes")
        for word in words:
            expect(word in self.err, f"no {word!r} in {self.err.strip()!r}")
        return self


class Sandbox:
    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="orrery-pull-"))
        self.home = self.root / "home"
        self.cache = self.root / "hf" / "hub"
        self.desk = self.root / "desk"  # what a test itself writes
        self.home.mkdir()
        self.desk.mkdir()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root, ignore_errors=True)

    def environment(self, hub, **more):
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(HUB_VARIABLES)}
        own = {"HOME": str(self.home), "HF_HOME": str(self.root / "hf"), "NO_PROXY": "*",
               "HF_HUB_DOWNLOAD_TIMEOUT": "2", "HF_HUB_DISABLE_TELEMETRY": "1",
               "HF_HUB_DISABLE_XET": "1"}
        if hub:
            own["HF_ENDPOINT"] = hub.url
        return {**kept, **own, **more}

    def run(self, hub, *arguments, before=None, during=None, **variables):
        """The program's outcome; `during(process)` runs beside it."""
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        process = subprocess.Popen(
            [str(PROGRAM), *arguments], cwd=self.home, env=self.environment(hub, **variables),
            stdin=subprocess.DEVNULL, stdout=out, stderr=err, preexec_fn=before,
            restore_signals=before is None)
        watch = threading.Timer(SECONDS_MAX, process.kill)
        watch.start()
        if during:
            during(process)
        _, status, usage = os.wait4(process.pid, 0)
        watch.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
            file.close()
        outcome = Outcome(process.returncode, *texts, usage.ru_maxrss * 1024)
        expect(outcome.code >= 0 or outcome.code == -signal.SIGTERM,
               f"died of signal {-outcome.code}")
        expect(outcome.memory < MEMORY_MAX, f"took {outcome.memory >> 20} MiB")
        self.check_folder()
        return outcome

    def pull(self, hub, *arguments, **more):
        return self.run(hub, "pull", *arguments, **more)

    def check_folder(self):
        """Nothing outside the cache, and no link in it that leads out of it."""
        outside = [p for p in self.root.rglob("*")
                   if not p.is_relative_to(self.cache) and not p.is_relative_to(self.desk)
                   and p not in (self.home, self.cache.parent)
                   and p != self.cache.parent / "token"]
        expect(not outside, f"written outside the cache: {outside}")
        for path in self.cache.rglob("*"):
            if path.is_symlink():
                target = pathlib.Path(os.path.normpath(path.parent / os.readlink(path)))
                expect(target.is_relative_to(self.cache), f"{path} leads to {target}")

    def repo(self, name):
        return self.cache / ("models--" + name.replace("/", "--"))

    def check_pulled(self, name, repo, paths):
        """These files and no others, with the right bytes, in the cache's layout; no leftovers."""
        folder = self.repo(name)
        snapshot = folder / "snapshots" / repo.commit
        there = sorted(str(p.relative_to(snapshot)) for p in snapshot.rglob("*") if not p.is_dir())
        expect(there == sorted(paths), f"the snapshot has {there}")
        for path in paths:
            link = snapshot / path
            depth = path.count("/") + 2
            wanted = "../" * depth + "blobs/" + repo.key(path)
            expect(link.is_symlink() and os.readlink(link) == wanted, f"{path} is no link {wanted}")
            expect(link.read_bytes() == repo.files[path], f"{path} has other bytes")
        blobs = sorted(p.name for p in (folder / "blobs").iterdir())
        expect(blobs == sorted({repo.key(path) for path in paths}), f"blobs: {blobs}")
        expect((folder / "refs" / "main").read_text() == repo.commit, "refs/main is wrong")


def golden(folder, ending=""):
    return {path.name: path.read_bytes() for path in sorted((MODELS / folder).iterdir())
            if path.is_file() and path.name.endswith(ending)}
