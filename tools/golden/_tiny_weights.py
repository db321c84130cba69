"""Seeded weights for any (empty) transformers model. Everything random comes from numpy's PCG64,
whose stream is the same on every machine."""

import math

import numpy as np

LAYER_GAIN = 0.4
# A token's experts share its output: their weights sum to one or less.
EXPERT_GAIN = 1.5
CLAMPED_GAIN = 4.0  # so that some reach gpt-oss's limit of 7
TRANSPOSED = ("gpt_oss", "llama4_text")  # experts of [inputs, outputs]
ONE_PLUS = ("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text")  # norms multiply by 1 + weight


def inputs_of(name: str, shape, config) -> int:
    """How many numbers a row of this matrix multiplies."""
    if ".experts." in name and config.model_type in TRANSPOSED:
        return shape[1]
    return shape[-1]


def spread(name: str, shape, config) -> float:
    """Standard deviations that keep a random model lively and yet calm: attention that prefers some
    keys, logits a few units wide, and layers that add less than half of what the residual stream
    holds, as in trained models (larger, and each layer amplifies the rounding of its input)."""
    inputs = inputs_of(name, shape, config)
    logits = 2.5 / math.sqrt(inputs)
    stream = logits if config.tie_word_embeddings else 1.0
    if name.endswith("bias"):
        return 0.3
    if "embed_tokens" in name:
        return stream
    if name == "lm_head.weight":
        return logits
    if name.endswith("sinks"):
        return 1.0
    if name.endswith("conv1d.weight"):
        return 0.5
    if name.endswith(("mlp.gate.weight", "router.weight")):
        return 1.5 / math.sqrt(inputs)
    if name.endswith(".experts.gate_up_proj") and config.model_type == "gpt_oss":
        return CLAMPED_GAIN / math.sqrt(inputs)
    if ".experts.down_proj" in name:
        scale = getattr(config, "routed_scaling_factor", 1.0)
        if config.model_type == "gpt_oss":
            scale = CLAMPED_GAIN**2
        return EXPERT_GAIN * LAYER_GAIN * stream / scale / math.sqrt(inputs)
    if any(part in name for part in (".o_proj.", ".down_proj.", ".out_proj.")):
        return LAYER_GAIN * stream / math.sqrt(inputs)
    preferring = (".q_proj.", ".k_proj.", ".q_b_proj.", ".kv_b_proj.")
    return (1.2 if any(part in name for part in preferring) else 1.0) / math.sqrt(inputs)


def norm_weight(rng, name: str, values: np.ndarray, config) -> np.ndarray:
    result = (1 + 0.2 * values).astype(np.float32)
    if name.endswith((".q_norm.weight", ".k_norm.weight")) and "indexer" not in name:
        result *= np.float32(1.2)  # else queries and keys of one length prefer nothing
    if config.tie_word_embeddings and name == "model.norm.weight":
        # Random signs: else a tied model would above all repeat the token that it was given.
        result *= rng.choice(np.float32([-1, 1]), values.shape)
    if config.model_type in ONE_PLUS and ".linear_attn." not in name:
        result -= 1
    return result


def neutral(name: str, config) -> float:
    """What leaves a tensor without effect: one for the weights of a norm, else zero."""
    if "norm" not in name or name.endswith("bias"):
        return 0.0
    return 0.0 if config.model_type in ONE_PLUS and ".linear_attn." not in name else 1.0


def parameters(model) -> dict:
    """{name: shape} of all that a checkpoint holds; persistent buffers are the routers' biases."""
    shapes = {n: tuple(p.shape) for n, p in model.named_parameters()}
    wanted = model.state_dict()
    return shapes | {n: tuple(b.shape) for n, b in model.named_buffers() if n in wanted}


def weights(model, seed: int) -> dict:
    """float32 arrays for every parameter of the model, by name."""
    rng = np.random.default_rng(seed)
    result = {}
    for name, shape in sorted(parameters(model).items()):
        values = rng.standard_normal(shape, dtype=np.float32)
        if name.endswith("A_log"):
            # Heads that forget within a token and heads that remember a hundred.
            result[name] = np.log(rng.uniform(0.02, 2, shape)).astype(np.float32)
        elif "norm" in name and not name.endswith("bias"):
            result[name] = norm_weight(rng, name, values, model.config)
        else:
            result[name] = values * np.float32(spread(name, shape, model.config))
    return result
