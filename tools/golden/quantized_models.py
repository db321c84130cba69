#!/usr/bin/env python3
"""Quantises tiny checkpoints of tests/golden/models as their users would, and asks transformers
what the dequantised weights answer: the whole way from parts to logits.

    python tools/golden/quantized_models.py [--out tests/golden/models] [case ...]

The cases are folders like those of models.py, with a Hugging Face checkpoint only. Embedding,
norms, routers and output matrix are left alone, as quantisers do. The oracle runs in float32.
"""

import argparse
import json
import pathlib
import shutil
import tempfile

import _pins

PINS = _pins.check()

import numpy as np
import torch
from bitsandbytes import functional as bnb
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.integrations.finegrained_fp8 import _dequantize_fp8_weight

import models
import quantized

LEFT_ALONE = ("embed_tokens", "lm_head", "norm", "mlp.gate.weight", "e_score_correction_bias")
GROUP = 32


def fp8(name, weight):
    rows, cols = weight.shape
    padded = torch.nn.functional.pad(weight, (0, -cols % 128, 0, -rows % 128))
    tiles = padded.unflatten(0, (-1, 128)).unflatten(2, (-1, 128))
    scale = tiles.abs().amax(dim=(1, 3)) / 448
    spread = scale.repeat_interleave(128, 0).repeat_interleave(128, 1)[:rows, :cols]
    stored = (weight / spread).to(torch.float8_e4m3fn)
    return ({name: stored, f"{name}_scale_inv": scale},
            _dequantize_fp8_weight(stored, scale, [128, 128], torch.float32))


def nf4(name, weight):
    packed, state = bnb.quantize_4bit(weight.contiguous(), blocksize=64, compress_statistics=True,
                                      quant_type="nf4")
    return quantized.bnb_parts(name, packed, state), bnb.dequantize_4bit(packed, state)


def int8(name, weight):
    stored, stats, _ = bnb.int8_vectorwise_quant(weight.to(torch.float16))
    stem = name.removesuffix(".weight")
    return ({name: stored, f"{stem}.SCB": stats,
             f"{stem}.weight_format": torch.tensor(0, dtype=torch.uint8)},
            bnb.int8_vectorwise_dequant(stored, stats))


def round_in_groups(weight, order, symmetric):
    """[in, out] integers of four bits, [groups, out] zeros and scales."""
    columns = weight.numpy().T
    count = columns.shape[0] // GROUP
    scale, zero = np.zeros((2, count, columns.shape[1]), np.float32)
    for group in range(count):
        part = columns[order == group]
        if symmetric:
            scale[group], zero[group] = abs(part).max(0) / 7.5, 8
        else:
            low, high = np.minimum(part.min(0), 0), np.maximum(part.max(0), 0)
            scale[group] = (high - low) / 15
            zero[group] = np.round(-low / scale[group])
    scale = scale.astype(np.float16)
    q = np.round(columns / scale[order].astype(np.float32) + zero[order]).clip(0, 15)
    return q.astype(np.int64), zero.astype(np.int64), torch.from_numpy(scale)


def gptq_with(act_order):
    def gptq(name, weight):
        order = np.arange(weight.shape[1]) // GROUP
        if act_order:
            np.random.default_rng(7).shuffle(order)
        q, zero, scale = round_in_groups(weight, order, not act_order)
        stored = quantized.pack_rows(zero, 4) - np.uint32(0x11111111)
        parts = {"qweight": quantized.tensor_of(quantized.pack_columns(q, 4)),
                 "qzeros": quantized.tensor_of(stored), "scales": scale,
                 "g_idx": torch.from_numpy(order.astype(np.int32))}
        stem = name.removesuffix("weight")
        return ({stem + part: value for part, value in parts.items()},
                quantized.unpack_gptq(*parts.values(), 4, "gptq"))
    return gptq


