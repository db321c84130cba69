"""Tiny seeded checkpoints of the llama and mistral families with transformers' answers.

    python tools/golden/models.py [--out tests/golden/models] [case ...]

Each case becomes a folder: the checkpoint (hf/ and model.gguf hold the same weights), and what
transformers computes from it in float32 (expected.json, *.npy; tests/golden/README.md says
what they hold).
Made twice on one machine, the bytes are the same; the checkpoints are the same on every machine.
"""

import argparse
import dataclasses
import json
import pathlib
import shutil

import _pins

PINS = _pins.check()

import numpy as np
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

import _tiny_checkpoint
import _tiny_tokenizer

transformers.logging.disable_progress_bar()
CLASSES = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "mistral": (MistralConfig, MistralForCausalLM),
}
LENGTHS = (1, 7, 40, 100, 150)
# Logits are kept at the last 6 positions, of the longest prompt also at these: both sides of the
# window (16), of the original context (64) and of the block and page sizes between.
KEPT = (0, 1, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128)
RESIDUAL_LENGTH, GREEDY_LENGTH, GREEDY_TOKENS = 7, 40, 24
GREEDY_GAP = 0.1  # logits: well above the error of any kernel that passes the comparison

BASE = dict(
    vocab_size=_tiny_tokenizer.VOCAB,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    max_position_embeddings=256,
    rms_norm_eps=1e-5,
    tie_word_embeddings=True,
    attention_bias=False,
    mlp_bias=False,
    hidden_act="silu",
    bos_token_id=_tiny_tokenizer.BOS,
    eos_token_id=_tiny_tokenizer.EOS,
    rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
)
# No dimension is a multiple of 64 (blocks of 32 leave a short last group of 256).
ODD = dict(hidden_size=96, intermediate_size=160, num_attention_heads=6, num_key_value_heads=2)
# Rows of one block of 256.
WIDE = dict(
    hidden_size=256,
    intermediate_size=256,
    num_attention_heads=4,
    num_key_value_heads=1,
    head_dim=64,
    num_hidden_layers=1,
)
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
PLAIN_ROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}


@dataclasses.dataclass
class Case:
    name: str
    changes: dict  # to BASE
    form: str = "BF16"  # of every matrix; "Q4_K_M": llama.cpp's mix
    family: str = "llama"
    shards: int = 1
    old_config: bool = False  # config.json with rope_theta, rope_scaling and torch_dtype
    # Changes of config that must move the logits: proof that the case tests what it is there for.
    ablations: tuple = ()


CASES = [
    Case("llama_f32", {"tie_word_embeddings": False}, "F32"),
    Case("llama_f16", {}, "F16", old_config=True),
    Case("llama_bf16_sharded", {"rms_norm_eps": 1e-6, "tie_word_embeddings": False}, shards=3),
    Case("llama_bf16", {}, old_config=True),
    Case(
        "llama_rope_llama3", {"rope_parameters": LLAMA3}, old_config=True, ablations=(PLAIN_ROPE,)
    ),
    Case(
        "llama_rope_llama3_32",
        {"rope_parameters": LLAMA3 | {"factor": 32.0, "rope_theta": 5e5}},
        ablations=(PLAIN_ROPE,),
    ),
    Case(
        "llama_rope_linear",
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}},
        ablations=(PLAIN_ROPE,),
    ),
    Case(
        "llama_bias",
        {"attention_bias": True, "mlp_bias": True},
        ablations=({"attention_bias": False}, {"mlp_bias": False}),
    ),
    Case("llama_heads", {"num_key_value_heads": 4, "head_dim": 24}),
    Case("llama_odd", ODD | {"num_hidden_layers": 1}),
    Case(
        "mistral_window",
        {"sliding_window": 16, "num_key_value_heads": 1, "tie_word_embeddings": False},
        family="mistral",
        ablations=({"sliding_window": None}, {"sliding_window": 17}, {"sliding_window": 15}),
    ),
    Case(
        "mistral_full",
        {"sliding_window": None},
        family="mistral",
        ablations=({"sliding_window": 16},),
    ),
    *(
        Case(f"llama_{form.lower()}", ODD | {"tie_word_embeddings": False}, form)
        for form in ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL")
    ),
    *(
        Case(f"llama_{form.lower()}", WIDE, form)
        for form in ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS")
    ),
    Case("llama_q4_k_m", WIDE | {"num_hidden_layers": 2, "num_key_value_heads": 2}, "Q4_K_M"),
]


