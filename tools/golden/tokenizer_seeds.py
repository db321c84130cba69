#!/usr/bin/env python3
"""Writes the seeds of the tokenizer fuzzers (fuzz/corpus): small, valid, with every kind of part."""

import base64
import json
import pathlib

from sentencepiece import sentencepiece_model_pb2 as proto

CORPUS = pathlib.Path(__file__).resolve().parent.parent.parent / "fuzz" / "corpus"


def alphabet():
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in own]
    return {byte: chr(byte) for byte in own} | {byte: chr(256 + i) for i, byte in enumerate(rest)}


def write(folder, name, data):
    path = CORPUS / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode()
    )


def tokenizer_json(**parts):
    vocab = {token: i for i, token in enumerate(["a", "b", "ab", "▁", "▁a", "<unk>", "<s>"])}
    added = {
        "id": 7,
        "content": "[X]",
        "lstrip": True,
        "rstrip": True,
        "single_word": False,
        "normalized": True,
        "special": True,
    }
    model = {
        "type": "BPE",
        "vocab": vocab,
        "merges": ["a b", ["▁", "a"]],
        "unk_token": "<unk>",
        "fuse_unk": True,
        "byte_fallback": False,
        "ignore_merges": False,
    }
    return {
        "model": model,
        "added_tokens": [added],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
    } | parts


def sequence(key, *steps):
    return {"type": "Sequence", key: list(steps)}


def write_tokenizer_json():
    split = {
        "type": "Split",
        "pattern": {"Regex": "\\p{N}{1,3}|[^\\s\\p{L}]+"},
        "behavior": "Isolated",
        "invert": False,
    }
    template = {
        "type": "TemplateProcessing",
        "special_tokens": {"<s>": {"id": "<s>", "ids": [6]}},
        "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
    }
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    unreplace = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    files = {
        "plain": tokenizer_json(),
        "llama": tokenizer_json(
            normalizer=sequence("normalizers", {"type": "Prepend", "prepend": "▁"}, replace),
            post_processor=template,
            decoder=sequence(
                "decoders",
                unreplace,
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ),
        ),
        "byte_level": tokenizer_json(
            model={"type": "BPE", "vocab": {c: b for b, c in alphabet().items()}, "merges": []},
            added_tokens=[],
            decoder={"type": "ByteLevel"},
            pre_tokenizer=sequence(
                "pretokenizers", split, {"type": "ByteLevel", "use_regex": True}
            ),
        ),
        "unigram": tokenizer_json(
            model={"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["▁", -2], ["a", -1]]},
            added_tokens=[],
            pre_tokenizer={"type": "Metaspace", "replacement": "▁"},
            decoder={"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
        ),
        "normalizers": tokenizer_json(
            normalizer=sequence(
                "normalizers",
                *(
                    {"type": t}
                    for t in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Strip")
                ),
            ),
            pre_tokenizer=sequence(
                "pretokenizers",
                {"type": "Digits", "individual_digits": True},
                {"type": "Punctuation", "behavior": "Contiguous"},
                {"type": "Whitespace"},
            ),
        ),
    }
    for name, data in files.items():
        write("tokenizer_json", name, data)


def write_sentencepiece():
    for name, kind, fallback in (("bpe", 2, True), ("unigram", 1, False)):
        model = proto.ModelProto()
        pieces = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("[X]", 0, 4)]
        pieces += [(f"<0x{b:02X}>", 0, 6) for b in range(256)] if fallback else []
        pieces += [("▁", -3, 1), ("a", -2, 1), ("▁a", -1, 1)]
        for piece, score, kind_of_piece in pieces:
            model.pieces.add(piece=piece, score=score, type=kind_of_piece)
        model.trainer_spec.model_type = kind
        model.trainer_spec.byte_fallback = fallback
        model.normalizer_spec.name = "identity"
        model.normalizer_spec.remove_extra_whitespaces = not fallback
        write("sentencepiece", name, model.SerializeToString())


def write_tekken():
    tokens = [bytes([b]) for b in range(256)] + [b"ab", b" a", "é".encode()]
    vocab = [
        {"rank": i, "token_bytes": base64.b64encode(t).decode(), "token_str": None}
        for i, t in enumerate(tokens)
    ]
    config = {
        "pattern": "\\p{L}+|\\p{N}|\\s+|[^\\s]",
        "num_vocab_tokens": len(tokens),
        "default_vocab_size": len(tokens) + 24,
        "default_num_special_tokens": 24,
        "version": "v3",
    }
    special = [
        {"rank": i, "token_str": s, "is_control": True}
        for i, s in enumerate(("<unk>", "<s>", "</s>"))
    ]
    write("tekken", "unlisted", {"config": config, "vocab": vocab})
    write("tekken", "listed", {"config": config, "vocab": vocab, "special_tokens": special})


if __name__ == "__main__":
    write_tokenizer_json()
    write_sentencepiece()
    write_tekken()
