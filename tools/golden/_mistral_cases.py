"""Tiny checkpoints of Mistral's families and of SmolLM3."""

from _tiny_case import NO_GGUF, UNTIED, Case

NEMO = {"num_hidden_layers": 2, "head_dim": 24, "sliding_window": None}
MIXED = {"num_hidden_layers": 3, "sliding_window": 16, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}
MINISTRAL3_ROPE = {
    "rope_type": "yarn",
    "rope_theta": 10000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 64,
    "max_position_embeddings": 256,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "mscale": 1.0,
    "mscale_all_dim": 1.0,
    "llama_4_scaling_beta": 1.0,
}
COLD = {"rope_parameters": MINISTRAL3_ROPE | {"llama_4_scaling_beta": 0.0}}
NO_ROPE = {"no_rope_layers": [1, 1, 1, 0]}

CASES = [
    Case("mistral_nemo", NEMO | UNTIED, family="mistral", config="old"),
    Case("mixtral", {}, family="mixtral", config="old", ablations=({"num_experts_per_tok": 1}, {"num_experts_per_tok": 3}), gguf={"model.gguf": "", "model_split_experts.gguf": "split_experts"}),
    Case("ministral", MIXED, family="ministral", ablations=({"sliding_window": 17}, {"layer_types": ["sliding_attention"] * 3}), gguf=NO_GGUF),
    Case("ministral3", {"rope_parameters": MINISTRAL3_ROPE}, family="ministral3", ablations=(COLD, {"rope_parameters": MINISTRAL3_ROPE | {"attention_factor": 1.139}})),
    Case("ministral3_published", {"rope_parameters": MINISTRAL3_ROPE} | UNTIED, family="ministral3", layout=("wrap",), ablations=(COLD,), gguf=NO_GGUF),
    Case("smollm3", NO_ROPE, family="smollm3", config="old", ablations=({"no_rope_layers": [1, 1, 1, 1]},)),
    Case("smollm3_window", {"no_rope_layer_interval": 2, "use_sliding_window": True, "sliding_window": 16}, family="smollm3", ablations=({"sliding_window": 17},), gguf=NO_GGUF),
]
