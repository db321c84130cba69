"""Tiny checkpoints of gpt-oss: sinks, windows on every other layer, biases everywhere."""

from _tiny_case import Case

YARN = {
    "rope_type": "yarn",
    "rope_theta": 150000.0,
    "factor": 32.0,
    "beta_fast": 4.0,
    "beta_slow": 1.0,
    "truncate": False,
    "original_max_position_embeddings": 64,
}
SETTINGS = {"rope_parameters": YARN, "sliding_window": 16, "intermediate_size": 32, "swiglu_limit": 7.0, "attention_bias": True}
PUBLISHED = {"experts_per_token": 2, "initial_context_length": 64, "use_cache": True, "output_router_logits": False, "router_aux_loss_coef": 0.9, "layer_types": ["sliding_attention", "full_attention"]}
QUANTISED = {
    "quantization_config": {
        "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"],
        "quant_method": "mxfp4",
    }
}
ABLATIONS = (
    {"rope_parameters": YARN | {"truncate": True}},
    {"sliding_window": 17},
    {"layer_types": ["full_attention", "sliding_attention"]},
    {"swiglu_limit": 100.0},
)

CASES = [
    Case("gpt_oss_bf16", SETTINGS, family="gpt_oss", ablations=ABLATIONS),
    Case("gpt_oss_mxfp4", SETTINGS, family="gpt_oss", config="old", layout=("mxfp4",), published=PUBLISHED | QUANTISED),
]
