"""What a tiny checkpoint is: a family (a pair of transformers' classes and their settings) and a
case (what a checkpoint of it changes and how its files are written). The cases stand in the files
*_cases.py."""

import dataclasses

import transformers as hf
from transformers.models.llama4 import Llama4ForCausalLM, Llama4TextConfig

import _tiny_tokenizer

NO_GGUF = {}  # llama.cpp has no such model, or another case has the same file
PLAIN_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
LLAMA = dict(
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
    rope_parameters=PLAIN_ROPE,
)
MISTRAL = {k: v for k, v in LLAMA.items() if k not in ("attention_bias", "mlp_bias")}
# What every family understands.
COMMON = {k: v for k, v in MISTRAL.items() if k != "head_dim"}
NO_BIAS = {"attention_bias": False}
PAD = {"pad_token_id": _tiny_tokenizer.PAD}  # where the class has an id beyond our vocabulary
UNTIED = {"tie_word_embeddings": False}
# Multi-head latent attention: a query is 32 + 16 wide, every rank and head a multiple of 32.
LATENT = COMMON | dict(
    num_key_value_heads=4,
    kv_lora_rank=64,
    q_lora_rank=32,
    qk_nope_head_dim=32,
    qk_rope_head_dim=16,
    v_head_dim=32,
    moe_intermediate_size=32,
    attention_bias=False,
)
# 3 linear layers for one of full attention, whose heads of 32 turn only their first 8.
LINEAR = (
    COMMON
    | UNTIED
    | dict(
        num_hidden_layers=4,
        head_dim=32,
        attention_bias=False,
        linear_key_head_dim=16,
        linear_value_head_dim=16,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
        linear_conv_kernel_dim=4,
        rope_parameters=PLAIN_ROPE | {"partial_rotary_factor": 0.25},
    )
)
SHARED = dict(
    num_experts=8,
    num_experts_per_tok=2,
    moe_intermediate_size=32,
    shared_expert_intermediate_size=64,
)


@dataclasses.dataclass
class Family:
    config: type
    model: type
    base: dict  # settings


EXPERTS = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
LOCAL_EXPERTS = {"num_local_experts": 8, "num_experts_per_tok": 2}
# Keyed by the model_type of config.json.
FAMILIES = {
    "llama": Family(hf.LlamaConfig, hf.LlamaForCausalLM, LLAMA),
    "mistral": Family(hf.MistralConfig, hf.MistralForCausalLM, MISTRAL),
    "ministral": Family(hf.MinistralConfig, hf.MinistralForCausalLM, MISTRAL),
    "ministral3": Family(hf.Ministral3Config, hf.Ministral3ForCausalLM, MISTRAL | PAD),
    "mixtral": Family(
        hf.MixtralConfig,
        hf.MixtralForCausalLM,
        MISTRAL | LOCAL_EXPERTS | {"intermediate_size": 32},
    ),
    "smollm3": Family(
        hf.SmolLM3Config, hf.SmolLM3ForCausalLM, COMMON | PAD | NO_BIAS | {"num_hidden_layers": 4}
    ),
    "qwen2": Family(hf.Qwen2Config, hf.Qwen2ForCausalLM, COMMON),
    "qwen3": Family(hf.Qwen3Config, hf.Qwen3ForCausalLM, MISTRAL | NO_BIAS),
    "qwen2_moe": Family(hf.Qwen2MoeConfig, hf.Qwen2MoeForCausalLM, COMMON | SHARED),
    "qwen3_moe": Family(hf.Qwen3MoeConfig, hf.Qwen3MoeForCausalLM, MISTRAL | NO_BIAS | EXPERTS),
    "gpt_oss": Family(
        hf.GptOssConfig, hf.GptOssForCausalLM, COMMON | UNTIED | LOCAL_EXPERTS | {"head_dim": 32}
    ),
    "deepseek_v2": Family(hf.DeepseekV2Config, hf.DeepseekV2ForCausalLM, LATENT),
    "deepseek_v3": Family(hf.DeepseekV3Config, hf.DeepseekV3ForCausalLM, LATENT),
    "deepseek_v32": Family(hf.DeepseekV32Config, hf.DeepseekV32ForCausalLM, LATENT),
    "glm4_moe": Family(
        hf.Glm4MoeConfig, hf.Glm4MoeForCausalLM, MISTRAL | UNTIED | {"moe_intermediate_size": 32}
    ),
    "glm4_moe_lite": Family(hf.Glm4MoeLiteConfig, hf.Glm4MoeLiteForCausalLM, LATENT),
    "glm_moe_dsa": Family(hf.GlmMoeDsaConfig, hf.GlmMoeDsaForCausalLM, LATENT),
    "mistral4": Family(hf.Mistral4Config, hf.Mistral4ForCausalLM, LATENT | PAD),
    "llama4_text": Family(Llama4TextConfig, Llama4ForCausalLM, MISTRAL | UNTIED | NO_BIAS),
    "qwen3_next": Family(hf.Qwen3NextConfig, hf.Qwen3NextForCausalLM, LINEAR | SHARED),
    "qwen3_5_text": Family(hf.Qwen3_5TextConfig, hf.Qwen3_5ForCausalLM, LINEAR),
    "qwen3_5_moe_text": Family(
        hf.Qwen3_5MoeTextConfig,
        hf.Qwen3_5MoeForCausalLM,
        LINEAR | SHARED | {"intermediate_size": ...},
    ),
}


@dataclasses.dataclass
class Case:
    name: str
    changes: dict  # to the family's settings; ... leaves a setting out
    form: str = "BF16"  # of every matrix; "Q4_K_M": llama.cpp's mix
    family: str = "llama"
    shards: int = 1
    # config.json: "saved" is what save_pretrained writes, "plain" the settings alone, "old" the same
    # with rope_theta, rope_scaling and torch_dtype, "older" with a `type` of the scaling.
    config: str = "saved"
    published: dict = dataclasses.field(default_factory=dict)  # keys on top, as publishers write
    # Where the files differ from what save_pretrained writes (_tiny_layouts.py): "wrap", "fuse",
    # "mtp", "prediction", "mxfp4".
    layout: tuple = ()
    # GGUF files and their styles: "" of today, "kv_b" and "split_experts" of before.
    gguf: dict = dataclasses.field(default_factory=lambda: {"model.gguf": ""})
    # Changes of config that must move the logits: proof that the case tests what it is there for.
    ablations: tuple = ()

    def settings(self, changes: dict | None = None) -> dict:
        result = FAMILIES[self.family].base | self.changes | (changes or {})
        return {k: v for k, v in result.items() if v is not ...}

    def make_config(self, changes: dict | None = None):
        kind = FAMILIES[self.family].config
        return kind(**self.settings(changes), attn_implementation="eager")
