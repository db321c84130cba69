"""From the tensors of a Hugging Face folder to those that llama.cpp's converter makes of them:
names, experts stacked, rows permuted, matrices split, transposed or reordered."""

import math
import re

import numpy as np
import torch

import _tiny_layouts as layouts
from _tiny_gguf_keys import ARCHITECTURES

WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
LAYER = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "self_attn.sinks": "attn_sinks",
    "self_attn.q_a_proj": "attn_q_a",
    "self_attn.q_a_layernorm": "attn_q_a_norm",
    "self_attn.q_b_proj": "attn_q_b",
    "self_attn.kv_a_proj_with_mqa": "attn_kv_a_mqa",
    "self_attn.kv_a_layernorm": "attn_kv_a_norm",
    "self_attn.kv_b_proj": "attn_kv_b",
    "self_attn.k_b_proj": "attn_k_b",
    "self_attn.v_b_proj": "attn_v_b",
    "self_attn.indexer.wq_b": "indexer.attn_q_b",
    "self_attn.indexer.wk": "indexer.attn_k",
    "self_attn.indexer.k_norm": "indexer.k_norm",
    "self_attn.indexer.weights_proj": "indexer.proj",
    "linear_attn.A_log": "ssm_a",
    "linear_attn.dt_bias": "ssm_dt",
    "linear_attn.conv1d": "ssm_conv1d",
    "linear_attn.norm": "ssm_norm",
    "linear_attn.out_proj": "ssm_out",
    "linear_attn.in_proj_qkv": "attn_qkv",
    "linear_attn.in_proj_z": "attn_gate",
    "linear_attn.in_proj_ba": "ssm_ba",
    "linear_attn.in_proj_b": "ssm_beta",
    "linear_attn.in_proj_a": "ssm_alpha",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.gate": "ffn_gate_inp",
    "mlp.router": "ffn_gate_inp",
    "mlp.gate.e_score_correction_bias": "exp_probs_b",
    "mlp.experts.gate_proj": "ffn_gate_exps",
    "mlp.experts.up_proj": "ffn_up_exps",
    "mlp.experts.down_proj": "ffn_down_exps",
    "mlp.experts.gate_up_proj": "ffn_gate_up_exps",
    "mlp.shared_expert.gate_proj": "ffn_gate_shexp",
    "mlp.shared_expert.up_proj": "ffn_up_shexp",
    "mlp.shared_expert.down_proj": "ffn_down_shexp",
    "mlp.shared_expert_gate": "ffn_gate_inp_shexp",
    "eh_proj": "nextn.eh_proj",
    "embed_tokens": "nextn.embed_tokens",
    "enorm": "nextn.enorm",
    "hnorm": "nextn.hnorm",
    "shared_head.head": "nextn.shared_head_head",
    "shared_head.norm": "nextn.shared_head_norm",
}
# Where the norm before the feed-forward network has its other name.
POST_ATTENTION = ("gpt-oss", "glm4moe", "qwen3next", "qwen35", "qwen35moe")
# Architectures whose rope turns neighbours although transformers turns halves.
PERMUTED = ("llama", "mistral3", "smollm3")
MTP = {
    "fc": "eh_proj",
    "pre_fc_norm_embedding": "enorm",
    "pre_fc_norm_hidden": "hnorm",
    "norm": "shared_head.norm",
}
EYES = ("model.visual.", "vision_tower.", "vision_model.", "multi_modal_projector.")


def gguf_name(name: str, architecture: str) -> str:
    if name.rsplit(".", 1)[1] in ("weight", "bias"):
        stem, kind = name.rsplit(".", 1)
    else:  # a parameter without a module of its own
        stem, kind = name, "bias" if name.endswith("bias") else "weight"
    if not stem.startswith("model.layers."):
        return f"{WHOLE[stem]}.{kind}"
    _, _, layer, rest = stem.split(".", 3)
    short = LAYER[rest]
    if rest == "linear_attn.A_log":
        return f"blk.{layer}.ssm_a"
    if rest == "post_attention_layernorm" and architecture in POST_ATTENTION:
        short = "post_attention_norm"
    return f"blk.{layer}.{short}.{kind}"


