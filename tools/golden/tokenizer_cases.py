#!/usr/bin/env python3
"""Writes tests/golden/text: what the makers' libraries make of some hundred texts.

  texts.jsonl          the texts, one JSON string a line
  real/NAME.jsonl      published tokenizers (tools/fetch_tokenizers.py), whose files are not committed
  made/NAME/           small tokenizers made here, one for each part and option of the formats, with
                       their file and cases.jsonl

The first line of a list of cases says what the tokenizer puts around a text; every other line is a case:
{"text": number of the text or the text itself, "ids": [...], "decoded": only where it is not the text}.

Needs: tools/golden/requirements.txt; NAMEs as arguments limit what is made.
"""

import json
import pathlib
import random
import shutil
import sys
import tempfile

from text_samples import CODE, EMOJI, NUMBERS, SCRIPTS, SPACES, WORDS, Samples, by_category, is_text
from tokenizer_oracles import HuggingFace, SentencePiece, open_oracle

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests" / "golden" / "text"
CACHE = ROOT / ".cache" / "tokenizers"
REAL = {
    "mistral_7b": "tokenizer.json",
    "llama3": "tokenizer.json",
    "llama3_1": "tokenizer.json",
    "qwen3": "tokenizer.json",
    "deepseek_v3": "tokenizer.json",
    "gptoss": "tokenizer.json",
    "mistral_v1": "tokenizer.model.v1",
    "mistral_v3": "tokenizer.model.v3",
    "tekken": "tekken.json",
    "smollm2": "model.gguf",
}

PROSE = [
    "The quick brown fox jumps over the lazy dog. It didn't bark; they'd've known, wouldn't they?",
    "人工智能正在改变世界。大语言模型（LLM）可以理解中文、英文和代码，例如：print(\"你好，世界！\")。",
    "在 2024 年 11 月，模型的参数量达到了 671B，其中每个 token 激活 37B。",
    "日本語の文章では、漢字・ひらがな・カタカナが混ざります。１２３と123は違う？",
    "한국어 문장은 띄어쓰기가 있습니다. 그래서 다르게 잘립니다.",
    "Le cœur a ses raisons que la raison ne connaît point — Blaise Pascal, « Pensées » (1670).",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر",
    "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश करने वाले विष्णुवतार",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    "def quicksort(xs):\n    if len(xs) <= 1:\n        return xs\n    p = xs[0]\n    return (quicksort([x for x in "
    "xs[1:] if x < p])\n            + [p]\n            + quicksort([x for x in xs[1:] if x >= p]))\n",
    "template <typename T>\nT max(T a, T b) { return a > b ? a : b; }  // O(1)\n\n\n#define X(a) #a##b\n",
    "\\begin{align}\n  \\nabla \\cdot \\mathbf{E} &= \\frac{\\rho}{\\varepsilon_0} \\\\\n  e^{i\\pi} + 1 &= 0\n\\end{align}",
    "∀ε>0 ∃δ>0: |x−x₀|<δ ⇒ |f(x)−f(x₀)|<ε;  ∑ᵢ₌₁ⁿ i² = n(n+1)(2n+1)/6 ≈ ⅓n³",
    "| name | value |\n|------|------:|\n| a    |   1.5 |\n| b    | -2e10 |\n\n> quote\n\n* item\n  * nested\n",
    "https://example.org/path?q=a%20b&lang=zh-CN#top user@example.org 192.168.0.1 2001:db8::1",
    "user: hi\r\nassistant: hello\r\n\r\n\tindented\twith\ttabs\r\n",
]


def texts():
    """The common texts: hand-picked, then every category and script, then random mixtures."""
    r = random.Random(20241124)
    result = ["", " ", "  ", "\n", "a", " a", "a ", "A", "1", ".", "▁", "\u0000", "\u00e9", "e\u0301"]
    result += PROSE + WORDS + NUMBERS + CODE + EMOJI
    result += [space + "a" for space in SPACES] + ["a" + space + space + "b" for space in SPACES]
    result += [c * n for c in "a =1\n中é" for n in (2, 3, 4, 8, 17, 50, 200)]
    result += [" " * n + "x" for n in range(2, 20)] + ["1" * n for n in range(2, 12)]
    for codes in by_category().values():
        result.append("".join(chr(r.choice(codes)) for _ in range(12)))
        result.append("a".join(chr(r.choice(codes)) for _ in range(6)))
    for low, high in SCRIPTS.values():
        codes = [code for code in range(low, high + 1) if is_text(code)]
        result.append("".join(chr(r.choice(codes)) for _ in range(20)))
    samples = Samples(20241125)
    result += [samples.text() for _ in range(120)]
    seen = set()
    return [text for text in result if not (text in seen or seen.add(text))]


