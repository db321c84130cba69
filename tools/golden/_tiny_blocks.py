"""Quantised blocks for tiny checkpoints. Formats that gguf can encode are encoded from the weights;
of the others, whole blocks are drawn at random (every code is legal) and then only their scales are
set, so no other library is needed."""

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

# Of the formats that gguf cannot encode: where each block's f16 scale lies, and the same for the
# minimum (None: symmetric codes).
RANDOM_BLOCKS = {
    "Q2_K": (80, 82),
    "Q3_K": (108, None),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (208, None),
    "IQ4_NL": (0, None),
    "IQ4_XS": (0, None),
}


def set_minima(rng, form: str, data: np.ndarray) -> None:
    """Draws the scales and minima of a block's parts so that the minimum cancels the middle code,
    as an encoder leaves it; independent ones would give every part a far-off mean."""
    if form == "Q2_K":
        scale = rng.integers(3, 16, (len(data), 16), dtype=np.uint8)
        data[:, :16] = scale | np.clip(scale + rng.integers(-2, 3, scale.shape), 0, 15) << 4
    if form in ("Q4_K", "Q5_K"):
        scale = rng.integers(12, 64, (len(data), 8), dtype=np.uint8)
        low = np.clip(scale + rng.integers(-6, 7, scale.shape), 0, 63).astype(np.uint8)
        data[:, 4:8] = scale[:, :4] | scale[:, 4:] >> 4 << 6
        data[:, 8:12] = low[:, :4] | low[:, 4:] >> 4 << 6
        data[:, 12:16] = scale[:, 4:] & 15 | (low[:, 4:] & 15) << 4


def random_blocks(rng, form: str, shape, std: float) -> np.ndarray:
    """Bytes of a matrix in `form` whose values have mean about 0 and this standard deviation."""
    kind = Type[form]
    block, size = gguf.GGML_QUANT_SIZES[kind]
    scale_at, minimum_at = RANDOM_BLOCKS[form]
    data = rng.integers(0, 256, (shape[0] * shape[1] // block, size), dtype=np.uint8)
    set_minima(rng, form, data)

    def put(at, values):
        data[:, at : at + 2] = values.astype("<f2").view(np.uint8).reshape(-1, 2)

    # Scales differ from block to block by up to a factor 3. The minimum is measured, not derived:
    # values = d * A - m * B, so its share is mean(A) / mean(B).
    steps = rng.uniform(0.5, 1.5, len(data))
    if minimum_at is not None:
        put(scale_at, np.ones(len(data)))
        put(minimum_at, np.zeros(len(data)))
        a = gguf.dequantize(data, kind).mean()
        put(scale_at, np.zeros(len(data)))
        put(minimum_at, np.ones(len(data)))
        share = -a / gguf.dequantize(data, kind).mean()
        put(minimum_at, steps * share)
    put(scale_at, steps)
    unit = gguf.dequantize(data, kind).std()
    if minimum_at is not None:
        put(minimum_at, steps * share * std / unit)
    put(scale_at, steps * std / unit)
    return data.reshape(shape[0], -1)


def encode(rng, form: str, array: np.ndarray) -> tuple[np.ndarray, Type]:
    """A float32 matrix as (bytes, type) of `form`; only the spread of the values is kept where the
    blocks are drawn."""
    if form in RANDOM_BLOCKS:
        return random_blocks(rng, form, array.shape, float(array.std())), Type[form]
    return gguf.quantize(array, Type[form]), Type[form]
