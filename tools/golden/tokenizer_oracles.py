"""The makers' libraries as oracles for tokenizers: text in, what `orrery tokenize --jsonl` must
say out.

open_oracle(path) takes a tokenizer.json, a folder with one, a .gguf file, a SentencePiece
tokenizer.model* or a tekken*.json and returns an object with answer(text) -> {"ids", "ids_special",
"decoded"}, answers(texts) and special (names of its control tokens, to be strewn into test texts).
"""

import json
import pathlib
import sys


class Oracle:
    def answers(self, texts):
        return map(self.answer, texts)


class HuggingFace(Oracle):
    def __init__(self, tokenizer, special):
        self.tokenizer = tokenizer
        self.special = special

    @classmethod
    def from_json(cls, path):
        from tokenizers import Tokenizer

        text = pathlib.Path(path).read_text(encoding="utf-8")
        added = [token["content"] for token in json.loads(text)["added_tokens"]]
        return cls(Tokenizer.from_str(text), added)

    @classmethod
    def from_gguf(cls, path):
        """A tokenizer of Hugging Face's parts, put together from the metadata of a GGUF file."""
        import gguf
        from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

        fields = gguf.GGUFReader(path).fields
        get = lambda key: fields["tokenizer.ggml." + key].contents()
        assert get("model") == "gpt2" and get("pre") == "smollm", "only what SmolLM2 has"
        tokens, types = get("tokens"), get("token_type")
        tokenizer = Tokenizer(
            models.BPE(
                vocab={token: i for i, token in enumerate(tokens)},
                merges=[tuple(merge.split(" ")) for merge in get("merges")],
            )
        )
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
        special = [token for token, kind in zip(tokens, types) if kind == 3]
        tokenizer.add_special_tokens(
            [AddedToken(t, special=True, normalized=False) for t in special]
        )
        return cls(tokenizer, special)

    def answer(self, text):
        ids = self.tokenizer.encode(text, add_special_tokens=False).ids
        return {
            "ids": ids,
            "ids_special": self.tokenizer.encode(text, add_special_tokens=True).ids,
            "decoded": self.tokenizer.decode(ids, skip_special_tokens=False),
        }

    def answers(self, texts):
        """The same quicker: the library's last step puts its own tokens around the ids."""
        encodings = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        plain = [encoding.ids for encoding in encodings]
        decoded = self.tokenizer.decode_batch(plain, skip_special_tokens=False)
        for encoding, ids, text in zip(encodings, plain, decoded):
            around = self.tokenizer.post_process(encoding, add_special_tokens=True).ids
            yield {"ids": ids, "ids_special": around, "decoded": text}


class SentencePiece(Oracle):
    """The library itself, as mistral-common uses it: BOS is the token that it adds."""

    def __init__(self, path):
        import sentencepiece

        self.processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        size = self.processor.vocab_size()
        self.special = [
            self.processor.id_to_piece(i)
            for i in range(size)
            if self.processor.is_control(i) or self.processor.is_unknown(i)
        ][:40]
        from sentencepiece import sentencepiece_model_pb2

        proto = sentencepiece_model_pb2.ModelProto.FromString(pathlib.Path(path).read_bytes())
        self.special += [piece.piece for piece in proto.pieces if piece.type == 4]

    def answer(self, text):
        return next(self.answers([text]))

    def answers(self, texts):
        # One thread: sentencepiece starts as many as there are cores otherwise.
        encoded = self.processor.encode(texts, num_threads=1)
        decoded = self.processor.decode(encoded, num_threads=1)
        bos = self.processor.bos_id()
        for ids, text in zip(encoded, decoded):
            yield {
                "ids": ids,
                "ids_special": ([bos] if bos >= 0 else []) + ids,
                "decoded": text,
            }


class Tekken(Oracle):
    def __init__(self, path):
        from mistral_common.tokens.tokenizers.base import SpecialTokenPolicy
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer

        self.tokenizer = Tekkenizer.from_file(str(path))
        self.keep = SpecialTokenPolicy.KEEP
        self.special = [token["token_str"] for token in self.tokenizer._all_special_tokens[:40]]

    def answer(self, text):
        ids = self.tokenizer.encode(text, bos=False, eos=False)
        return {
            "ids": ids,
            "ids_special": self.tokenizer.encode(text, bos=True, eos=False),
            "decoded": self.tokenizer.decode(ids, special_token_policy=self.keep),
        }


def open_oracle(path):
    path = pathlib.Path(path)
    if path.is_dir():
        path = path / "tokenizer.json"
    if path.suffix == ".gguf":
        return HuggingFace.from_gguf(path)
    if path.name.startswith("tekken"):
        return Tekken(path)
    if path.suffix == ".json":
        return HuggingFace.from_json(path)
    if ".model" in path.name:
        return SentencePiece(path)
    sys.exit(f"no oracle for {path}")
