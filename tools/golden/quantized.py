#!/usr/bin/env python3
"""Writes tests/golden/quantized/CASE: small quantised folders and what their makers' own programs
make of them: expected.safetensors has the float32 values of every matrix under the name and in the
shape that the matrix is handed out with.

Oracles: transformers (FP8 in blocks, MXFP4), bitsandbytes (NF4, FP4, int8; its CPU kernels),
compressed-tensors (packed and scaled forms). GPTQ and AWQ have no package that installs without a
compiler for GPUs; `unpack_gptq` and `unpack_awq` below are the plain torch paths that AutoGPTQ,
GPTQModel (TorchQuantLinear.dequantize_weight, and the addition of 0x11111111 that makes version 1
into version 2) and AutoAWQ (dequantize_gemm) publish, in float32 instead of float16.
"""

import json
import pathlib
import shutil

import _pins

PINS = _pins.check()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from bitsandbytes import functional as bnb  # noqa: E402
from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from transformers.integrations.finegrained_fp8 import _dequantize_fp8_weight  # noqa: E402
from transformers.integrations.mxfp4 import convert_moe_packed_tensors  # noqa: E402

OUT = _pins.GOLDEN / "quantized"
Q = "model.layers.0.self_attn.q_proj"
K = "model.layers.0.self_attn.k_proj"
V = "model.layers.0.self_attn.v_proj"
EXPERTS = "model.layers.0.mlp.experts"
F32 = torch.float32


def save(case, quantization, tensors, expected):
    folder = OUT / case
    folder.mkdir(parents=True)
    config = {"model_type": "llama"}
    if quantization:
        config["quantization_config"] = quantization
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, folder / "model.safetensors", metadata={"format": "pt"})
    values = {name: tensor.to(F32).contiguous() for name, tensor in expected.items()}
    assert all(torch.isfinite(value).all() for value in values.values())
    save_file(values, folder / "expected.safetensors")
    print(case, {name: list(value.shape) for name, value in values.items()})


def normal(rng, *shape, scale=0.05):
    return torch.from_numpy(rng.standard_normal(shape).astype(np.float32) * np.float32(scale))


def fp8_bytes(rng, *shape):
    """Every byte but the two NaNs."""
    raw = rng.integers(0, 254, shape, dtype=np.uint8)
    raw = raw + (raw >= 127).astype(np.uint8)
    return torch.from_numpy(raw).view(torch.float8_e4m3fn)


def scales(rng, *shape):
    return torch.from_numpy(rng.uniform(1e-4, 3e-3, shape).astype(np.float32))


