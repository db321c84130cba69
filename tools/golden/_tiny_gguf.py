"""Tiny checkpoints as GGUF files, in the layout of llama.cpp's converter."""

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type

import _tiny_gguf_keys
import _tiny_gguf_tensors as tensors_of
import _tiny_tokenizer
from _tiny_blocks import encode

# Matrices that stay in float32 whatever the rest is.
ALWAYS_F32 = ("ffn_gate_inp", "ssm_conv1d", "indexer.proj")


def add(writer, key: str, value) -> None:
    if isinstance(value, list):
        writer.add_array(key, value)
    elif isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    else:
        writer.add_uint32(key, value)


def write_metadata(writer, config, name: str, predicted: int, style: str) -> None:
    architecture = _tiny_gguf_keys.ARCHITECTURES[config.model_type]
    writer.add_name(name)
    for key, value in _tiny_gguf_keys.metadata(config, predicted, style).items():
        add(writer, f"{architecture}.{key}", value)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _tiny_tokenizer.write_gguf(writer)


def form_for(name: str, array: np.ndarray, form: str) -> str:
    small = array.ndim == 1 or not name.endswith(".weight")
    return "F32" if small or any(part in name for part in ALWAYS_F32) else form


def write(path, name: str, config, disk: dict, form_of, seed: int, style: str = "") -> dict:
    """Writes `disk`, tensors or float32 arrays by their names in files, with form_of(name) for each
    matrix; returns what the file means: float32 tensors by transformers' names where a tensor is
    no more than permuted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, _tiny_gguf_keys.ARCHITECTURES[config.model_type])
    blocks, rest = tensors_of.packed(disk)
    converted = list(tensors_of.converted(config, rest, style))
    predicted = int(any(".nextn." in gguf_name for _, gguf_name, _ in converted))
    write_metadata(writer, config, name, predicted, style)
    for gguf_name, factors in tensors_of.rope_factors(config).items():
        writer.add_tensor(gguf_name, factors)
    for gguf_name, data in blocks:
        writer.add_tensor(gguf_name, np.ascontiguousarray(data), raw_dtype=Type.MXFP4)
    meaning = {}
    for full, gguf_name, array in converted:
        form = form_for(gguf_name, array, form_of(full))
        data, kind = encode(rng, form, array)
        writer.add_tensor(gguf_name, data, raw_dtype=kind)
        value = gguf.dequantize(data, kind).reshape(array.shape).astype(np.float32)
        if form in ("F32", "F16", "BF16"):
            assert np.array_equal(value, array), f"{path}: {gguf_name} is rounded"
        heads = tensors_of.rows_heads(full, config)
        value = tensors_of.unpermute(value, heads) if heads else value
        meaning[full] = torch.from_numpy(value.copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return meaning
