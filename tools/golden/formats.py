#!/usr/bin/env python3
"""Writes tests/golden/formats/*.bin: blocks of every file format and PyPI gguf's floats of them.

Needs gguf==0.19.0 and numpy. Each file: u32 bytes, u32 floats, the bytes, the float32 values
(little endian). encode/*.bin: floats and the bytes that gguf makes of them, in the same form.
The blocks are random bytes, then blocks of one repeated byte (00, 7f, 80, ff, ...), so that extreme
scales, subnormal halves, infinities and NaNs are in it; a NaN is compared as a NaN, not by its
bits.
"""

import pathlib
import struct

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize

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
    "NVFP4",
    "IQ1_S",
    "IQ1_M",
    "IQ2_XXS",
    "IQ2_XS",
    "IQ2_S",
    "IQ3_XXS",
    "IQ3_S",
    "TQ1_0",
    "TQ2_0",
    "F8_E4M3",
    "F8_E5M2",
]
ENCODED = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"]
# PyTorch's names, for what GGUF does not have.
FLOAT8 = {"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2"}
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


def write(path, data, values):
    header = struct.pack("<II", len(data), values.size)
    path.write_bytes(header + data + values.tobytes())
    print(f"{path.stem}: {values.size} values")


def write_float8(name):
    """All 256 of them, four times."""
    import torch

    raw = np.tile(np.arange(256, dtype=np.uint8), 4)
    values = torch.from_numpy(raw).view(getattr(torch, FLOAT8[name])).to(torch.float32)
    write(OUT / f"{name}.bin", raw.tobytes(), values.numpy())


def write_encoded(name):
    """Blocks of normal values, of one value, with two largest magnitudes of opposite signs, with an
    outlier, near zero, with ties of the rounding. Nothing overflows a half, nor is so small that
    the inverse of the scale overflows: the cast that follows would be undefined."""
    rng = np.random.default_rng(T[name].value)
    rows = rng.standard_normal((16, 64)).astype(np.float32) * np.float32(0.05)
    rows[1] = 0
    rows[2] = -0.75
    rows[3, 5], rows[3, 9] = 2, -2
    rows[4, 40], rows[4, 50] = -2, 2
    rows[5, 17] = 300
    rows[6] *= np.float32(1e-7)
    rows[7] *= np.float32(1e-30)
    rows[8] = np.arange(64) - np.float32(31.5)
    rows[9] = (np.arange(64) % 16) / np.float32(2)
    rows[10] = abs(rows[10])
    with np.errstate(all="ignore"):
        encoded = quantize(rows, T[name])
    write(OUT / "encode" / f"{name}.bin", encoded.tobytes(), rows.reshape(-1))


def main():
    (OUT / "encode").mkdir(parents=True, exist_ok=True)
    for name in FORMATS:
        if name in FLOAT8:
            write_float8(name)
            continue
        elements, size = GGML_QUANT_SIZES[T[name]]
        raw = blocks(np.random.default_rng(len(name) * 1000 + T[name].value), elements, size)
        with np.errstate(all="ignore"):
            values = decode(name, raw).astype(np.float32).reshape(-1)
        write(OUT / f"{name}.bin", raw.tobytes(), values)
    for name in ENCODED:
        write_encoded(name)


main()