def fp8_cases(rng):
    method = {"quant_method": "fp8", "activation_scheme": "dynamic", "fmt": "e4m3"}
    tensors, expected = {}, {}
    for name, rows, cols in ((Q, 130, 132), (K, 9, 40)):
        weight, scale = fp8_bytes(rng, rows, cols), scales(rng, -(-rows // 128), -(-cols // 128))
        tensors |= {f"{name}.weight": weight, f"{name}.weight_scale_inv": scale}
        expected[f"{name}.weight"] = _dequantize_fp8_weight(weight, scale, [128, 128], F32)
    save("fp8_blocks", method | {"weight_block_size": [128, 128]}, tensors, expected)

    blocks = method | {"weight_block_size": [16, 8], "scale_fmt": "ue8m0"}
    weight, scale = fp8_bytes(rng, 2, 20, 28), scales(rng, 2, 2, 4).to(torch.bfloat16)
    small, power = fp8_bytes(rng, 20, 24), torch.tensor([[118, 117, 119], [120, 121, 1]])
    power = power.to(torch.uint8).view(torch.float8_e8m0fnu)
    save("fp8_experts", blocks,
         {f"{EXPERTS}.gate_up_proj": weight, f"{EXPERTS}.gate_up_proj_scale_inv": scale,
          f"{Q}.weight": small, f"{Q}.weight_scale_inv": power},
         {f"{EXPERTS}.gate_up_proj": _dequantize_fp8_weight(weight, scale, [16, 8], F32),
          f"{Q}.weight": _dequantize_fp8_weight(small, power.to(F32), [16, 8], F32)})

    weight, scale = fp8_bytes(rng, 12, 40), scales(rng)
    save("fp8_tensor", method | {"activation_scheme": "static", "weight_block_size": None},
         {f"{Q}.weight": weight, f"{Q}.weight_scale_inv": scale,
          f"{Q}.activation_scale": scales(rng)},
         {f"{Q}.weight": _dequantize_fp8_weight(weight, scale, None, F32)})

    weight, scale = fp8_bytes(rng, 12, 40), scales(rng, 12, 1)
    save("fp8_rows", {"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0},
         {f"{Q}.weight": weight, f"{Q}.weight_scale": scale},
         {f"{Q}.weight": weight.to(F32) * scale})


def mxfp4_case(rng):
    tensors, expected = {}, {}
    for name, shape in (("gate_up_proj", (2, 6, 2)), ("down_proj", (2, 5, 3))):
        blocks = torch.from_numpy(rng.integers(0, 256, (*shape, 16), dtype=np.uint8))
        power = torch.from_numpy(rng.integers(110, 130, shape, dtype=np.uint8))
        power[0, 0, 0], power[0, 1, 0], power[1, 0, 0] = 0, 1, 252
        tensors |= {f"{EXPERTS}.{name}_blocks": blocks, f"{EXPERTS}.{name}_scales": power}
        # The oracle hands out [expert, in, out].
        values = convert_moe_packed_tensors(blocks, power, dtype=F32)
        expected[f"{EXPERTS}.{name}_blocks"] = values.transpose(1, 2)
    tensors[f"{Q}.weight"] = normal(rng, 4, 32).to(torch.bfloat16)
    save("mxfp4", {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]},
         tensors, expected | {f"{Q}.weight": tensors[f"{Q}.weight"]})


def bnb_parts(name, packed, state):
    parts = {name: packed}
    return parts | {f"{name}.{key}": value for key, value in state.as_dict(packed=True).items()}


def bitsandbytes_cases(rng):
    for case, kind, nested, block in (("nf4", "nf4", False, 64), ("nf4_double", "nf4", True, 64),
                                      ("fp4", "fp4", False, 64), ("fp4_double", "fp4", True, 128)):
        tensors, expected = {}, {}
        for name, rows, cols in ((Q, 24, 96), (K, 15, 36)):
            packed, state = bnb.quantize_4bit(normal(rng, rows, cols), blocksize=block,
                                              compress_statistics=nested, quant_type=kind)
            tensors |= bnb_parts(f"{name}.weight", packed, state)
            expected[f"{name}.weight"] = bnb.dequantize_4bit(packed, state)
        save(f"bitsandbytes_{case}",
             {"quant_method": "bitsandbytes", "_load_in_4bit": True, "load_in_4bit": True,
              "bnb_4bit_quant_type": kind, "bnb_4bit_use_double_quant": nested,
              "llm_int8_skip_modules": None}, tensors, expected)
    tensors, expected = {}, {}
    for name, rows, cols in ((Q, 12, 96), (K, 7, 36)):
        weight, stats, _ = bnb.int8_vectorwise_quant(normal(rng, rows, cols).to(torch.float16))
        tensors |= {f"{name}.weight": weight, f"{name}.SCB": stats,
                    f"{name}.weight_format": torch.tensor(0, dtype=torch.uint8)}
        expected[f"{name}.weight"] = bnb.int8_vectorwise_dequant(weight, stats)
    save("bitsandbytes_int8", {"quant_method": "bitsandbytes", "load_in_8bit": True},
         tensors, expected)


def pack_columns(q, bits):
    """[in, out] into words [in * bits / 32, out], the first of a column lowest."""
    n = 32 // bits
    words = q.reshape(q.shape[0] // n, n, q.shape[1]).astype(np.uint32)
    return sum(words[:, i] << np.uint32(bits * i) for i in range(n)).astype(np.uint32)


def pack_rows(q, bits, order=None):
    """[n, out] into words [n, out * bits / 32]; `order`: which one stands at which place."""
    n = 32 // bits
    words = q.reshape(q.shape[0], q.shape[1] // n, n).astype(np.uint32)
    order = order or range(n)
    packed = sum(words[..., row] << np.uint32(bits * i) for i, row in enumerate(order))
    return packed.astype(np.uint32)


def tensor_of(words):
    return torch.from_numpy(words.view(np.int32))


def unpack_gptq(qweight, qzeros, scale, g_idx, bits, version):
    shifts = torch.arange(0, 32, bits, dtype=torch.int32)
    if version == "gptq":
        qzeros = qzeros + (0x11111111 if bits == 4 else 0x01010101)
    zeros = (qzeros[:, :, None] >> shifts) & (2**bits - 1)
    zeros = zeros.reshape(zeros.shape[0], -1)
    q = (qweight[:, None, :] >> shifts[None, :, None]) & (2**bits - 1)
    q = q.reshape(-1, qweight.shape[1])
    values = scale.to(F32)[g_idx.long()] * (q - zeros[g_idx.long()]).to(F32)
    return values.T


def unpack_awq(qweight, qzeros, scale, group):
    shifts = torch.arange(0, 32, 4, dtype=torch.int32)
    reverse = [0, 4, 1, 5, 2, 6, 3, 7]

    def columns(words):
        return ((words[:, :, None] >> shifts) & 15)[:, :, reverse].reshape(words.shape[0], -1)

    zeros = columns(qzeros).repeat_interleave(group, dim=0)
    scale = scale.to(F32).repeat_interleave(group, dim=0)
    return ((columns(qweight) - zeros).to(F32) * scale).T


def gptq_matrix(rng, name, bits, group, cols, rows, sym, act_order, version):
    count = -(-cols // group)
    q = rng.integers(0, 2**bits, (cols, rows))
    zeros = np.full((count, rows), 2 ** (bits - 1))
    if not sym:
        zeros = rng.integers(0, 2**bits, (count, rows))
    order = np.arange(cols) // group
    if act_order:
        rng.shuffle(order)
    stored = pack_rows(zeros, bits)
    if version == "gptq":
        stored = stored - np.uint32(0x11111111 if bits == 4 else 0x01010101)
    scale = torch.from_numpy(rng.uniform(1e-3, 2e-2, (count, rows)).astype(np.float16))
    parts = {"qweight": tensor_of(pack_columns(q, bits)), "qzeros": tensor_of(stored),
             "scales": scale, "g_idx": torch.from_numpy(order.astype(np.int32))}
    values = unpack_gptq(*parts.values(), bits, version)
    plain = (q - zeros[order]).astype(np.float32) * scale.numpy().astype(np.float32)[order]
    assert np.array_equal(values.numpy(), plain.T)
    return {f"{name}.{part}": value for part, value in parts.items()}, {f"{name}.weight": values}


def gptq_cases(rng):
    for case, bits, group, sym, act_order, version in (
            ("gptq_4", 4, 32, True, False, "gptq"), ("gptq_4_asym", 4, 64, False, False, "gptq"),
            ("gptq_4_act_order", 4, 32, False, True, "gptq"), ("gptq_4_v2", 4, -1, False, False, "gptq_v2"),
            ("gptq_8", 8, 32, True, False, "gptq"), ("gptq_8_asym", 8, 32, False, False, "gptq_v2")):
        tensors, expected = {}, {}
        for name, rows, cols in ((Q, 24, 96), (K, 8, 64)):
            size = cols if group == -1 else group
            more, values = gptq_matrix(rng, name, bits, size, cols, rows, sym, act_order, version)
            tensors |= more
            expected |= values
        save(case, {"quant_method": "gptq", "bits": bits, "group_size": group, "sym": sym,
                    "desc_act": act_order, "damp_percent": 0.01, "true_sequential": True,
                    "checkpoint_format": version}, tensors, expected)


def awq_case(rng):
    tensors, expected = {}, {}
    for name, rows, cols in ((Q, 24, 96), (K, 8, 64)):
        q, zeros = rng.integers(0, 16, (cols, rows)), rng.integers(0, 16, (cols // 32, rows))
        order = [0, 2, 4, 6, 1, 3, 5, 7]
        scale = torch.from_numpy(rng.uniform(1e-3, 2e-2, zeros.shape).astype(np.float16))
        parts = {"qweight": tensor_of(pack_rows(q, 4, order)),
                 "qzeros": tensor_of(pack_rows(zeros, 4, order)), "scales": scale}
        tensors |= {f"{name}.{part}": value for part, value in parts.items()}
        expected[f"{name}.weight"] = unpack_awq(*parts.values(), 32)
        plain = (q - zeros.repeat(32, 0)) * scale.numpy().astype(np.float32).repeat(32, 0)
        assert np.array_equal(expected[f"{name}.weight"].numpy(), plain.T.astype(np.float32))
    save("awq", {"quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": True,
                 "version": "gemm", "modules_to_not_convert": None}, tensors, expected)


def compressed(form, weights, activations=None):
    return {"quant_method": "compressed-tensors", "format": form, "ignore": ["lm_head"],
            "kv_cache_scheme": None, "quantization_status": "compressed",
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights,
                                          "input_activations": activations,
                                          "output_activations": None}}}


def compressed_cases(rng):
    weight, scale = fp8_bytes(rng, 12, 40), scales(rng, 12, 1).to(torch.bfloat16)
    one, single = fp8_bytes(rng, 8, 24), scales(rng, 1)
    save("compressed_float",
         compressed("float-quantized", {"num_bits": 8, "type": "float", "strategy": "channel",
                                        "symmetric": True, "dynamic": False}),
         {f"{Q}.weight": weight, f"{Q}.weight_scale": scale, f"{Q}.input_scale": scales(rng, 1),
          f"{K}.weight": one, f"{K}.weight_scale": single},
         {f"{Q}.weight": weight.to(F32) * scale.to(F32), f"{K}.weight": one.to(F32) * single})
    weight = torch.from_numpy(rng.integers(-128, 128, (12, 64), dtype=np.int8))
    scale = scales(rng, 12, 1).to(torch.float16)
    save("compressed_int",
         compressed("int-quantized", {"num_bits": 8, "type": "int", "strategy": "channel",
                                      "symmetric": True}),
         {f"{Q}.weight": weight, f"{Q}.weight_scale": scale},
         {f"{Q}.weight": weight.to(F32) * scale.to(F32)})
    for case, bits, symmetric in (("packed_4", 4, True), ("packed_4_asym", 4, False),
                                  ("packed_8", 8, True)):
        tensors, expected = {}, {}
        half = 2 ** (bits - 1)
        for name, rows, cols, group in ((Q, 24, 96, 32), (K, 9, 64, 32)):
            q = torch.from_numpy(rng.integers(-half, half, (rows, cols), dtype=np.int8))
            scale = scales(rng, rows, cols // group).to(torch.bfloat16)
            zero = torch.zeros((rows, cols // group), dtype=torch.int8)
            tensors |= {f"{name}.weight_packed": pack_to_int32(q, bits),
                        f"{name}.weight_scale": scale,
                        f"{name}.weight_shape": torch.tensor([rows, cols])}
            if not symmetric:
                zero = torch.from_numpy(rng.integers(-half, half, zero.shape, dtype=np.int8))
                tensors[f"{name}.weight_zero_point"] = pack_to_int32(zero, bits, packed_dim=0)
            spread = [part.to(F32).repeat_interleave(group, dim=1) for part in (zero, scale)]
            expected[f"{name}.weight"] = (q.to(F32) - spread[0]) * spread[1]
        save(f"compressed_{case}",
             compressed("pack-quantized", {"num_bits": bits, "type": "int", "strategy": "group",
                                           "group_size": 32, "symmetric": symmetric}),
             tensors, expected)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    for seed, make in enumerate((fp8_cases, mxfp4_case, bitsandbytes_cases, gptq_cases, awq_case,
                                 compressed_cases)):
        make(np.random.default_rng(seed))


if __name__ == "__main__":
    main()
