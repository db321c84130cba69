"""Tiny checkpoints of the Qwen families without linear attention."""

from _tiny_case import NO_GGUF, UNTIED, Case

WINDOWS = {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1, "num_hidden_layers": 3}
# Layer 0 is dense by mlp_only_layers, layer 2 by the step; 1 and 3 have experts.
SPARSE_STEP = {"num_hidden_layers": 4, "decoder_sparse_step": 2, "mlp_only_layers": [0], "num_experts": 6}
QWEN2_KEYS = {"attention_dropout": 0.0, "use_cache": True, "use_mrope": False, "initializer_range": 0.02}
MOE_KEYS = {"output_router_logits": False, "router_aux_loss_coef": 0.001}

CASES = [
    Case("qwen2", {"use_sliding_window": False, "sliding_window": 16, "max_window_layers": 1}, family="qwen2", config="old", published=QWEN2_KEYS, ablations=({"use_sliding_window": True},)),
    Case("qwen2_window", WINDOWS | UNTIED, family="qwen2", config="old", published=QWEN2_KEYS, ablations=({"use_sliding_window": False, "layer_types": ...}, {"sliding_window": 17}, {"max_window_layers": 2, "layer_types": ...}), gguf=NO_GGUF),
    Case("qwen3", {"head_dim": 32}, family="qwen3"),
    Case("qwen2_moe", UNTIED | {"num_experts": 6}, family="qwen2_moe", config="old", published=QWEN2_KEYS | MOE_KEYS, ablations=({"norm_topk_prob": True}, {"num_experts_per_tok": 3})),
    Case("qwen2_moe_sparse_step", SPARSE_STEP | {"norm_topk_prob": True}, family="qwen2_moe", ablations=({"norm_topk_prob": False},), gguf=NO_GGUF),
    Case("qwen3_moe", {"norm_topk_prob": True, "num_experts_per_tok": 3}, family="qwen3_moe", config="old", published=MOE_KEYS, ablations=({"norm_topk_prob": False},)),
    Case("qwen3_moe_sparse_step", SPARSE_STEP | {"mlp_only_layers": [1]}, family="qwen3_moe", ablations=({"norm_topk_prob": True},), gguf=NO_GGUF),
]