def cases(oracle, common, seed, extra=40):
    """Header and cases: the common texts, and texts with the tokenizer's own special tokens."""
    added = oracle.answer("a")
    ids, around = added["ids"], added["ids_special"]
    start = next((i for i in range(len(around)) if around[i : i + len(ids)] == ids), 0)
    prefix, suffix = around[:start], around[start + len(ids) :]
    yield {"prefix": prefix, "suffix": suffix}
    samples = Samples(seed, oracle.special)
    own = []
    for special in oracle.special[:12]:
        own += [special, f"a{special}b", f" {special}  {special}\n", special[:-1]]
    own += [samples.text() for _ in range(extra)]
    for key in [*range(len(common)), *own]:
        text = common[key] if isinstance(key, int) else key
        answer = oracle.answer(text)
        assert answer["ids_special"] == prefix + answer["ids"] + suffix, text
        case = {"text": key, "ids": answer["ids"]}
        if answer["decoded"] != text:
            case["decoded"] = answer["decoded"]
        yield case


def write_lines(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="ascii") as file:
        for line in lines:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


def corpus():
    """What the small tokenizers are trained on."""
    samples = Samples(7)
    return PROSE * 3 + WORDS * 2 + CODE + NUMBERS + [samples.text() for _ in range(100)]


def hugging_face_parts():
    """Small tokenizers of Hugging Face's parts: name -> function that makes one."""
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders as D,
        models,
        normalizers as N,
        pre_tokenizers as P,
        processors,
        trainers,
    )

    def byte_level(normalizer=None, pre=None, vocab=420, prefix=False, regex=True, **options):
        tokenizer = Tokenizer(models.BPE(**options))
        steps = [*(pre or []), P.ByteLevel(add_prefix_space=prefix, use_regex=regex)]
        tokenizer.pre_tokenizer = P.Sequence(steps)
        if normalizer:
            tokenizer.normalizer = normalizer
        tokenizer.decoder = D.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab, initial_alphabet=P.ByteLevel.alphabet(), show_progress=False,
            special_tokens=["<|end|>"],
        )
        tokenizer.train_from_iterator(corpus(), trainer)
        return tokenizer

    def characters(normalizer, pre, decoder, model=None, vocab=700, special=("<unk>", "<s>", "</s>")):
        tokenizer = Tokenizer(model or models.BPE(unk_token="<unk>", fuse_unk=True))
        if normalizer:
            tokenizer.normalizer = normalizer
        if pre:
            tokenizer.pre_tokenizer = pre
        if decoder:
            tokenizer.decoder = decoder
        trainer = trainers.BpeTrainer(vocab_size=vocab, special_tokens=list(special), show_progress=False)
        tokenizer.train_from_iterator(corpus(), trainer)
        return tokenizer

    def unigram(normalizer, pre, decoder, byte_fallback=False):
        tokenizer = Tokenizer(models.Unigram())
        if normalizer:
            tokenizer.normalizer = normalizer
        if pre:
            tokenizer.pre_tokenizer = pre
        if decoder:
            tokenizer.decoder = decoder
        special = ["<unk>", "<s>"] + ([f"<0x{b:02X}>" for b in range(256)] if byte_fallback else [])
        trainer = trainers.UnigramTrainer(
            vocab_size=500 + len(special), special_tokens=special, unk_token="<unk>", show_progress=False
        )
        # Control tokens in the corpus would become pieces of the same name.
        plain = [text for text in corpus() if not any(token in text for token in special)]
        tokenizer.train_from_iterator(plain, trainer)
        if byte_fallback:
            data = json.loads(tokenizer.to_str())
            data["model"]["byte_fallback"] = True
            data["added_tokens"] = data["added_tokens"][:2]
            tokenizer = Tokenizer.from_str(json.dumps(data))
        return tokenizer

    def with_fallback(tokenizer):
        """Byte tokens and byte_fallback, as Llama 2 has them."""
        data = json.loads(tokenizer.to_str())
        model = data["model"]
        for byte in range(256):
            model["vocab"].setdefault(f"<0x{byte:02X}>", len(model["vocab"]))
        model["byte_fallback"] = True
        return Tokenizer.from_str(json.dumps(data))

    def with_tokens(tokenizer, *tokens):
        tokenizer.add_tokens(list(tokens))
        return tokenizer

    def with_template(tokenizer, single, *names):
        ids = [(name, tokenizer.token_to_id(name)) for name in names]
        tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=ids)
        return tokenizer

    llama_decoder = D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
    llama_normalizer = N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")])
    split = lambda behavior, invert=False: P.Split(Regex(r"\d+|[,.]|\s+"), behavior, invert)
    return {
        "bytes_gpt2": lambda: byte_level(),
        "bytes_prefix_space": lambda: byte_level(prefix=True),
        "bytes_ignore_merges": lambda: byte_level(ignore_merges=True),
        "bytes_nfc": lambda: byte_level(N.NFC()),
        "bytes_nfd": lambda: byte_level(N.NFD()),
        "bytes_nfkc": lambda: byte_level(N.NFKC()),
        "bytes_nfkd": lambda: byte_level(N.NFKD()),
        "bytes_lower_accents": lambda: byte_level(N.Sequence([N.NFD(), N.Lowercase(), N.StripAccents()])),
        "bytes_strip": lambda: byte_level(N.Sequence([N.Strip(), N.Replace(Regex(r"\w\d"), "<w>")])),
        "bytes_digits": lambda: byte_level(pre=[P.Digits(individual_digits=False)]),
        "bytes_punctuation": lambda: byte_level(pre=[P.Punctuation("contiguous")], regex=False),
        "split_removed": lambda: byte_level(pre=[split("removed")], regex=False),
        "split_isolated": lambda: byte_level(pre=[split("isolated")], regex=False),
        "split_previous": lambda: byte_level(pre=[split("merged_with_previous")], regex=False),
        "split_next": lambda: byte_level(pre=[split("merged_with_next")], regex=False),
        "split_contiguous": lambda: byte_level(pre=[split("contiguous")], regex=False),
        "split_inverted": lambda: byte_level(pre=[split("merged_with_next", True)], regex=False),
        "split_properties": lambda: byte_level(
            pre=[P.Split(Regex(r"(?i:ab+)|[\p{Lu}\p{Lt}]+|[^\p{Greek}\W]{2,3}|\P{L}(?=\d)"), "isolated")],
            regex=False,
        ),
        "whitespace": lambda: characters(None, P.Whitespace(), None),
        "whitespace_split": lambda: characters(None, P.WhitespaceSplit(), None),
        "bert": lambda: characters(N.Lowercase(), P.BertPreTokenizer(), None),
        "delimiter": lambda: characters(None, P.CharDelimiterSplit("e"), D.Fuse()),
        "metaspace_always": lambda: characters(None, P.Metaspace(prepend_scheme="always"), D.Metaspace()),
        "metaspace_first": lambda: characters(
            None, P.Metaspace(prepend_scheme="first"), D.Metaspace(prepend_scheme="first")
        ),
        "metaspace_never": lambda: characters(
            None, P.Metaspace(prepend_scheme="never", split=False), D.Metaspace(prepend_scheme="never")
        ),
        "metaspace_in_sequence": lambda: characters(
            None, P.Sequence([P.WhitespaceSplit(), P.Metaspace(prepend_scheme="first")]), D.Metaspace()
        ),
        "llama": lambda: with_template(
            with_fallback(characters(llama_normalizer, None, llama_decoder)), "<s> $A </s>", "<s>", "</s>"
        ),
        "llama_no_fallback": lambda: characters(llama_normalizer, None, llama_decoder),
        "llama_unfused": lambda: characters(
            llama_normalizer, None, llama_decoder, models.BPE(unk_token="<unk>", fuse_unk=False)
        ),
        "gemma": lambda: with_fallback(
            characters(
                N.Replace(" ", "▁"),
                P.Split(" ", "merged_with_previous"),
                D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse()]),
            )
        ),
        "no_unknown": lambda: characters(None, None, None, models.BPE()),
        "unigram": lambda: unigram(N.NFKC(), P.Metaspace(), D.Metaspace()),
        "unigram_bytes": lambda: unigram(
            None, P.Metaspace(prepend_scheme="first"), llama_decoder, byte_fallback=True
        ),
        "added_tokens": lambda: with_tokens(
            byte_level(N.Lowercase()),
            AddedToken("<L>", lstrip=True, normalized=False),
            AddedToken("<R>", rstrip=True, normalized=False),
            AddedToken("<B>", lstrip=True, rstrip=True, special=True, normalized=False),
            AddedToken("word", single_word=True, normalized=False),
            AddedToken("Hello", normalized=True),
            AddedToken("HELLO world", normalized=True, special=True),
            AddedToken("ab", normalized=False),
            AddedToken("abc", normalized=False),
            AddedToken("bcd", normalized=False),
            AddedToken("  ", normalized=False),
        ),
    }


