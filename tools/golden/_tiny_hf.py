"""Tiny checkpoints as Hugging Face folders, with the names that transformers' own save_pretrained
writes (for most families those of the published checkpoints) unless a case lays them out otherwise.
"""

import json

import torch
from safetensors.torch import save_file
from transformers.core_model_loading import revert_weight_conversion

import _tiny_layouts as layouts
import _tiny_tokenizer
from _tiny_case import FAMILIES, Case

TORCH_DTYPE = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
# Kept in float32 by publishers whatever the rest is.
ALWAYS_F32 = ("e_score_correction_bias", "A_log")


def rounded(arrays: dict, form: str) -> dict:
    """Tensors of `form` by transformers' own names."""
    return {
        name: torch.from_numpy(array).to(
            torch.float32 if name.endswith(ALWAYS_F32) else TORCH_DTYPE[form]
        )
        for name, array in arrays.items()
    }


def on_disk(case: Case, model, tensors: dict) -> tuple[dict, dict]:
    """From the names (and fused experts) of the classes in memory to those of files; also what the
    files mean by the former names."""
    if "wrap" in case.layout:
        disk = layouts.wrap(case, tensors)
    else:
        disk = revert_weight_conversion(model, tensors)
    if "fuse" in case.layout:
        disk = layouts.fuse_experts(disk)
    if "mtp" in case.layout:
        disk = layouts.add_mtp(case, disk)
    if "prediction" in case.layout:
        disk = layouts.add_prediction_layer(case, disk)
    changed = {}
    if "mxfp4" in case.layout:
        disk, changed = layouts.pack_experts(disk)
    disk = {name: tensor.contiguous().clone() for name, tensor in sorted(disk.items())}
    return disk, tensors | changed


def saved_config(case: Case, dtype: torch.dtype) -> dict:
    """What save_pretrained writes."""
    config, kind = case.make_config(), FAMILIES[case.family].model
    if "wrap" in case.layout:
        config, kind = layouts.wrapper_config(case), layouts.WRAPPERS[case.family][1]
        config.text_config.dtype = config.vision_config.dtype = dtype
    config.architectures, config.dtype = [kind.__name__], dtype
    return json.loads(config.to_json_string(use_diff=True))


def config_json(case: Case, transformers_version: str) -> dict:
    dtype = TORCH_DTYPE[case.form]
    name = str(dtype).removeprefix("torch.")
    if case.config == "saved":
        return saved_config(case, dtype) | case.published
    kind = FAMILIES[case.family].model.__name__
    result = {"architectures": [kind], "model_type": case.family} | case.settings()
    if case.config == "plain":
        versions = {"dtype": name, "transformers_version": transformers_version}
        return result | versions | case.published
    rope = dict(result.pop("rope_parameters"))
    result["rope_theta"] = rope.pop("rope_theta")
    if "partial_rotary_factor" in rope:
        result["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
    result["rope_scaling"] = rope if rope["rope_type"] != "default" else None
    if case.config == "older" and result["rope_scaling"] is not None:
        rope["type"] = rope.pop("rope_type")
    return result | {"torch_dtype": name, "transformers_version": "4.45.0"} | case.published


def save(tensors: dict, path) -> None:
    save_file(tensors, path, metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors makes its files private


def write(folder, config: dict, tensors: dict, shards: int) -> None:
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
