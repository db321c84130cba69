#!/usr/bin/env python3
"""Writes a model of random weights in the shape of a 1B Llama 3.2: a GGUF file to measure with.

It talks nonsense, but costs what a real one costs: the tensors, their formats (as llama-quantize
would choose them) and their sizes are those of a real file. Blocks of quantised weights are made
directly, once per format, as a pool; each tensor is cut from random places of it. The vocabulary is
that of the default model, padded. What it is not: a test of quality.

demo_models.py [Q4_K_M|Q4_0|Q8_0]... writes syn-1b-KIND.gguf into the cache folder of models.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
MODELS = CACHE / "orrery" / "models"
DEFAULT_MODEL = MODELS / "SmolLM2-135M-Instruct.Q4_1.gguf"

# meta-llama's config.json of 3.2 1B, rope scaling left out.
LAYERS, DIM, HEADS, KV_HEADS, HEAD_DIM, FFN, VOCAB = 16, 2048, 32, 8, 64, 8192, 128256
# The standard deviation of the weights: small enough that activations stay tame in all layers.
SIGMA = 0.02
POOL_BLOCKS = 1 << 15
FILE_TYPES = {"Q4_K_M": 15, "Q4_0": 2, "Q8_0": 7}
BASE_FORMAT = {"Q4_K_M": T.Q4_K, "Q4_0": T.Q4_0, "Q8_0": T.Q8_0}


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


def q4_k(rng, blocks):
    """d, dmin, eight 6-bit scales and mins in 12 bytes, 128 of nibbles: w = d*sc*q - dmin*m."""
    q = gaussian(rng, blocks, 256, -7, 8, 7.5 / 2.1) + 7
    scale = rng.integers(40, 64, (blocks, 8), dtype=np.uint8)
    packed = np.empty((blocks, 12), np.uint8)
    packed[:, 0:4] = (scale[:, 0:4] & 63) | ((scale[:, 4:8] >> 4) << 6)
    packed[:, 4:8] = packed[:, 0:4]
    packed[:, 8:12] = nibbles(scale[:, 4:8] & 15, scale[:, 4:8] & 15)
    # The curve's middle is the nibble 7; with m = sc, dmin = 7 d takes just that away again.
    d = jitter(rng, blocks, SIGMA * 2.1 / 7.5 / 52)
    q = q.reshape(blocks, 4, 2, 32)
    data = nibbles(q[:, :, 0], q[:, :, 1]).reshape(blocks, 128)
    return np.hstack([half(d), half(d * 7), packed, data])


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


MAKERS = {T.Q8_0: q8_0, T.Q4_0: q4_0, T.Q4_K: q4_k, T.Q6_K: q6_k}


def check_pool(kind, pool):
    """The blocks decode (by the gguf package) to a bell curve of the size that was meant."""
    values = gguf.quants.dequantize(pool[:256], kind)
    if (
        not np.isfinite(values).all()
        or not 0.5 * SIGMA < values.std() < 2 * SIGMA
        or abs(values.mean()) > 0.1 * SIGMA
    ):
        sys.exit(f"demo_models: error: bad {kind.name} blocks: sigma {values.std()}")


def tensors(kind):
    """(name, format, shape) of each tensor, with the formats that llama-quantize gives them."""
    base = BASE_FORMAT[kind]
    better = T.Q6_K if kind == "Q4_K_M" else base

    def more_bits(layer):  # the layers where Q4_K_M spends Q6_K on values and down projections
        return layer < LAYERS // 8 or layer >= 7 * LAYERS // 8 or (layer - LAYERS // 8) % 3 == 2

    yield "token_embd.weight", T.Q8_0 if kind == "Q8_0" else T.Q6_K, (VOCAB, DIM)
    yield "output_norm.weight", T.F32, (DIM,)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        best = better if more_bits(layer) else base
        yield block + "attn_norm.weight", T.F32, (DIM,)
        yield block + "ffn_norm.weight", T.F32, (DIM,)
        yield block + "attn_q.weight", base, (HEADS * HEAD_DIM, DIM)
        yield block + "attn_k.weight", base, (KV_HEADS * HEAD_DIM, DIM)
        yield block + "attn_v.weight", best, (KV_HEADS * HEAD_DIM, DIM)
        yield block + "attn_output.weight", base, (DIM, HEADS * HEAD_DIM)
        yield block + "ffn_gate.weight", base, (FFN, DIM)
        yield block + "ffn_up.weight", base, (FFN, DIM)
        yield block + "ffn_down.weight", best, (DIM, FFN)


def bytes_of(kind, shape):
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    return int(np.prod(shape)) // elements * size


def fill(rng, pool, kind, shape):
    """A tensor's bytes [rows, bytes a row], cut from random places of the pool."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    count = int(np.prod(shape)) // elements
    out = np.empty((count, size), np.uint8)
    at = 0
    while at < count:
        begin = int(rng.integers(0, len(pool)))
        part = min(len(pool) - begin, count - at)
        out[at : at + part] = pool[begin : begin + part]
        at += part
    return out.reshape(*shape[:-1], shape[-1] // elements * size)


def write_metadata(writer, kind):
    source = gguf.GGUFReader(DEFAULT_MODEL)

    def of_default(key):
        return source.fields[key].contents()

    writer.add_name("synthetic 1B")
    writer.add_block_count(LAYERS)
    writer.add_context_length(131072)
    writer.add_embedding_length(DIM)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(500000.0)
    writer.add_rope_dimension_count(HEAD_DIM)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(VOCAB)
    writer.add_file_type(FILE_TYPES[kind])
    writer.add_quantization_version(2)
    tokens = list(of_default("tokenizer.ggml.tokens"))
    types = list(of_default("tokenizer.ggml.token_type"))
    padding = range(len(tokens), VOCAB)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens + [f"<unused_{index}>" for index in padding])
    writer.add_token_types(types + [int(gguf.TokenType.UNUSED) for _ in padding])
    writer.add_token_merges(of_default("tokenizer.ggml.merges"))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(of_default("tokenizer.chat_template"))


