"""The tokenizer of every tiny checkpoint: byte-level BPE, written both as tokenizer.json and as
GGUF metadata from the same three lists. 3 special tokens, 256 bytes and 62 merges: 321 ids, an odd
number on purpose. It is hand-made so that it needs no training and never changes."""

import json

SPECIAL = ["<|pad|>", "<s>", "</s>"]
BOS, EOS, PAD = 1, 2, 0
MERGED = (
    "th he in er an re on at en nd st es or te ti is it ar al ed to nt ng se ha as ou io le ve "
    "the ing and ion ent her tha ere ate his Ġt Ġa Ġs Ġw Ġo Ġb Ġc Ġi Ġm Ġd Ġp Ġf Ġth Ġthe Ġin Ġan "
    "Ġand Ġto Ġof Ġha Ġis Ġre"
).split()
CHAT_TEMPLATE = (
    "{% for message in messages %}<s>{{ message['role'] }}: {{ message['content'] }}</s>"
    "{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant:{% endif %}"
)


def byte_letters() -> list[str]:
    """The printable stand-in of each byte, as GPT-2 defined it."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    letters = {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(others)}
    return [letters[b] for b in range(256)]


def merges() -> list[tuple[str, str]]:
    """Each merged piece from the longest known piece in front and what is left."""
    known, pairs = set(byte_letters()), []
    for piece in MERGED:
        cut = max(k for k in range(1, len(piece)) if piece[:k] in known and piece[k:] in known)
        pairs.append((piece[:cut], piece[cut:]))
        known.add(piece)
    return pairs


def tokens() -> list[str]:
    return [*SPECIAL, *byte_letters(), *MERGED]


VOCAB = len(SPECIAL) + 256 + len(MERGED)
assert VOCAB == 321


def write_hf(folder) -> None:
    level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    added = [
        {
            "id": i,
            "content": t,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for i, t in enumerate(SPECIAL)
    ]
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": {t: i for i, t in enumerate(tokens())},
        "merges": [list(pair) for pair in merges()],
    }
    whole = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": model,
    }
    (folder / "tokenizer.json").write_text(json.dumps(whole, ensure_ascii=False) + "\n")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<|pad|>",
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")


def write_gguf(writer) -> None:
    normal, control = 1, 3
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens())
    writer.add_token_types([control] * len(SPECIAL) + [normal] * (VOCAB - len(SPECIAL)))
    writer.add_token_merges([f"{a} {b}" for a, b in merges()])
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_pad_token_id(PAD)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
