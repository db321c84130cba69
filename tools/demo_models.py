#!/usr/bin/env python3
"""Writes models of random weights in the shapes of real ones: GGUF files to measure with.

They talk nonsense, but cost what real ones cost: the tensors, their formats (as llama-quantize
would choose them) and their sizes are those of real files. Blocks of quantised weights are made
directly (demo_blocks.py), once per format, as a pool; each tensor is cut from random places of it.
The vocabulary is that of the default model, padded or cut. What they are not: a test of quality.

demo_models.py [SHAPE-]FORMAT... writes syn-SHAPE-FORMAT.gguf into the cache folder of models.
"""

import argparse
import dataclasses
import os
import pathlib
import sys
import tempfile
import time

import gguf
import numpy as np
from demo_blocks import pool
from gguf import GGMLQuantizationType as T

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
MODELS = CACHE / "orrery" / "models"
DEFAULT_MODEL = MODELS / "SmolLM2-135M-Instruct.Q4_1.gguf"
FILE_TYPES = {"Q4_K_M": 15, "Q4_0": 2, "Q8_0": 7, "Q6_K": 18, "BF16": 32}
BASE_FORMAT = {"Q4_K_M": T.Q4_K, "Q4_0": T.Q4_0, "Q8_0": T.Q8_0, "Q6_K": T.Q6_K, "BF16": T.BF16}


@dataclasses.dataclass(frozen=True)
class Shape:
    """The sizes of a config.json. `latent`: keys and values as DeepSeek-V2-Lite keeps them."""

    says: str
    layers: int
    dim: int
    heads: int
    kv_heads: int
    ffn: int
    vocab: int
    tied: bool = False
    head_dim: int = 0
    experts: int = 0
    active: int = 0
    latent: bool = False


SHAPES = {
    # meta-llama's config.json of 3.2 1B and 3.1 8B, rope scaling left out.
    "1b": Shape("Llama 3.2 1B", 16, 2048, 32, 8, 8192, 128256, tied=True, head_dim=64),
    "8b": Shape("Llama 3.1 8B", 32, 4096, 32, 8, 14336, 128256, head_dim=128),
    # Mixtral's plan (8 experts, 2 active), smaller in every direction: 2.6 B parameters.
    "moe": Shape(
        "Mixtral-like", 12, 2048, 32, 8, 4096, 32000, head_dim=64, experts=8, active=2
    ),
    # DeepSeek-V2-Lite with 12 of its 27 layers: 64 experts, 6 active, 2 shared, the first dense.
    "deepseek": Shape(
        "DeepSeek-V2-Lite-like", 12, 2048, 16, 1, 10944, 102400, experts=64, active=6, latent=True
    ),
}
# DeepSeek-V2-Lite's config.json: latent rank, head parts with and without position, value, experts.
RANK, NOPE, ROPE, VALUE, SHARED, EXPERT_FFN = 512, 128, 64, 128, 2, 1408


def tensors(shape, kind):
    """(name, format, shape) of each tensor, with the formats that llama-quantize gives them."""
    base = BASE_FORMAT[kind]
    better = T.Q6_K if kind == "Q4_K_M" else base
    output = T.Q6_K if kind in ("Q4_K_M", "Q4_0") else base
    yield "token_embd.weight", output if shape.tied else base, (shape.vocab, shape.dim)
    if not shape.tied:
        yield "output.weight", output, (shape.vocab, shape.dim)
    yield "output_norm.weight", T.F32, (shape.dim,)
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        yield block + "attn_norm.weight", T.F32, (shape.dim,)
        yield block + "ffn_norm.weight", T.F32, (shape.dim,)
        eighth = shape.layers // 8
        # the layers where Q4_K_M spends Q6_K on values and down projections
        more_bits = (
            layer < eighth or layer >= 7 * shape.layers // 8 or (layer - eighth) % 3 == 2
        )
        best = better if more_bits else base
        for name, format_, sizes in layer_matrices(shape, kind, layer, base, best):
            yield block + name + ".weight", format_, sizes


