"""The metadata that llama.cpp's converter writes of each family, from transformers' configuration.
What it leaves out is left out here too, so that a reader must know what is then meant."""

import math

from gguf import ExpertGatingFuncType as Gating

ARCHITECTURES = {
    "llama": "llama",
    "mistral": "llama",
    "mixtral": "llama",
    "ministral3": "mistral3",
    "mistral4": "mistral4",
    "smollm3": "smollm3",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "qwen2_moe": "qwen2moe",
    "qwen3_moe": "qwen3moe",
    "qwen3_next": "qwen3next",
    "qwen3_5_text": "qwen35",
    "qwen3_5_moe_text": "qwen35moe",
    "gpt_oss": "gpt-oss",
    "deepseek_v2": "deepseek2",
    "deepseek_v3": "deepseek2",
    "deepseek_v32": "deepseek32",
    "glm4_moe": "glm4moe",
    "glm4_moe_lite": "deepseek2",
    "glm_moe_dsa": "glm-dsa",
    "llama4_text": "llama4",
}
LATENT = ("deepseek_v2", "deepseek_v3", "deepseek_v32", "glm4_moe_lite", "glm_moe_dsa", "mistral4")
LINEAR = ("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text")
# Those whose converter writes the size of the vocabulary.
SIZED = ("llama", "mistral3", "smollm3", "llama4")


def common(config, predicted: int) -> dict:
    kind = config.model_type
    wide = "intermediate_size_mlp" if kind == "llama4_text" else "intermediate_size"
    keys = {
        "block_count": config.num_hidden_layers + predicted,
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
    }
    if hasattr(config, wide):
        keys["feed_forward_length"] = getattr(config, wide)
    keys |= {
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
    }
    sized = ARCHITECTURES[kind] in SIZED
    if sized:
        keys["vocab_size"] = config.vocab_size
    head = getattr(config, "head_dim", None)
    if head and kind not in LATENT:
        keys |= {"attention.key_length": head, "attention.value_length": head}
    if sized:
        keys["rope.dimension_count"] = head or config.hidden_size // config.num_attention_heads
    elif "partial_rotary_factor" in config.rope_parameters and kind not in LATENT:
        turned = head * config.rope_parameters["partial_rotary_factor"]
        keys["rope.dimension_count"] = int(turned)
    return keys | {"rope.freq_base": float(config.rope_parameters["rope_theta"])}


def rope_scaling(config) -> dict:
    rope = config.rope_parameters
    kind = rope["rope_type"]
    original = rope.get("original_max_position_embeddings")
    if kind == "linear":
        return {"rope.scaling.type": "linear", "rope.scaling.factor": rope["factor"]}
    if kind == "longrope":  # as the converter of Phi-3 does; that of Llama knows no LongRoPE
        scale = config.max_position_embeddings / original
        return {
            "rope.scaling.type": "longrope",
            "rope.scaling.original_context_length": original,
            "rope.scaling.attn_factor": math.sqrt(1 + math.log(scale) / math.log(original)),
        }
    if kind != "yarn":
        return {}
    keys = {
        "rope.scaling.type": "yarn",
        "rope.scaling.factor": rope["factor"],
        "rope.scaling.original_context_length": original,
    }
    for ours, theirs in (
        ("attention_factor", "yarn_attn_factor"),
        ("beta_fast", "yarn_beta_fast"),
        ("beta_slow", "yarn_beta_slow"),
    ):
        if rope.get(ours) is not None:
            keys[f"rope.scaling.{theirs}"] = float(rope[ours])
    if config.model_type == "ministral3":
        keys["rope.scaling.yarn_log_multiplier"] = rope["mscale_all_dim"]
    elif rope.get("mscale_all_dim") is not None:  # of old, a tenth of it with latent attention
        keys["rope.scaling.yarn_log_multiplier"] = 0.1 * rope["mscale_all_dim"]
    return keys


def temperature(config) -> dict:
    rope = config.rope_parameters
    if "llama_4_scaling_beta" not in rope:
        return {}
    keys = {"attention.temperature_scale": rope["llama_4_scaling_beta"]}
    if config.model_type == "mistral4":
        keys["attention.temperature_length"] = rope["original_max_position_embeddings"]
    return keys