def settings(case: Case) -> dict:
    result = BASE | case.changes
    if case.family == "mistral":  # its config class has no biases
        result = {k: v for k, v in result.items() if k not in ("attention_bias", "mlp_bias")}
    return result


def make_config(case: Case, changes: dict | None = None):
    kind, _ = CLASSES[case.family]
    return kind(**(settings(case) | (changes or {})), attn_implementation="eager")


def make_model(case: Case, tensors: dict | None = None, changes: dict | None = None):
    _, kind = CLASSES[case.family]
    torch.manual_seed(0)
    model = kind(make_config(case, changes)).to(torch.float32).eval()
    if tensors is not None:
        wanted = dict(model.named_parameters())
        model.load_state_dict(
            {n: t.float() for n, t in tensors.items() if n in wanted},
            strict=not model.config.tie_word_embeddings,
        )
    return model


def config_json(case: Case) -> dict:
    """config.json as the publishers write it: today's keys, or those of 2024."""
    _, kind = CLASSES[case.family]
    result = {"architectures": [kind.__name__], "model_type": case.family} | settings(case)
    dtype = str(_tiny_checkpoint.TORCH_DTYPE[case.form]).removeprefix("torch.")
    if not case.old_config:
        return result | {"dtype": dtype, "transformers_version": PINS["transformers"]}
    rope = dict(result.pop("rope_parameters"))
    result["rope_theta"] = rope.pop("rope_theta")
    result["rope_scaling"] = rope if rope["rope_type"] != "default" else None
    return result | {"torch_dtype": dtype, "transformers_version": "4.45.0"}


def form_of(case: Case):
    """The format of each matrix; Q4_K_M gives values, down and embedding 6 bits, the rest 4."""
    if case.form != "Q4_K_M":
        return lambda name: case.form
    six = ("v_proj", "down_proj", "embed_tokens")
    return lambda name: "Q6_K" if any(s in name for s in six) else "Q4_K"


def write_checkpoints(case: Case, out: pathlib.Path, seed: int):
    """Writes the case's files and returns the oracle: transformers' model with their weights."""
    model = make_model(case)
    arrays = _tiny_checkpoint.weights(model, seed)
    if case.form in _tiny_checkpoint.TORCH_DTYPE:
        tensors = _tiny_checkpoint.rounded(arrays, case.form)
        _tiny_checkpoint.write_hf(out / "hf", config_json(case), tensors, case.shards)
        arrays = {n: t.float().numpy() for n, t in tensors.items()}
    meaning = _tiny_checkpoint.write_gguf(
        out / "model.gguf", f"tiny {case.name}", model.config, arrays, form_of(case), seed + 1
    )
    if not (out / "hf").exists():
        return make_model(case, meaning), meaning
    # transformers reads the very folder; the GGUF file must mean the same numbers.
    for name, tensor in tensors.items():
        assert torch.equal(meaning[name], tensor.float()), name
    _, kind = CLASSES[case.family]
    model = kind.from_pretrained(out / "hf", dtype=torch.float32, attn_implementation="eager")
    assert model.config.rope_parameters == make_config(case).rope_parameters
    return model.eval(), meaning


@torch.no_grad()
def run(model, ids: list[int]):
    """Logits [tokens, vocab] and the residual stream [layers + 1, tokens, hidden]: the embedding,
    then what leaves each layer (before the last norm, unlike transformers' last hidden state)."""
    stream = []
    hooks = [
        layer.register_forward_hook(
            lambda _, inputs, output: stream.append(
                output[0] if isinstance(output, tuple) else output
            )
        )
        for layer in model.model.layers
    ]
    first = model.model.layers[0].register_forward_pre_hook(
        lambda _, inputs: stream.append(inputs[0])
    )
    logits = model(torch.tensor([ids]), use_cache=False).logits[0].numpy()
    for hook in [*hooks, first]:
        hook.remove()
    return logits, np.stack([s.reshape(len(ids), -1).numpy() for s in stream])