class Bar:
    """One line that fills; on a terminal only."""

    def __init__(self, total):
        self.total, self.done, self.started = total, 0, time.monotonic()

    def advance(self, count):
        self.done += count
        if not sys.stderr.isatty():
            return
        share = self.done / self.total
        rate = self.done / max(time.monotonic() - self.started, 1e-3) / 1e6
        left = (self.total - self.done) / 1e6 / max(rate, 1e-3)
        filled = "#" * int(30 * share)
        sys.stderr.write(f"\r  [{filled:30}] {share:4.0%}  {rate:5.0f} MB/s  {left:3.0f} s left ")
        sys.stderr.write("\n" if self.done >= self.total else "")
        sys.stderr.flush()


def write_model(kind):
    target = MODELS / f"syn-1b-{kind}.gguf"
    if target.exists():
        print(f"{target} is there already")
        return
    print(f"writing {target}", flush=True)
    rng = np.random.default_rng(7)
    pools = {}
    for format_ in sorted({format_ for _, format_, _ in tensors(kind)} & MAKERS.keys()):
        pools[format_] = MAKERS[format_](rng, POOL_BLOCKS)
        check_pool(format_, pools[format_])
    handle, part = tempfile.mkstemp(dir=MODELS, suffix=".part")
    os.close(handle)
    try:
        writer = gguf.GGUFWriter(part, "llama")
        write_metadata(writer, kind)
        plan = list(tensors(kind))
        for name, format_, shape in plan:
            elements, size = gguf.GGML_QUANT_SIZES[format_]
            rows = (*shape[:-1], shape[-1] // elements * size)
            if format_ == T.F32:
                writer.add_tensor_info(name, shape, np.dtype(np.float32), 4 * shape[-1])
            else:
                writer.add_tensor_info(
                    name, rows, np.dtype(np.uint8), bytes_of(format_, shape), format_
                )
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        bar = Bar(sum(bytes_of(format_, shape) for _, format_, shape in plan))
        for name, format_, shape in plan:
            data = (
                np.ones(shape, np.float32)
                if format_ == T.F32
                else fill(rng, pools[format_], format_, shape)
            )
            writer.write_tensor_data(data)
            bar.advance(data.nbytes)
        writer.close()
        os.chmod(part, 0o644)
        os.replace(part, target)
    finally:
        if os.path.exists(part):
            os.unlink(part)
    print(f"wrote {target}, {target.stat().st_size / 1e6:.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", nargs="*", help="Q4_K_M (the default), Q4_0, Q8_0")
    kinds = parser.parse_args().kind or ["Q4_K_M"]
    for kind in kinds:
        if kind not in FILE_TYPES:
            sys.exit(f"demo_models: error: no kind '{kind}': take {', '.join(FILE_TYPES)}")
    if not DEFAULT_MODEL.exists():
        sys.exit(f"demo_models: error: {DEFAULT_MODEL} is missing: run ./dev demo-models")
    for kind in kinds:
        write_model(kind)


if __name__ == "__main__":
    main()