def experts(config, style: str) -> dict:
    kind, keys = config.model_type, {}
    count = getattr(config, "n_routed_experts", None) or getattr(config, "num_experts", None)
    count = count or getattr(config, "num_local_experts", None)
    if not count:
        return {}
    keys = {"expert_count": count, "expert_used_count": config.num_experts_per_tok}
    if kind == "mixtral":
        return keys
    own = getattr(config, "moe_intermediate_size", None) or config.intermediate_size
    keys["expert_feed_forward_length"] = own
    if hasattr(config, "shared_expert_intermediate_size"):
        keys["expert_shared_feed_forward_length"] = config.shared_expert_intermediate_size
    if kind == "llama4_text":
        keys["interleave_moe_layer_step"] = config.interleave_moe_layer_step
    if not hasattr(config, "n_shared_experts"):
        return keys
    keys |= {
        "expert_group_count": config.n_group,
        "expert_group_used_count": config.topk_group,
        "expert_shared_count": config.n_shared_experts,
        "expert_weights_scale": float(config.routed_scaling_factor),
    }
    if config.norm_topk_prob:
        keys["expert_weights_norm"] = True
    if kind == "deepseek_v2":  # what is meant where it is left out: V2 here says nothing, Lite does
        if config.q_lora_rank is None and style == "":
            keys["expert_gating_func"] = int(Gating.SOFTMAX)
    elif kind != "mistral4":
        keys["expert_gating_func"] = int(Gating.SIGMOID)
    if hasattr(config, "mlp_layer_types"):
        keys["leading_dense_block_count"] = config.mlp_layer_types.count("dense")
    else:
        keys["leading_dense_block_count"] = config.first_k_dense_replace
    return keys


def latent(config, style: str) -> dict:
    """Latent attention is written as one head of keys, which are the latents; files of before that
    had the heads that come of them, and no gating function."""
    whole = config.qk_nope_head_dim + config.qk_rope_head_dim
    keys = {"vocab_size": config.vocab_size}
    if config.q_lora_rank is not None:
        keys["attention.q_lora_rank"] = config.q_lora_rank
    keys["attention.kv_lora_rank"] = config.kv_lora_rank
    keys["rope.dimension_count"] = config.qk_rope_head_dim
    if style == "kv_b":
        return keys | {"attention.key_length": whole, "attention.value_length": config.v_head_dim}
    return keys | {
        "attention.head_count_kv": 1,
        "attention.key_length": config.kv_lora_rank + config.qk_rope_head_dim,
        "attention.value_length": config.kv_lora_rank,
        "attention.key_length_mla": whole,
        "attention.value_length_mla": config.v_head_dim,
    }


def indexer(config) -> dict:
    keys = {
        "attention.indexer.head_count": config.index_n_heads,
        "attention.indexer.key_length": config.index_head_dim,
        "attention.indexer.top_k": config.index_topk,
    }
    if hasattr(config, "indexer_types"):
        keys["attention.indexer.types"] = [kind == "full" for kind in config.indexer_types]
    return keys


def linear_attention(config, predicted: int) -> dict:
    keys = {
        "ssm.conv_kernel": config.linear_conv_kernel_dim,
        "ssm.state_size": config.linear_key_head_dim,
        "ssm.group_count": config.linear_num_key_heads,
        "ssm.time_step_rank": config.linear_num_value_heads,
        "ssm.inner_size": config.linear_value_head_dim * config.linear_num_value_heads,
        "full_attention_interval": config.layer_types.index("full_attention") + 1,
    }
    if config.model_type == "qwen3_next":  # its first files name the interval only
        return keys
    recurrent = [kind == "linear_attention" for kind in config.layer_types]
    sections = config.rope_parameters.get("mrope_section", [11, 11, 10])
    return keys | {
        "attention.recurrent_layers": recurrent + [False] * predicted,
        "rope.dimension_sections": [*sections, 0],
    }


def metadata(config, predicted: int, style: str) -> dict:
    """{key without the architecture: value}; `predicted`: prediction layers after the last."""
    keys = common(config, predicted) | rope_scaling(config) | temperature(config)
    window = getattr(config, "sliding_window", None)
    if window and config.model_type in ("mistral", "gpt_oss"):
        keys["attention.sliding_window"] = window
    keys |= experts(config, style)
    if config.model_type in LATENT:
        keys |= latent(config, style)
    if hasattr(config, "index_topk"):
        keys |= indexer(config)
    if config.model_type in LINEAR:
        keys |= linear_attention(config, predicted)
    if predicted:
        keys["nextn_predict_layers"] = predicted
    return keys