def text_names(config, disk: dict) -> dict:
    """Only the language model, under one set of names: no prefixes, prediction layers at the end,
    experts' matrices as gate, up and down."""
    result = {}
    for name, tensor in disk.items():
        if name.startswith(EYES):
            continue
        name = name.replace("model.language_model.", "model.").removeprefix("language_model.")
        name = re.sub(r"^mtp\.layers\.0\.", f"model.layers.{config.num_hidden_layers}.", name)
        if name.startswith("mtp."):
            _, part, kind = name.split(".")
            name = f"model.layers.{config.num_hidden_layers}.{MTP[part]}.{kind}"
        name = name.replace(".block_sparse_moe.", ".mlp.").replace(".feed_forward.", ".mlp.")
        name = name.replace(".shared_experts.", ".shared_expert.")
        for short, long in (("w1", "gate_proj"), ("w2", "down_proj"), ("w3", "up_proj")):
            name = re.sub(rf"(\.experts\.\d+)\.{short}\.", rf"\1.{long}.", name)
        result[name] = tensor
    return result


def permute(rows: np.ndarray, heads: int) -> np.ndarray:
    """transformers' halves (i, i + d/2) -> GGUF's neighbours (2i, 2i + 1), head by head."""
    shape = rows.shape
    return rows.reshape(heads, 2, shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(shape)


def unpermute(rows: np.ndarray, heads: int) -> np.ndarray:
    shape = rows.shape
    return rows.reshape(heads, shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(shape)


def rows_heads(name: str, config) -> int:
    """How many heads the rows of this tensor hold if it is permuted in GGUF, else 0."""
    if ARCHITECTURES[config.model_type] not in PERMUTED:
        return 0
    if ".q_proj." in name:
        return config.num_attention_heads
    return config.num_key_value_heads if ".k_proj." in name else 0


def split_experts(config, name: str, both: np.ndarray) -> dict:
    """gate_up_proj as gate_proj and up_proj: rows of a half each; gpt-oss and Llama 4 store the
    transpose, gpt-oss with every other column."""
    stem, bias = name.split("gate_up_proj")
    kind = "bias" if bias else "weight"
    if config.model_type == "gpt_oss":
        both = both if bias else both.swapaxes(1, 2)
        gate, up = both[:, ::2], both[:, 1::2]
    else:
        both = both.swapaxes(1, 2) if config.model_type == "llama4_text" else both
        gate, up = np.split(both, 2, axis=1)
    return {f"{stem}gate_proj.{kind}": gate, f"{stem}up_proj.{kind}": up}


def split_latent(config, name: str, rows: np.ndarray) -> dict:
    """kv_b as what makes keys, transposed (a query is multiplied by it), and what makes values."""
    parts = rows.reshape(config.num_attention_heads, -1, rows.shape[-1])
    keys, values = np.split(parts, [config.qk_nope_head_dim], axis=1)
    return {
        name.replace("kv_b_proj", "k_b_proj"): keys.swapaxes(1, 2),
        name.replace("kv_b_proj", "v_b_proj"): values,
    }


def tiled(array: np.ndarray, axis: int, keys: int, values: int) -> np.ndarray:
    """Value heads in the order of llama.cpp's broadcast: the first of every key head, then the
    second, where transformers has all of the first key head first."""
    parts = np.moveaxis(array, axis, 0)
    parts = parts.reshape(keys, values // keys, -1, *parts.shape[1:]).swapaxes(0, 1)
    return np.moveaxis(parts.reshape(array.shape[axis], *parts.shape[3:]), 0, axis)


def unfused(config, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Qwen3-Next's in_proj_qkvz, for each key head q, k, v and z, as [q, k, v] and z."""
    keys = config.linear_num_key_heads
    width = config.linear_key_head_dim
    values = config.linear_value_head_dim * config.linear_num_value_heads // keys
    cuts = [width, 2 * width, 2 * width + values]
    parts = np.split(rows.reshape(keys, -1, rows.shape[-1]), cuts, axis=1)
    q, k, v, z = (part.reshape(-1, rows.shape[-1]) for part in parts)
    return np.concatenate([q, k, v]), z


def linear_attention(config, name: str, array: np.ndarray) -> dict:
    keys, values = config.linear_num_key_heads, config.linear_num_value_heads
    if name.endswith("in_proj_qkvz.weight"):
        qkv, z = unfused(config, array)
        return {
            name.replace("qkvz", "qkv"): qkv,
            name.replace("qkvz", "z"): z,
        }
    if name.endswith("A_log"):
        array = -np.exp(array)
    if name.endswith("conv1d.weight"):
        array = array.squeeze(1)
    if config.model_type == "qwen3_next":
        return {name: array}
    if name.endswith(("in_proj_qkv.weight", "conv1d.weight")):
        fixed = 2 * keys * config.linear_key_head_dim
        return {name: np.concatenate([array[:fixed], tiled(array[fixed:], 0, keys, values)])}
    if name.endswith("out_proj.weight"):
        return {name: tiled(array, 1, keys, values)}
    return {name: array if name.endswith("norm.weight") else tiled(array, 0, keys, values)}


def pieces(config, name: str, array: np.ndarray, style: str) -> dict:
    """What one tensor becomes, still under transformers' names."""
    heads = rows_heads(name, config)
    if heads:
        return {name: permute(array, heads)}
    if ".experts.gate_up_proj" in name and config.model_type != "mistral4":
        return split_experts(config, name, array)
    if name.endswith("experts.down_proj_bias"):
        return {name.replace("_bias", ".bias"): array}
    if name.endswith("experts.down_proj") and config.model_type in ("gpt_oss", "llama4_text"):
        return {name: array.swapaxes(1, 2)}
    if name.endswith("kv_b_proj.weight") and style != "kv_b":
        return split_latent(config, name, array)
    if ".linear_attn." in name:
        return linear_attention(config, name, array)
    if config.model_type.startswith(("qwen3_next", "qwen3_5")) and name.endswith("norm.weight"):
        return {name: array + np.float32(1)}
    return {name: array}


def four_bits(blocks: torch.Tensor, scales: torch.Tensor) -> np.ndarray:
    """MXFP4 in GGUF's order: the scale, then 16 bytes of which the low halves hold the first 16
    codes. [E, rows, groups * 17]"""
    codes = torch.stack([blocks & 15, blocks >> 4], -1).flatten(-2)
    packed = codes[..., :16] | codes[..., 16:] << 4
    return torch.cat([scales[..., None], packed], -1).flatten(-2).numpy()


def packed(disk: dict):
    """(gguf name, bytes) of the experts stored as MXFP4, and the rest of the tensors."""
    found, rest = [], {}
    for name, tensor in disk.items():
        if name.endswith("_scales"):
            continue
        if not name.endswith("_blocks"):
            rest[name] = tensor
            continue
        data = four_bits(tensor, disk[name.replace("_blocks", "_scales")])
        layer = name.split(".")[2]
        if "down_proj" in name:
            found.append((f"blk.{layer}.ffn_down_exps.weight", data))
        else:
            found.append((f"blk.{layer}.ffn_gate_exps.weight", data[:, ::2]))
            found.append((f"blk.{layer}.ffn_up_exps.weight", data[:, 1::2]))
    return found, rest


def one_expert(name: str, architecture: str) -> str:
    """The name before experts were stacked: blk.0.ffn_gate.3.weight."""
    layer, expert, part = re.fullmatch(
        r"model\.layers\.(\d+)\.mlp\.experts\.(\d+)\.(\w+)_proj\.weight", name
    ).groups()
    return f"blk.{layer}.ffn_{part}.{expert}.weight"


def converted(config, disk: dict, style: str):
    """(transformers' name, GGUF's name, float32 array) of every tensor that is not packed."""
    architecture = ARCHITECTURES[config.model_type]
    names = text_names(config, disk)
    if config.model_type == "deepseek_v3":  # the converter leaves its prediction layer out
        extra = f"model.layers.{config.num_hidden_layers}."
        names = {n: t for n, t in names.items() if not n.startswith(extra)}
    if style != "split_experts":
        names = layouts.fuse_experts(names)
    for name, tensor in names.items():
        array = tensor.float().numpy() if isinstance(tensor, torch.Tensor) else tensor
        if re.search(r"\.experts\.\d", name):
            yield name, one_expert(name, architecture), array
            continue
        for part, value in pieces(config, name, array, style).items():
            yield name, gguf_name(part, architecture), np.ascontiguousarray(value)


def rope_factors(config) -> dict:
    """What each frequency is divided by: Llama 3's three bands, or the two lists of LongRoPE."""
    rope = config.rope_parameters
    if rope["rope_type"] == "longrope":
        return {
            "rope_factors_long.weight": np.float32(rope["long_factor"]),
            "rope_factors_short.weight": np.float32(rope["short_factor"]),
        }
    if rope["rope_type"] != "llama3":
        return {}
    dim, low, high = config.head_dim, rope["low_freq_factor"], rope["high_freq_factor"]
    original, factor = rope["original_max_position_embeddings"], rope["factor"]
    frequency = 1.0 / rope["rope_theta"] ** (np.arange(0, dim, 2, dtype=np.float64) / dim)
    turns = original * frequency / (2 * math.pi)
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    return {"rope_freqs.weight": (1 / ((1 - smooth) / factor + smooth)).astype(np.float32)}