def greedy(model) -> dict:
    """The next tokens (end tokens do not stop) and by how much each beat the second best, of the
    first prompt where no step is close to a tie: a tie tests nothing but rounding."""
    for attempt in range(1000):
        ids, chosen, gaps = prompt(GREEDY_LENGTH, attempt), [], []
        while len(chosen) < GREEDY_TOKENS:
            logits, _ = run(model, ids + chosen)
            best = np.argsort(-logits[-1], kind="stable")[:2]
            gap = float(logits[-1][best[0]] - logits[-1][best[1]])
            if gap < GREEDY_GAP:
                break
            chosen.append(int(best[0]))
            gaps.append(round(gap, 6))
        else:
            return {"ids": ids, "next": chosen, "gaps": gaps}
    raise SystemExit("golden: every prompt comes to a tie")


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def prompt(length: int, attempt: int = 0) -> list[int]:
    """Any ids but the special ones; a longer prompt is no continuation of a shorter one."""
    rng = np.random.default_rng([length, attempt])
    return rng.integers(3, _tiny_tokenizer.VOCAB, length).tolist()


def dump(value, depth: int = 0) -> str:
    """JSON with one line for each list of numbers."""
    pad = " " * (depth + 1)
    if isinstance(value, dict):
        items = [f"{pad}{json.dumps(k)}: {dump(v, depth + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(items) + "\n" + pad[1:] + "}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        items = [pad + dump(v, depth + 1) for v in value]
        return "[\n" + ",\n".join(items) + "\n" + pad[1:] + "]"
    return json.dumps(value, ensure_ascii=False)


def make_case(case: Case, root: pathlib.Path, seed: int) -> None:
    out = root / case.name
    shutil.rmtree(out, ignore_errors=True)
    model, tensors = write_checkpoints(case, out, seed)
    prompts = []
    for length in LENGTHS:
        ids = prompt(length)
        logits, residuals = run(model, ids)
        kept = [
            p
            for p in range(length)
            if p >= length - 6 or length == LENGTHS[1] or length == LENGTHS[-1] and p in KEPT
        ]
        np.save(out / f"logits_{length}.npy", logits[kept])
        prompts.append({"ids": ids, "positions": kept, "logits": f"logits_{length}.npy"})
        if length == RESIDUAL_LENGTH:
            np.save(out / "residuals.npy", residuals)
    effects = []
    for changes in case.ablations:
        other, _ = run(make_model(case, tensors, changes), ids)
        effects.append(distance(other, logits))
        assert effects[-1] > 0.05, f"{case.name}: {changes} moves the logits by {effects[-1]} only"
    continued = greedy(model)
    expected = {
        "oracle": f"transformers {PINS['transformers']} {type(model).__name__}, float32, eager",
        "checkpoints": [c for c in ("hf", "model.gguf") if (out / c).exists()],
        "format": case.form,
        "prompts": prompts,
        "residuals": {"ids": prompt(RESIDUAL_LENGTH), "file": "residuals.npy"},
        "greedy": continued,
    }
    (out / "expected.json").write_text(dump(expected) + "\n")
    size = sum(f.stat().st_size for f in out.rglob("*") if f.is_file())
    print(
        f"{case.name:24} {size / 1000:5.0f} kB  spread of logits {logits.std():.2f}  smallest "
        f"greedy gap {min(continued['gaps']):.3f}  ablations {[round(e, 3) for e in effects]}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, default=_pins.GOLDEN / "models")
    parser.add_argument("cases", nargs="*", help="only these")
    arguments = parser.parse_args()
    for i, case in enumerate(CASES):
        if not arguments.cases or case.name in arguments.cases:
            make_case(case, arguments.out, seed=100 * (i + 1))


if __name__ == "__main__":
    main()
