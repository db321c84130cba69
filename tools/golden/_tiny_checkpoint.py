"""Tiny checkpoints: seeded weights, written as Hugging Face folders and as GGUF files.

Everything random comes from numpy's PCG64, whose stream is the same on every machine. The GGUF
layout is the one of llama.cpp's converter: names, F32 norms, and the rows of Q and K permuted,
because its rope rotates neighbouring pairs where transformers rotates halves. Formats that gguf can
encode are encoded from the weights; of the others, whole blocks are drawn at random (every code
is legal) and then only their scales are set, so no other library is needed.
"""

import json
import math

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from safetensors.torch import save_file

import _tiny_tokenizer

TORCH_DTYPE = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
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
LAYER_GAIN = 0.4
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


def spread(name: str, shape, tied: bool) -> float:
    """Standard deviations that keep a random model lively and yet calm: attention that prefers some
    keys, logits a few units wide, and layers that add less than half of what the residual stream
    holds, as in trained models (larger, and each layer amplifies the rounding of its input)."""
    logits = 2.5 / math.sqrt(shape[-1])
    stream = logits if tied else 1.0
    if name.endswith("bias"):
        return 0.3
    if "embed_tokens" in name:
        return stream
    if name == "lm_head.weight":
        return logits
    if ".o_proj." in name or ".down_proj." in name:
        return LAYER_GAIN * stream / math.sqrt(shape[1])
    return (1.2 if ".q_proj." in name or ".k_proj." in name else 1.0) / math.sqrt(shape[1])


def weights(model, seed: int) -> dict:
    """float32 arrays for every parameter of the (empty) transformers model, by name."""
    rng = np.random.default_rng(seed)
    tied = model.config.tie_word_embeddings
    result = {}
    for name, parameter in sorted(model.named_parameters()):
        shape = tuple(parameter.shape)
        values = rng.standard_normal(shape, dtype=np.float32)
        if "norm" not in name:
            result[name] = values * np.float32(spread(name, shape, tied))
            continue
        result[name] = (1 + 0.2 * values).astype(np.float32)
        if tied and name == "model.norm.weight":
            # Random signs: else a tied model would above all repeat the token that it was given.
            result[name] *= rng.choice(np.float32([-1, 1]), shape)
    return result


def rounded(arrays: dict, dtype: str) -> dict:
    return {n: torch.from_numpy(a).to(TORCH_DTYPE[dtype]) for n, a in arrays.items()}


def save(tensors: dict, path) -> None:
    save_file(tensors, path, metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors makes its files private


def write_hf(folder, config: dict, tensors: dict, shards: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    _tiny_tokenizer.write_hf(folder)
    names = sorted(tensors)
    if shards == 1:
        save(tensors, folder / "model.safetensors")
        return
    where = {}
    for i in range(shards):
        part = names[i * len(names) // shards : (i + 1) * len(names) // shards]
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        save({n: tensors[n] for n in part}, folder / file)
        where |= {n: file for n in part}
    size = sum(t.numel() * t.element_size() for t in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


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
