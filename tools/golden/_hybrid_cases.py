"""Tiny checkpoints of Llama 4 (attention in chunks) and of Qwen3-Next and Qwen3.5 (three layers of
linear attention for one of full)."""

from _tiny_case import NO_GGUF, PLAIN_ROPE, Case

LLAMA4 = {
    "num_hidden_layers": 4,
    "no_rope_layers": [1, 1, 1, 0],
    "attention_chunk_size": 32,
    "interleave_moe_layer_step": 2,
    "num_local_experts": 4,
    "num_experts_per_tok": 1,
    "intermediate_size": 32,
    "intermediate_size_mlp": 96,
    "attn_temperature_tuning": True,
    "floor_scale": 32,
    "attn_scale": 1.0,
}
# The sizes that llama.cpp takes for granted: all that a GGUF file can mean.
LLAMA4_WIDE = LLAMA4 | {"attention_chunk_size": 8192, "floor_scale": 8192, "attn_scale": 0.1}
# Every layer has experts and no weightless norm, as the 128 experts of Maverick.
LLAMA4_PLAIN = LLAMA4 | {"num_hidden_layers": 2, "no_rope_layers": [1, 0], "interleave_moe_layer_step": 1, "use_qk_norm": False}
NEXT = {"num_hidden_layers": 2, "full_attention_interval": 2, "num_experts": 4, "norm_topk_prob": True}
NEXT_KEYS = {"attention_dropout": 0.0, "decoder_sparse_step": 1, "mlp_only_layers": [], "output_router_logits": False, "router_aux_loss_coef": 0.001}
MROPE = {"rope_parameters": PLAIN_ROPE | {"partial_rotary_factor": 0.25, "mrope_section": [2, 1, 1], "mrope_interleaved": True}}
# As many key heads as value heads: the two orders of pairing them are one.
EVEN_HEADS = {"linear_num_key_heads": 4, "linear_num_value_heads": 4, "num_hidden_layers": 2, "full_attention_interval": 2}
DSA = {"index_topk": 32, "index_head_dim": 64, "index_n_heads": 8, "num_hidden_layers": 3, "indexer_types": ["full", "shared", "full"], "first_k_dense_replace": 1, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1, "n_group": 1, "topk_group": 1, "routed_scaling_factor": 2.5, "norm_topk_prob": True}

CASES = [
    Case("llama4", LLAMA4, family="llama4_text", ablations=({"attention_chunk_size": 256}, {"attention_chunk_size": 33}, {"no_rope_layers": [1, 1, 1, 1], "layer_types": ["chunked_attention"] * 3 + ["full_attention"]}, {"use_qk_norm": False}, {"attn_temperature_tuning": False}), gguf=NO_GGUF),
    Case("llama4_wide", LLAMA4_WIDE, family="llama4_text", ablations=({"no_rope_layers": [1, 1, 1, 1]},)),
    Case("llama4_published", LLAMA4_PLAIN, family="llama4_text", layout=("wrap",), ablations=({"use_qk_norm": True},), gguf=NO_GGUF),
    Case("qwen3_next", NEXT, family="qwen3_next", config="old", layout=("mtp",), published=NEXT_KEYS, ablations=({"norm_topk_prob": False}, {"rope_parameters": PLAIN_ROPE | {"partial_rotary_factor": 0.5}})),
    Case("qwen3_next_deep", {"num_experts": 4, "num_experts_per_tok": 1}, family="qwen3_next", gguf=NO_GGUF),
    Case("qwen3_5", {}, family="qwen3_5_text"),
    Case("qwen3_5_even_heads", EVEN_HEADS, family="qwen3_5_text", gguf=NO_GGUF),
    Case("qwen3_5_published", MROPE | EVEN_HEADS | {"linear_num_key_heads": 2}, family="qwen3_5_text", layout=("wrap", "mtp")),
    Case("qwen3_5_moe", EVEN_HEADS | {"linear_num_key_heads": 2}, family="qwen3_5_moe_text", ablations=({"num_experts_per_tok": 1},), gguf=NO_GGUF),
    Case("qwen3_5_moe_published", MROPE | EVEN_HEADS | {"linear_num_key_heads": 2, "num_experts": 4}, family="qwen3_5_moe_text", layout=("wrap", "fuse", "mtp")),
    Case("glm_moe_dsa", DSA, family="glm_moe_dsa", ablations=({"index_topk": 256}, {"index_topk": 30})),
]