def layer_matrices(shape, kind, layer, base, best):
    dim, many = shape.dim, shape.experts
    if shape.latent:
        # A latent's 128 columns take no k-quant: llama-quantize falls back to Q8_0.
        yield "attn_q", base, (shape.heads * (NOPE + ROPE), dim)
        yield "attn_kv_a_mqa", T.Q8_0, (RANK + ROPE, dim)
        yield "attn_kv_a_norm", T.F32, (RANK,)
        yield "attn_k_b", T.Q8_0, (shape.heads, RANK, NOPE)
        yield "attn_v_b", T.Q8_0, (shape.heads, VALUE, RANK)
        yield "attn_output", base, (dim, shape.heads * VALUE)
    else:
        mixed = many == 8 and kind == "Q4_K_M"
        yield "attn_q", base, (shape.heads * shape.head_dim, dim)
        yield "attn_k", T.Q8_0 if mixed else base, (shape.kv_heads * shape.head_dim, dim)
        yield "attn_v", T.Q8_0 if mixed else best, (shape.kv_heads * shape.head_dim, dim)
        yield "attn_output", T.Q5_K if mixed else base, (dim, shape.heads * shape.head_dim)
    if not many or (shape.latent and layer == 0):
        down = T.Q8_0 if shape.ffn % 256 else best
        yield "ffn_gate", base, (shape.ffn, dim)
        yield "ffn_up", base, (shape.ffn, dim)
        yield "ffn_down", down, (dim, shape.ffn)
        return
    wide = EXPERT_FFN if shape.latent else shape.ffn
    yield "ffn_gate_inp", T.F32, (many, dim)
    yield "ffn_gate_exps", base, (many, wide, dim)
    yield "ffn_up_exps", base, (many, wide, dim)
    yield "ffn_down_exps", T.Q8_0 if wide % 256 else best, (many, dim, wide)
    if shape.latent:
        yield "ffn_gate_shexp", base, (SHARED * wide, dim)
        yield "ffn_up_shexp", base, (SHARED * wide, dim)
        yield "ffn_down_shexp", T.Q6_K, (dim, SHARED * wide)


def bytes_of(kind, shape):
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    return int(np.prod(shape)) // elements * size


