"""Tiny checkpoints with latent attention (MLA): DeepSeek V2 to V3.2, GLM-4.7-Flash, GLM-5,
Mistral 4; and of GLM-4.5, whose experts are theirs."""

from _tiny_case import NO_GGUF, PLAIN_ROPE, UNTIED, Case

YARN = {
    "rope_type": "yarn",
    "rope_theta": 10000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 64,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
}
V2_YARN = YARN | {"mscale": 0.707, "mscale_all_dim": 0.707}
V3_YARN = YARN | {"mscale": 1.0, "mscale_all_dim": 1.0}
# The softmax scale gets (1 + 0.1 ln 32) squared, the cosines (1 + 0.02 ln 32) / (1 + 0.1 ln 32).
UNEVEN_YARN = YARN | {"factor": 32.0, "mscale": 0.2, "mscale_all_dim": 1.0}
UNSCALED = {"rope_parameters": PLAIN_ROPE}
LITE = {"q_lora_rank": None, "n_routed_experts": 8, "num_experts_per_tok": 3, "n_shared_experts": 2, "first_k_dense_replace": 1, "topk_method": "greedy", "n_group": 1, "topk_group": 1, "routed_scaling_factor": 1.0, "norm_topk_prob": False}
GROUPS = {"n_routed_experts": 12, "n_group": 3, "topk_group": 2, "num_experts_per_tok": 3, "n_shared_experts": 1, "first_k_dense_replace": 1}
V2 = GROUPS | {"topk_group": 1, "topk_method": "group_limited_greedy", "routed_scaling_factor": 16.0, "norm_topk_prob": False}
V3 = GROUPS | {"routed_scaling_factor": 2.5, "norm_topk_prob": True}
V2_KEYS = {"aux_loss_alpha": 0.001, "ep_size": 1, "moe_layer_freq": 1, "pretraining_tp": 1, "scoring_func": "softmax", "seq_aux": True, "use_cache": True}
V3_KEYS = V2_KEYS | {"scoring_func": "sigmoid", "topk_method": "noaux_tc", "num_nextn_predict_layers": 1}
# Sparse attention of 32 keys: from the 33rd token on it differs from full attention.
SPARSE = {"index_topk": 32, "index_head_dim": 64, "index_n_heads": 8}
V32 = SPARSE | {"n_routed_experts": 8, "n_group": 2, "topk_group": 1, "num_experts_per_tok": 2, "n_shared_experts": 1, "first_k_dense_replace": 1, "routed_scaling_factor": 2.5, "norm_topk_prob": True}
GLM4 = {"n_routed_experts": 8, "num_experts_per_tok": 2, "n_shared_experts": 1, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1, "routed_scaling_factor": 1.5, "norm_topk_prob": True, "rope_parameters": PLAIN_ROPE | {"partial_rotary_factor": 0.5}}
FLASH = {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1, "n_group": 1, "topk_group": 1, "routed_scaling_factor": 1.8, "norm_topk_prob": True, "rope_parameters": PLAIN_ROPE | {"partial_rotary_factor": 1.0}}
TEMPERED = V3_YARN | {"llama_4_scaling_beta": 1.0, "max_position_embeddings": 256}
MISTRAL4 = {"n_routed_experts": 8, "num_experts_per_tok": 2, "n_shared_experts": 1, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1, "routed_scaling_factor": 1.0, "norm_topk_prob": True}
BOTH_FORMS = {"model.gguf": "", "model_kv_b.gguf": "kv_b"}

CASES = [
    Case("deepseek_v2_lite", LITE | {"rope_parameters": V2_YARN}, family="deepseek_v2", config="older", published=V2_KEYS, ablations=(UNSCALED, {"num_experts_per_tok": 1}, {"routed_scaling_factor": 2.0}), gguf=BOTH_FORMS),
    Case("deepseek_v2", V2, family="deepseek_v2", ablations=({"topk_method": "greedy"}, {"topk_group": 2}, {"routed_scaling_factor": 1.0})),
    Case("deepseek_v3", V3 | UNTIED | {"rope_parameters": V3_YARN}, family="deepseek_v3", config="older", published=V3_KEYS | {"num_nextn_predict_layers": 0}, ablations=(UNSCALED, {"rope_parameters": YARN}, {"topk_group": 3}, {"norm_topk_prob": False}, {"rope_interleave": False})),
    Case("deepseek_v3_uneven", V3 | {"q_lora_rank": None, "attention_bias": True, "rope_parameters": UNEVEN_YARN}, family="deepseek_v3", ablations=({"rope_parameters": UNEVEN_YARN | {"mscale": 1.0}}, {"rope_parameters": UNEVEN_YARN | {"mscale_all_dim": 0.5}}), gguf=NO_GGUF),
    Case("deepseek_v3_mtp", V3 | {"n_routed_experts": 4, "n_group": 2, "topk_group": 1, "num_experts_per_tok": 1}, family="deepseek_v3", config="older", layout=("prediction",), published=V3_KEYS, gguf=NO_GGUF),
    Case("deepseek_v32", V32, family="deepseek_v32", config="older", published=V3_KEYS | {"num_nextn_predict_layers": 0}, ablations=({"index_topk": 256}, {"index_topk": 30})),
    Case("glm4_moe", GLM4 | {"use_qk_norm": True, "attention_bias": True}, family="glm4_moe", config="old", published={"num_nextn_predict_layers": 0}, ablations=({"routed_scaling_factor": 1.0}, {"norm_topk_prob": False})),
    Case("glm4_moe_air", GLM4 | {"use_qk_norm": False, "attention_bias": True, "n_routed_experts": 4}, family="glm4_moe", layout=("prediction",), published={"num_nextn_predict_layers": 1}, ablations=({"rope_parameters": PLAIN_ROPE | {"partial_rotary_factor": 1.0}},)),
    Case("glm4_moe_lite", FLASH, family="glm4_moe_lite", layout=("prediction",), published={"num_nextn_predict_layers": 1, "first_k_dense_replace": 1, "topk_method": "noaux_tc"}, ablations=({"norm_topk_prob": False}, {"routed_scaling_factor": 1.0})),
    Case("mistral4", MISTRAL4 | {"rope_parameters": TEMPERED}, family="mistral4", ablations=({"rope_parameters": TEMPERED | {"llama_4_scaling_beta": 0.0}}, {"norm_topk_prob": False})),
    Case("mistral4_published", MISTRAL4 | UNTIED | {"rope_parameters": TEMPERED, "first_k_dense_replace": 0, "num_hidden_layers": 1}, family="mistral4", layout=("wrap",), gguf=NO_GGUF),
]
