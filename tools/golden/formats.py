#!/usr/bin/env python3
"""Writes tests/golden/formats/*.bin: blocks of every file format and PyPI gguf's floats of them.

Needs gguf==0.19.0 and numpy. Each file: u32 bytes, u32 floats, the bytes, the float32 values
(little endian).
The blocks are random bytes, then blocks of one repeated byte (00, 7f, 80, ff, ...), so that extreme
scales, subnormal halves, infinities and NaNs are in it; a NaN is compared as a NaN, not by its
bits.
"""

import pathlib
import struct

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize

FORMATS = [
    "F32",
    "F16",
    "BF16",
    "F64",
    "Q4_0",
    "Q4_1",
    "Q5_0",
    "Q5_1",
    "Q8_0",
    "Q2_K",
    "Q3_K",
    "Q4_K",
    "Q5_K",
    "Q6_K",
    "IQ4_NL",
    "IQ4_XS",
    "MXFP4",
]
OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "formats"


def blocks(rng, elements, size):
    count = max(8, 1024 // elements)
    random = rng.integers(0, 256, (count, size), dtype=np.uint8)
    repeated = np.array(
        [[byte] * size for byte in (0x00, 0x01, 0x3C, 0x7F, 0x80, 0xFF)], dtype=np.uint8
    )
    return np.concatenate([random, repeated])


def decode(name, raw):
    if name == "F64":
        return raw.view(np.float64).astype(np.float32)
    return dequantize(raw, T[name])


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name in FORMATS:
        elements, size = GGML_QUANT_SIZES[T[name]]
        raw = blocks(np.random.default_rng(len(name) * 1000 + T[name].value), elements, size)
        with np.errstate(all="ignore"):
            values = decode(name, raw).astype(np.float32).reshape(-1)
        data = raw.tobytes()
        header = struct.pack("<II", len(data), values.size)
        (OUT / f"{name}.bin").write_bytes(header + data + values.tobytes())
        print(f"{name}: {values.size} values")


main()