ADDED_TOKEN_TEXTS = [
    "a <L> b", "a\t\n<L>\n", "<R>  a", "a <R>\u3000\n b", " <B> <B> ", "a<B>b", "word", "words", "a word b",
    "word_", "éword", "word.word", "-word-", "hello", "Hello there", "HELLO WORLD", "hello world!", "abcd",
    "abc", "xabcdx", "ababc", "bcd", "a   b", "   ", "<l>", "<L><R><B>", " <L>  <R>  <B> ", "wordword",
]


def sentencepiece_models():
    """Small models of SentencePiece's trainer: name -> its options."""
    return {
        "spm_bpe": {"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity",
                    "remove_extra_whitespaces": False, "vocab_size": 700},
        "spm_bpe_symbols": {"model_type": "bpe", "normalization_rule_name": "identity", "vocab_size": 500,
                            "user_defined_symbols": "<sep>,[X],▁▁▁,ing", "control_symbols": "<ctl>"},
        "spm_bpe_suffix": {"model_type": "bpe", "normalization_rule_name": "identity", "vocab_size": 450,
                           "treat_whitespace_as_suffix": True},
        "spm_unigram": {"model_type": "unigram", "normalization_rule_name": "nmt_nfkc", "vocab_size": 480},
        "spm_unigram_bytes": {"model_type": "unigram", "normalization_rule_name": "identity",
                              "byte_fallback": True, "add_dummy_prefix": False, "vocab_size": 760,
                              "user_defined_symbols": "<sep>,[X]"},
    }


