"""The changes: each is one lie in one file of a model, made when it is asked for."""

import json
import random
import struct
from dataclasses import dataclass
from typing import Callable

VALUES = [
    *(0, -1, 1, 3, 7, 2**31, 2**63, 2**70, 1e300, -0.5, True, None),
    *("x", "", [], [1, 2, 3], [-1], ["x"], {}),
]
UNSIGNED = [0, 1, 3, 7, 65536, 2**31 - 1, 2**31, 2**32 - 1]
FLOATS = [0.0, -1.0, float("nan"), float("inf"), 1e30, 1e-30]
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # of GGUF's types
TENSORS = 8  # of each file, taken at random
IGNORED = ("transformers_version", "dtype", "torch_dtype", "_name_or_path")


@dataclass
class Change:
    kind: str  # "gguf" or "hf"
    file: str
    what: str
    bytes: Callable[[], bytes]  # the whole file, changed


def of(model, seed):
    """All changes of the model in this folder."""
    chance = random.Random(f"{seed} {model.name}")
    if (model / "hf/config.json").exists():
        yield from of_config(model / "hf/config.json")
    if (model / "hf/model.safetensors").exists():
        yield from of_safetensors(model / "hf/model.safetensors", chance)
    if (model / "model.gguf").exists():
        yield from of_gguf(model / "model.gguf", chance)


def paths_in(settings, before=()):
    for key, value in settings.items():
        if key in IGNORED:
            continue
        yield (*before, key)
        if isinstance(value, dict):
            yield from paths_in(value, (*before, key))


def with_value(file, path, value, remove=False):
    settings = json.loads(file.read_text())
    place = settings
    for key in path[:-1]:
        place = place[key]
    if remove:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(settings).encode()


def of_config(file):
    for path in paths_in(json.loads(file.read_text())):
        name = ".".join(path)
        for value in VALUES:
            yield Change("hf", file.name, f"{name} = {value!r}",
                         lambda p=path, v=value: with_value(file, p, v))
        yield Change("hf", file.name, f"{name} gone",
                     lambda p=path: with_value(file, p, None, remove=True))


def with_header(file, change):
    data = file.read_bytes()
    length = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def of_safetensors(file, chance):
    data = file.read_bytes()
    header = json.loads(data[8 : 8 + struct.unpack_from("<Q", data)[0]])
    names = sorted(name for name in header if name != "__metadata__")
    for name in chance.sample(names, min(TENSORS, len(names))):
        begin, end = header[name]["data_offsets"]
        turned = header[name]["shape"][::-1]
        lies = {
            "dtype": ["F64", "I64", "U8", "BF16", "F8_E4M3", "BOOL", "", 7],
            "shape": [[], [0], [2**63], [2**40, 2**40], [-1], [1] * 99, turned],
            "data_offsets": [[0, 2**63], [end, begin], [begin + 1, end + 1], [begin], [0, 0]],
        }
        for field, values in lies.items():
            for value in values:
                yield Change("hf", file.name, f"{name}: {field} = {value!r}"[:120],
                             lambda n=name, f=field, v=value:
                             with_header(file, lambda h: h[n].update({f: v})))
        yield Change("hf", file.name, f"{name} gone",
                     lambda n=name: with_header(file, lambda h: h.pop(n)))


def places_in(data):
    """Of a GGUF file: (key, where its name is, type, where its value is), and (tensor, where its
    sizes are)."""
    tensors, keys = struct.unpack_from("<QQ", data, 8)
    at = 24

    def text():
        nonlocal at
        length = struct.unpack_from("<Q", data, at)[0]
        at += 8 + length
        return data[at - length : at].decode(errors="replace"), at - length

    def skip(kind):
        nonlocal at
        if kind in SIZES:
            at += SIZES[kind]
        elif kind == 8:
            text()
        else:
            inner, count = struct.unpack_from("<IQ", data, at)
            at += 12
            for _ in range(count):
                skip(inner)

    found_keys, found_tensors = [], []
    for _ in range(keys):
        key, where = text()
        kind = struct.unpack_from("<I", data, at)[0]
        at += 4
        found_keys.append((key, where, kind, at))
        skip(kind)
    for _ in range(tensors):
        name, _ = text()
        found_tensors.append((name, at))
        at += 4 + 8 * struct.unpack_from("<I", data, at)[0] + 12
    return found_keys, found_tensors


def of_gguf(file, chance):
    data = file.read_bytes()

    def patched(what, at, part):
        return Change("gguf", file.name, what,
                      lambda: data[:at] + part + data[at + len(part) :])

    keys, tensors = places_in(data)
    for key, where, kind, at in keys:
        if key.startswith("tokenizer."):
            continue
        yield patched(f"{key} renamed", where + len(key) - 1, b"Z")
        other = chance.choice([0, 5, 6, 7, 8, 9, 10, 12, 99])
        yield patched(f"{key} of type {other}", at - 4, struct.pack("<I", other))
        if kind in (4, 5):
            for value in UNSIGNED:
                yield patched(f"{key} = {value}", at, struct.pack("<I", value))
        if kind == 6:
            for value in FLOATS:
                yield patched(f"{key} = {value}", at, struct.pack("<f", value))
        if kind == 7:
            for value in (1 - data[at], 7):
                yield patched(f"{key} = {value}", at, bytes([value]))
        if kind == 9:
            count = chance.choice([0, 1, 2**40, 2**62])
            yield patched(f"{key} of {count} values", at + 4, struct.pack("<Q", count))
    for name, at in chance.sample(tensors, min(TENSORS, len(tensors))):
        kind_at = at + 4 + 8 * struct.unpack_from("<I", data, at)[0]
        for kind in range(45):
            yield patched(f"{name} in format {kind}", kind_at, struct.pack("<I", kind))
        for size in (0, 1, 31, 32, 2**31, 2**63):
            yield patched(f"{name} with a side of {size}", at + 4, struct.pack("<Q", size))
        for offset in (0, 32, 33, 2**40, 2**63):
            yield patched(f"{name} at {offset}", kind_at + 4, struct.pack("<Q", offset))