def fill(rng, blocks, kind, shape):
    """A tensor's bytes [rows, bytes a row], cut from random places of the pool."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    count = int(np.prod(shape)) // elements
    out = np.empty((count, size), np.uint8)
    at = 0
    while at < count:
        begin = int(rng.integers(0, len(blocks)))
        part = min(len(blocks) - begin, count - at)
        out[at : at + part] = blocks[begin : begin + part]
        at += part
    return out.reshape(*shape[:-1], shape[-1] // elements * size)


def write_metadata(writer, name, shape, kind):
    writer.add_name(name)
    writer.add_block_count(shape.layers)
    writer.add_context_length(131072)
    writer.add_embedding_length(shape.dim)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_freq_base(500000.0)
    writer.add_rope_dimension_count(ROPE if shape.latent else shape.head_dim)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(shape.vocab)
    writer.add_file_type(FILE_TYPES[kind])
    writer.add_quantization_version(2)
    if shape.experts:
        writer.add_expert_count(shape.experts)
        writer.add_expert_used_count(shape.active)
    if shape.latent:
        writer.add_leading_dense_block_count(1)
        writer.add_kv_lora_rank(RANK)
        writer.add_key_length(RANK + ROPE)
        writer.add_value_length(RANK)
        writer.add_key_length_mla(NOPE + ROPE)
        writer.add_value_length_mla(VALUE)
        writer.add_expert_feed_forward_length(EXPERT_FFN)
        writer.add_expert_shared_count(SHARED)
        writer.add_expert_weights_scale(1.0)
        writer.add_expert_weights_norm(False)
        writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SOFTMAX)
    write_vocabulary(writer, shape.vocab)


def write_vocabulary(writer, size):
    source = gguf.GGUFReader(DEFAULT_MODEL)

    def of_default(key):
        return source.fields[key].contents()

    tokens = list(of_default("tokenizer.ggml.tokens"))[:size]
    types = list(of_default("tokenizer.ggml.token_type"))[:size]
    merges, known = of_default("tokenizer.ggml.merges"), set(tokens)
    merges = [pair for pair in merges if "".join(pair.split(" ")) in known]
    padding = range(len(tokens), size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens + [f"<unused_{index}>" for index in padding])
    writer.add_token_types(types + [int(gguf.TokenType.UNUSED) for _ in padding])
    writer.add_token_merges(merges)
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


def write_tensors(writer, plan):
    rng = np.random.default_rng(7)
    for name, format_, shape in plan:
        elements, size = gguf.GGML_QUANT_SIZES[format_]
        rows = (*shape[:-1], shape[-1] // elements * size)
        if format_ == T.F32:
            writer.add_tensor_info(name, shape, np.dtype(np.float32), 4 * int(np.prod(shape)))
        else:
            writer.add_tensor_info(
                name, rows, np.dtype(np.uint8), bytes_of(format_, shape), format_
            )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    pools = {format_: pool(rng, format_) for format_ in sorted({f for _, f, _ in plan} - {T.F32})}
    bar = Bar(sum(bytes_of(format_, shape) for _, format_, shape in plan))
    for _, format_, shape in plan:
        if format_ != T.F32:
            data = fill(rng, pools[format_], format_, shape)
        elif len(shape) == 1:  # a norm
            data = np.ones(shape, np.float32)
        else:  # a router, which wants no rounding
            data = (rng.standard_normal(shape) * 0.02).astype(np.float32)
        writer.write_tensor_data(data)
        bar.advance(data.nbytes)


def write_model(shape_name, kind):
    target = MODELS / f"syn-{shape_name}-{kind}.gguf"
    if target.exists():
        print(f"{target} is there already")
        return
    print(f"writing {target}", flush=True)
    shape = SHAPES[shape_name]
    handle, part = tempfile.mkstemp(dir=MODELS, suffix=".part")
    os.close(handle)
    try:
        writer = gguf.GGUFWriter(part, "deepseek2" if shape.latent else "llama")
        write_metadata(writer, f"synthetic {shape.says}", shape, kind)
        write_tensors(writer, list(tensors(shape, kind)))
        writer.close()
        os.chmod(part, 0o644)
        os.replace(part, target)
    finally:
        if os.path.exists(part):
            os.unlink(part)
    print(f"wrote {target}, {target.stat().st_size / 1e6:.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "kind",
        nargs="*",
        help=f"[SHAPE-]FORMAT: {', '.join(SHAPES)} and {', '.join(FILE_TYPES)}; 1b-Q4_K_M "
        "(the default), 8b-Q4_0; FORMAT alone means 1b",
    )
    kinds = parser.parse_args().kind or ["1b-Q4_K_M"]
    pairs = [kind.split("-", 1) if "-" in kind else ["1b", kind] for kind in kinds]
    for (shape_name, kind), words in zip(pairs, kinds, strict=True):
        if shape_name not in SHAPES or kind not in FILE_TYPES:
            sys.exit(
                f"demo_models: error: no kind '{words}': take one of {', '.join(SHAPES)}, a "
                f"hyphen, and one of {', '.join(FILE_TYPES)}"
            )
    if not DEFAULT_MODEL.exists():
        sys.exit(f"demo_models: error: {DEFAULT_MODEL} is missing: run ./dev demo-models")
    for shape_name, kind in pairs:
        write_model(shape_name, kind)


if __name__ == "__main__":
    main()