def train_sentencepiece(options, path):
    import sentencepiece

    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder) / "corpus.txt"
        lines = [line for text in corpus() for line in text.split("\n") if line.strip() and "\0" not in line]
        text.write_text("\n".join(lines), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix=f"{folder}/m", character_coverage=0.98, hard_vocab_limit=False,
            minloglevel=2, num_threads=1, **options,
        )
        shutil.copy(f"{folder}/m.model", path)


def make_small(wanted, common):
    sample = list(range(0, len(common), 4))
    for name, make in hugging_face_parts().items():
        if wanted and name not in wanted:
            continue
        tokenizer = make()
        folder = GOLDEN / "made" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
        special = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
        write_small(folder, HuggingFace(tokenizer, special), common, sample)
    for name, options in sentencepiece_models().items():
        if wanted and name not in wanted:
            continue
        folder = GOLDEN / "made" / name
        folder.mkdir(parents=True, exist_ok=True)
        train_sentencepiece(options, folder / "tokenizer.model")
        write_small(folder, SentencePiece(folder / "tokenizer.model"), common, sample)


def write_small(folder, oracle, common, sample):
    lines = list(cases(oracle, common, len(folder.name), extra=20))
    kept = [lines[0]] + [line for line in lines[1:] if not isinstance(line["text"], int) or line["text"] in sample]
    if folder.name == "added_tokens":
        for text in ADDED_TOKEN_TEXTS:
            answer = oracle.answer(text)
            kept.append({"text": text, "ids": answer["ids"], "decoded": answer["decoded"]})
    write_lines(folder / "cases.jsonl", kept)


def main():
    wanted = set(sys.argv[1:])
    common = texts()
    write_lines(GOLDEN / "texts.jsonl", common)
    for seed, (name, file) in enumerate(REAL.items()):
        if wanted and name not in wanted:
            continue
        lines = cases(open_oracle(CACHE / name / file), common, seed)
        write_lines(GOLDEN / "real" / f"{name}.jsonl", lines)
    make_small(wanted, common)
    count = sum(len(path.read_text().splitlines()) - 1 for path in GOLDEN.glob("*/**/*.jsonl"))
    print(f"{count} cases in {GOLDEN.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
