"""Tiny checkpoints of the llama and mistral families: formats, rope scalings, biases, windows."""

from _tiny_case import NO_GGUF, PLAIN_ROPE, UNTIED, Case

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
UNSCALED = {"rope_parameters": PLAIN_ROPE}
LINEAR_4 = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}
BIAS = {"attention_bias": True, "mlp_bias": True}
WINDOW = {"sliding_window": 16, "num_key_value_heads": 1} | UNTIED

# Their seeds come from their places in this list: add below, in CASES.
NUMBERED = [
    Case("llama_f32", UNTIED, "F32", config="plain"),
    Case("llama_f16", {}, "F16", config="old"),
    Case("llama_bf16_sharded", {"rms_norm_eps": 1e-6} | UNTIED, shards=3, config="plain"),
    Case("llama_bf16", {}, config="old"),
    Case("llama_rope_llama3", {"rope_parameters": LLAMA3}, config="old", ablations=(UNSCALED,)),
    Case("llama_rope_llama3_32", {"rope_parameters": LLAMA3 | {"factor": 32.0, "rope_theta": 5e5}}, config="plain", ablations=(UNSCALED,)),
    Case("llama_rope_linear", {"rope_parameters": LINEAR_4}, config="plain", ablations=(UNSCALED,)),
    Case("llama_bias", BIAS, config="plain", ablations=({"attention_bias": False}, {"mlp_bias": False})),
    Case("llama_heads", {"num_key_value_heads": 4, "head_dim": 24}, config="plain"),
    Case("llama_odd", ODD | {"num_hidden_layers": 1}, config="plain"),
    Case("mistral_window", WINDOW, family="mistral", config="plain", ablations=({"sliding_window": None}, {"sliding_window": 17}, {"sliding_window": 15})),
    Case("mistral_full", {"sliding_window": None}, family="mistral", config="plain", ablations=({"sliding_window": 16},)),
    *(Case(f"llama_{form.lower()}", ODD | UNTIED, form) for form in ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL")),
    *(Case(f"llama_{form.lower()}", WIDE, form) for form in ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS")),
    Case("llama_q4_k_m", WIDE | {"num_hidden_layers": 2, "num_key_value_heads": 2}, "Q4_K_M"),
]
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64}
LONG = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "original_max_position_embeddings": 64,
    "short_factor": [1.0, 1.05, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6],
    "long_factor": [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0],
}
CASES = [
    # The factor of the cosines, 1 + 0.1 ln 4, is left to be inferred.
    Case("llama_rope_yarn", {"rope_parameters": YARN}, ablations=(UNSCALED, {"rope_parameters": YARN | {"attention_factor": 1.0}})),
    Case("llama_rope_yarn_explicit", {"rope_parameters": YARN | {"attention_factor": 1.3, "beta_fast": 8.0, "beta_slow": 2.0}}, config="older", ablations=(UNSCALED, {"rope_parameters": YARN | {"attention_factor": 1.3}})),
    # Scaled only in a sequence longer than max_position_embeddings; greedy stays below.
    Case("llama_rope_dynamic", {"max_position_embeddings": 64, "rope_parameters": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0}}, config="older", ablations=({"rope_parameters": PLAIN_ROPE},), gguf=NO_GGUF),
    # The long factors rule every position of a sequence longer than 64; greedy stays below.
    Case("llama_rope_longrope", {"rope_parameters": LONG}, ablations=(UNSCALED, {"rope_parameters": LONG | {"long_factor": LONG["short_factor"]}})),
]
