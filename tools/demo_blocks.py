"""Blocks of quantised weights, made directly in the bytes of GGUF's formats.

Each maker gives blocks that decode to a bell curve of standard deviation SIGMA. demo_models.py cuts
its tensors from a pool of them.
"""

import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

# Small enough that activations stay tame in all layers.
SIGMA = 0.02
POOL_BLOCKS = 1 << 15


def half(values):
    """Floats [blocks] as the bytes [blocks, 2] of little-endian f16."""
    return np.ascontiguousarray(values.astype("<f2")).view(np.uint8).reshape(-1, 2)


def gaussian(rng, blocks, elements, low, high, sigma):
    """Integers [blocks, elements] as rounding a bell curve of `sigma` steps leaves them."""
    return np.clip(np.rint(rng.normal(0, sigma, (blocks, elements))), low, high).astype(np.int16)


def jitter(rng, shape, centre):
    """Scales near `centre`: real blocks differ by some ten percent."""
    return centre * rng.uniform(0.8, 1.2, shape)


def nibbles(low, high):
    return (low | (high << 4)).astype(np.uint8)


def q8_0(rng, blocks):
    # A block's largest of 32 is about 2.1 sigma, and it becomes 127.
    q = gaussian(rng, blocks, 32, -127, 127, 127 / 2.1).astype(np.int8).view(np.uint8)
    return np.hstack([half(jitter(rng, blocks, SIGMA * 2.1 / 127)), q])


def q4_0(rng, blocks):
    q = gaussian(rng, blocks, 32, -8, 7, 8 / 2.1) + 8
    return np.hstack([half(jitter(rng, blocks, SIGMA * 2.1 / 8)), nibbles(q[:, :16], q[:, 16:])])


def six_bits(scale):
    """Eight 6-bit scales [blocks, 8], and mins that equal them, in the 12 bytes of a k-quant."""
    packed = np.empty((len(scale), 12), np.uint8)
    packed[:, 0:4] = (scale[:, 0:4] & 63) | ((scale[:, 4:8] >> 4) << 6)
    packed[:, 4:8] = packed[:, 0:4]
    packed[:, 8:12] = nibbles(scale[:, 4:8] & 15, scale[:, 4:8] & 15)
    return packed


def q4_k(rng, blocks):
    """d, dmin, eight 6-bit scales and mins in 12 bytes, 128 of nibbles: w = d*sc*q - dmin*m."""
    q = gaussian(rng, blocks, 256, -7, 8, 7.5 / 2.1) + 7
    scale = rng.integers(40, 64, (blocks, 8), dtype=np.uint8)
    # The curve's middle is the nibble 7; with m = sc, dmin = 7 d takes just that away again.
    d = jitter(rng, blocks, SIGMA * 2.1 / 7.5 / 52)
    q = q.reshape(blocks, 4, 2, 32)
    data = nibbles(q[:, :, 0], q[:, :, 1]).reshape(blocks, 128)
    return np.hstack([half(d), half(d * 7), six_bits(scale), data])


def q5_k(rng, blocks):
    """As q4_k, and 32 bytes of fifth bits between scales and nibbles."""
    q = gaussian(rng, blocks, 256, -15, 16, 15.5 / 2.1) + 15
    scale = rng.integers(40, 64, (blocks, 8), dtype=np.uint8)
    d = jitter(rng, blocks, SIGMA * 2.1 / 15.5 / 52)
    q = q.reshape(blocks, 4, 2, 32)
    low = nibbles(q[:, :, 0] & 15, q[:, :, 1] & 15).reshape(blocks, 128)
    high = sum((q[:, part // 2, part % 2] >> 4) << part for part in range(8)).astype(np.uint8)
    return np.hstack([half(d), half(d * 15), six_bits(scale), high, low])


def q6_k(rng, blocks):
    """128 bytes of low nibbles, 64 of high bit pairs, 16 int8 scales, d: w = d * sc * (q - 32)."""
    q = (gaussian(rng, blocks, 256, -32, 31, 31 / 2.1) + 32).reshape(blocks, 2, 4, 32)
    low = np.concatenate(
        [
            nibbles(q[:, :, 0] & 15, q[:, :, 2] & 15)[:, :, None],
            nibbles(q[:, :, 1] & 15, q[:, :, 3] & 15)[:, :, None],
        ],
        axis=2,
    )
    high = sum((q[:, :, part] >> 4) << (2 * part) for part in range(4)).astype(np.uint8)
    scale = rng.integers(80, 128, (blocks, 16)) * rng.choice([-1, 1], (blocks, 16))
    scale = scale.astype(np.int8)
    d = half(jitter(rng, blocks, SIGMA * 2.1 / 31 / 104))
    return np.hstack([low.reshape(blocks, 128), high.reshape(blocks, 64), scale.view(np.uint8), d])


def bf16(rng, blocks):
    values = rng.normal(0, SIGMA, (blocks, 1)).astype("<f4")
    return (values.view("<u4") >> 16).astype("<u2").view(np.uint8)


MAKERS = {T.Q8_0: q8_0, T.Q4_0: q4_0, T.Q4_K: q4_k, T.Q5_K: q5_k, T.Q6_K: q6_k, T.BF16: bf16}


def pool(rng, kind):
    """Blocks [POOL_BLOCKS, bytes] that decode (by the gguf package) to the bell curve meant."""
    blocks = MAKERS[kind](rng, POOL_BLOCKS)
    values = gguf.quants.dequantize(blocks[:256], kind)
    if (
        not np.isfinite(values).all()
        or not 0.5 * SIGMA < values.std() < 2 * SIGMA
        or abs(values.mean()) > 0.2 * SIGMA
    ):
        sys.exit(f"demo_models: error: bad {kind.name} blocks: sigma {values.std()}")
    return blocks
