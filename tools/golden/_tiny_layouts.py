"""Where published checkpoints differ from what save_pretrained writes: layers that only predict
ahead, text models inside image models, experts in one tensor, experts of four bits."""

import re

import numpy as np
import torch
import transformers as hf
from transformers.core_model_loading import revert_weight_conversion
from transformers.integrations.mxfp4 import FP4_VALUES, convert_moe_packed_tensors
from transformers.models.llama4 import Llama4Config, Llama4ForConditionalGeneration

# An image model around the text model: its classes and the settings of its eyes. No test looks
# through them; their tensors are there to be passed over.
EYES = dict(hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
QWEN_EYES = dict(
    depth=1,
    hidden_size=16,
    intermediate_size=16,
    num_heads=2,
    out_hidden_size=64,
    num_position_embeddings=16,
    patch_size=4,
)
LLAMA4_EYES = EYES | dict(
    image_size=16,
    patch_size=8,
    vision_output_dim=32,
    projector_input_dim=32,
    projector_output_dim=32,
    vision_feature_select_strategy="default",
)
WRAPPERS = {
    "ministral3": (
        hf.Mistral3Config,
        hf.Mistral3ForConditionalGeneration,
        EYES | {"model_type": "pixtral", "image_size": 32, "patch_size": 8},
    ),
    "mistral4": (
        hf.Mistral3Config,
        hf.Mistral3ForConditionalGeneration,
        EYES | {"model_type": "pixtral", "image_size": 32, "patch_size": 8},
    ),
    "qwen3_5_text": (hf.Qwen3_5Config, hf.Qwen3_5ForConditionalGeneration, QWEN_EYES),
    "qwen3_5_moe_text": (hf.Qwen3_5MoeConfig, hf.Qwen3_5MoeForConditionalGeneration, QWEN_EYES),
    "llama4_text": (Llama4Config, Llama4ForConditionalGeneration, LLAMA4_EYES),
}


def random_like(tensor: torch.Tensor, rng) -> torch.Tensor:
    values = rng.standard_normal(tuple(tensor.shape), dtype=np.float32)
    return torch.from_numpy(values).to(tensor.dtype)


def add_prediction_layer(case, disk: dict) -> dict:
    """The layer after the last one, as DeepSeek-V3 and GLM-4 publish it: a copy of the last layer
    in shape, with its own embedding and head, never run by the main loop."""
    rng = np.random.default_rng(0)
    layers = case.settings()["num_hidden_layers"]
    last, extra = f"model.layers.{layers - 1}.", f"model.layers.{layers}."
    result = dict(disk)
    for name, tensor in disk.items():
        if name.startswith(last):
            result[extra + name.removeprefix(last)] = random_like(tensor, rng)
    embedding, norm = disk["model.embed_tokens.weight"], disk["model.norm.weight"]
    width = len(norm)
    result[extra + "embed_tokens.weight"] = random_like(embedding, rng)
    result[extra + "shared_head.head.weight"] = random_like(embedding, rng)
    result[extra + "eh_proj.weight"] = random_like(embedding[:width].repeat(1, 2), rng)
    for part in ("enorm", "hnorm", "shared_head.norm"):
        result[extra + part + ".weight"] = random_like(norm, rng)
    return result


def add_mtp(case, disk: dict) -> dict:
    """The same as Qwen3-Next and Qwen3.5 publish it: under mtp., with neither embedding nor head."""
    rng = np.random.default_rng(0)
    layers = case.settings()["num_hidden_layers"]
    last = re.compile(rf"model\.(language_model\.)?layers\.{layers - 1}\.")
    result = dict(disk)
    for name, tensor in disk.items():
        if last.match(name):
            result[last.sub("mtp.layers.0.", name)] = random_like(tensor, rng)
    norm = next(t for n, t in disk.items() if n.endswith("model.norm.weight"))
    result["mtp.fc.weight"] = random_like(norm.repeat(len(norm), 2), rng)
    for part in ("norm", "pre_fc_norm_embedding", "pre_fc_norm_hidden"):
        result[f"mtp.{part}.weight"] = random_like(norm, rng)
    return result


def wrapper_config(case):
    kind, _, eyes = WRAPPERS[case.family]
    text = case.make_config().to_dict() | {"model_type": case.family}
    tied = case.settings()["tie_word_embeddings"]
    return kind(text_config=text, vision_config=dict(eyes), tie_word_embeddings=tied)


def wrap(case, tensors: dict) -> dict:
    """From the text model's own names to those on disk of the image model around it."""
    _, kind, _ = WRAPPERS[case.family]
    torch.manual_seed(0)
    model = kind(wrapper_config(case))
    rng = np.random.default_rng(0)
    whole = {}
    for name, tensor in model.state_dict().items():
        inner = name.replace("language_model.", "")
        # Llama 4 keeps the whole language model with its head inside, the others only its layers.
        inner = inner.replace("model.model.", "model.")
        if inner in tensors:
            whole[name] = tensors[inner]
        else:
            whole[name] = random_like(tensor, rng).to(torch.bfloat16)
    missing = set(tensors) - {n.replace("language_model.", "") for n in whole}
    assert not missing, missing
    return revert_weight_conversion(model, whole)


def fuse_experts(disk: dict) -> dict:
    """Experts N.gate_proj, N.up_proj, N.down_proj -> gate_up_proj [E, 2 I, H] and down_proj [E, H,
    I]."""
    result, parts = {}, {}
    for name, tensor in disk.items():
        found = re.fullmatch(r"(.*\.experts)\.(\d+)\.(gate|up|down)_proj\.weight", name)
        if found:
            parts.setdefault(found[1], {})[int(found[2]), found[3]] = tensor
        else:
            result[name] = tensor
    for stem, experts in parts.items():
        count = max(i for i, _ in experts) + 1
        both = [torch.cat([experts[i, "gate"], experts[i, "up"]]) for i in range(count)]
        result[f"{stem}.gate_up_proj"] = torch.stack(both)
        result[f"{stem}.down_proj"] = torch.stack([experts[i, "down"] for i in range(count)])
    return result


def to_mxfp4(tensor: torch.Tensor):
    """Experts [E, inputs, outputs] as blocks [E, outputs, inputs / 32, 16] and scales [E, outputs,
    inputs / 32], and what they mean. A byte holds two neighbours, the first in its low half; a
    scale is an exponent of two, 127 for one."""
    values = tensor.float().transpose(1, 2)
    groups = values.reshape(*values.shape[:2], -1, 32)
    exponents = torch.floor(torch.log2(groups.abs().amax(-1))) - 2
    table = torch.tensor(FP4_VALUES)
    codes = (groups * 2 ** -exponents[..., None])[..., None].sub(table).abs().argmin(-1)
    blocks = (codes[..., ::2] | codes[..., 1::2] << 4).to(torch.uint8)
    scales = (exponents + 127).to(torch.uint8)
    meaning = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
    assert meaning.shape == tensor.shape
    assert (meaning - tensor.float()).norm() < 0.2 * tensor.float().norm()
    return blocks, scales, meaning


def pack_experts(disk: dict):
    """The same names with four-bit experts, and {name: meaning} of these."""
    result, meaning = {}, {}
    for name, tensor in disk.items():
        if name.endswith((".experts.gate_up_proj", ".experts.down_proj")):
            blocks, scales, meaning[name] = to_mxfp4(tensor)
            result |= {name + "_blocks": blocks, name + "_scales": scales}
        else:
            result[name] = tensor
    return result, meaning
