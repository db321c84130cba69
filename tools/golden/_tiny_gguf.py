"""Tiny checkpoints as GGUF files, in the layout of llama.cpp's converter: names, F32 norms, and the
rows of Q and K permuted, because its rope rotates neighbouring pairs where transformers rotates
halves."""

import math

import gguf
import numpy as np
import torch

import _tiny_tokenizer
from _tiny_blocks import encode

GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name: str) -> str:
    stem, kind = name.rsplit(".", 1)
    if stem.startswith("model.layers."):
        _, _, layer, rest = stem.split(".", 3)
        return f"blk.{layer}.{GGUF_NAMES[rest]}.{kind}"
    return f"{GGUF_NAMES[stem]}.{kind}"


def rows_heads(name: str, config) -> int:
    """How many heads the rows of this tensor hold if it is permuted in GGUF, else 0."""
    if ".q_proj." in name:
        return config.num_attention_heads
    return config.num_key_value_heads if ".k_proj." in name else 0


def permute(rows: np.ndarray, heads: int) -> np.ndarray:
    """transformers' halves (i, i + d/2) -> GGUF's neighbours (2i, 2i + 1), head by head."""
    shape = rows.shape
    return rows.reshape(heads, 2, shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(shape)


def unpermute(rows: np.ndarray, heads: int) -> np.ndarray:
    shape = rows.shape
    return rows.reshape(heads, shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(shape)


def rope_factors(config) -> np.ndarray | None:
    """Llama 3's three bands as GGUF carries them: what each frequency is divided by."""
    rope = config.rope_parameters
    if rope["rope_type"] != "llama3":
        return None
    dim, low, high = config.head_dim, rope["low_freq_factor"], rope["high_freq_factor"]
    original, factor = rope["original_max_position_embeddings"], rope["factor"]
    frequency = 1.0 / rope["rope_theta"] ** (np.arange(0, dim, 2, dtype=np.float64) / dim)
    turns = original * frequency / (2 * math.pi)
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    return (1 / ((1 - smooth) / factor + smooth)).astype(np.float32)


def write_metadata(writer, config, name: str) -> None:
    writer.add_name(name)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if config.rope_parameters["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config.rope_parameters["factor"])
    if getattr(config, "sliding_window", None):
        writer.add_sliding_window(config.sliding_window)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _tiny_tokenizer.write_gguf(writer)


def write_gguf(path, name: str, config, arrays: dict, form_of, seed: int) -> dict:
    """Writes `arrays` (float32) with form_of(tensor name) for each matrix; returns what the file
    means: float32 tensors by transformers' names, in transformers' row order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    write_metadata(writer, config, name)
    factors = rope_factors(config)
    if factors is not None:
        writer.add_tensor("rope_freqs.weight", factors)
    meaning = {}
    for full, array in arrays.items():
        heads = rows_heads(full, config)
        array = permute(array, heads) if heads else array
        form = form_of(full) if array.ndim == 2 else "F32"
        data, kind = encode(rng, form, np.ascontiguousarray(array))
        writer.add_tensor(gguf_name(full), data, raw_dtype=kind)
        value = gguf.dequantize(data, kind).reshape(array.shape).astype(np.float32)
        meaning[full] = torch.from_numpy((unpermute(value, heads) if heads else value).copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return meaning
