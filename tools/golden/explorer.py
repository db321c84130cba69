"""What transformers sees inside the tiny models, for the tests of the Explorer's feed.

    python tools/golden/explorer.py [--out tests/golden/explorer]

For each of the models a prompt of 40 tokens goes through transformers (eager attention, float32):
log probabilities, the entropy of each position, the last token's attention row of every head, the
whole matrix of one head, the experts that each token visits with their weights and all router
scores. Each becomes MODEL.npz. `ids` is the prompt of tests/golden/models.
"""

import argparse
import json
import pathlib

import _pins

_pins.check()

import numpy as np
import torch
import transformers

transformers.logging.disable_progress_bar()
transformers.logging.set_verbosity_error()
ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ["llama_f32", "mixtral", "mistral_window", "deepseek_v3", "deepseek_v2_lite",
          "gpt_oss_bf16", "qwen3_moe"]
LENGTH = 40
MATRIX_LAYER, MATRIX_HEAD = 1, 1


def watch_experts(model, seen):
    """The ids and weights that each layer's experts are given, token by token."""
    def hook(layer):
        def take(_, inputs, kwargs):
            values = list(inputs) + list(kwargs.values())
            ids = next(v for v in values if not torch.is_floating_point(v))
            weights = values[[v is ids for v in values].index(True) + 1]
            seen[layer] = ids.numpy().copy(), weights.detach().float().numpy().copy()
        return take
    for index, layer in enumerate(model.model.layers):
        experts = getattr(layer.mlp, "experts", None)
        if experts is not None:
            experts.register_forward_pre_hook(hook(index), with_kwargs=True)


def look(name):
    folder = ROOT / "tests" / "golden" / "models" / name
    expected = json.loads((folder / "expected.json").read_text())
    ids = next(p["ids"] for p in expected["prompts"] if len(p["ids"]) == LENGTH)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder / "hf", dtype=torch.float32, attn_implementation="eager").eval()
    experts = {}
    watch_experts(model, experts)
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_attentions=True, use_cache=False)
    logprobs = out.logits[0].double().log_softmax(-1)
    attention = torch.stack([a[0] for a in out.attentions])  # [layers, heads, queries, keys]
    result = {
        "ids": np.array(ids, np.int32),
        "logprobs": logprobs[torch.arange(LENGTH - 1), torch.tensor(ids[1:])].float().numpy(),
        "entropy": -(logprobs.exp() * logprobs).sum(-1).float().numpy(),
        "last": logprobs[-1].float().numpy(),
        "rows": attention[:, :, -1].numpy(),
        "matrix": attention[MATRIX_LAYER, MATRIX_HEAD].numpy(),
        "matrix_at": np.array([MATRIX_LAYER, MATRIX_HEAD], np.int32),
        "expert_layers": np.array(sorted(experts), np.int32),
    }
    if experts:
        result["experts"] = np.stack([experts[l][0] for l in sorted(experts)]).astype(np.int16)
        result["weights"] = np.stack([experts[l][1] for l in sorted(experts)])
        margins = {r["layer"]: r["margins"] for r in expected["routing"]}
        assert sorted(margins) == sorted(experts), "the same layers"
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "tests" / "golden" / "explorer")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        result = look(name)
        np.savez(out / f"{name}.npz", **result)
        print(f"{name}: {result['rows'].shape}, experts in layers {result['expert_layers'].tolist()}")


if __name__ == "__main__":
    main()