def awq(name, weight):
    q, zero, scale = round_in_groups(weight, np.arange(weight.shape[1]) // GROUP, False)
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    parts = {"qweight": quantized.tensor_of(quantized.pack_rows(q, 4, order)),
             "qzeros": quantized.tensor_of(quantized.pack_rows(zero, 4, order)), "scales": scale}
    stem = name.removesuffix("weight")
    return ({stem + part: value for part, value in parts.items()},
            quantized.unpack_awq(*parts.values(), GROUP))


FP8 = {"quant_method": "fp8", "activation_scheme": "dynamic", "fmt": "e4m3",
       "weight_block_size": [128, 128]}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": GROUP, "checkpoint_format": "gptq"}
CASES = {  # name: the checkpoint that it is made of, how, and what config.json says
    "llama_fp8": ("llama_f32", fp8, FP8),
    "llama_nf4": ("llama_f32", nf4, {"quant_method": "bitsandbytes", "load_in_4bit": True,
                                     "bnb_4bit_quant_type": "nf4",
                                     "bnb_4bit_use_double_quant": True}),
    "llama_int8": ("llama_f32", int8, {"quant_method": "bitsandbytes", "load_in_8bit": True}),
    "llama_gptq": ("llama_f32", gptq_with(False), GPTQ | {"sym": True, "desc_act": False}),
    "llama_gptq_act_order": ("llama_f32", gptq_with(True), GPTQ | {"sym": False, "desc_act": True}),
    "llama_awq": ("llama_f32", awq, {"quant_method": "awq", "bits": 4, "group_size": GROUP,
                                     "zero_point": True, "version": "gemm"}),
    "deepseek_v3_uneven_fp8": ("deepseek_v3_uneven", fp8, FP8),
}


def load(folder):
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        tensors |= load_file(path)
    return tensors


def make(name, root):
    base, quantise, settings = CASES[name]
    source, out = _pins.GOLDEN / "models" / base / "hf", root / name
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(source, out / "hf", ignore=shutil.ignore_patterns("*.safetensors*"))
    stored, plain = {}, {}
    for key, tensor in load(source).items():
        if tensor.dim() != 2 or any(part in key for part in LEFT_ALONE):
            stored[key], plain[key] = tensor, tensor
            continue
        parts, values = quantise(key, tensor.float())
        stored |= parts
        plain[key] = values.float()
    save_file({key: tensor.contiguous() for key, tensor in stored.items()},
              out / "hf/model.safetensors", metadata={"format": "pt"})
    config = json.loads((source / "config.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "config.json").write_text(json.dumps(config))
        save_file({key: tensor.contiguous() for key, tensor in plain.items()},
                  folder / "model.safetensors", metadata={"format": "pt"})
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32,
                                                     attn_implementation="eager",
                                                     experts_implementation="eager").eval()
    config["quantization_config"] = settings
    (out / "hf/config.json").write_text(json.dumps(config, indent=1) + "\n")
    prompts, answer = models.ask(model, out)
    expected = {"oracle": f"transformers {PINS['transformers']} {type(model).__name__}, float32, "
                          "eager, dequantised weights",
                "checkpoints": ["hf"], "format": settings["quant_method"], "prompts": prompts,
                "residuals": {"ids": models.prompt(models.RESIDUAL_LENGTH), "file": "residuals.npy"},
                "greedy": models.greedy(model)} | models.chosen(answer.choices, out)
    (out / "expected.json").write_text(models.dump(expected) + "\n")
    moved = models.distance(np.load(out / "logits_150.npy"),
                            np.load(source.parent / "logits_150.npy"))
    print(f"{name}: quantising moved the logits by {moved:.3f}, smallest greedy gap "
          f"{min(expected['greedy']['gaps']):.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, default=_pins.GOLDEN / "models")
    parser.add_argument("cases", nargs="*", help="only these")
    arguments = parser.parse_args()
    for name in arguments.cases or CASES:
        make(name, arguments.out)


if __name__ == "__main__":
    main()
