"""SmolLM2's answers by tokenizers, jinja2 and transformers: text.json and the float32 reference.

    python tools/golden/smollm2.py [--model FILE] [--out tests/golden/smollm2]

The weights are dequantised and everything is computed in float32, so this is what `--exact` means.
llama.cpp's answers are made by smollm2_llama_cpp.py.
"""

import argparse
import json
import math
import pathlib

import _pins

PINS = _pins.check()

import numpy as np
import torch

import _smollm2_gguf
import _smollm2_texts

CONTEXT = 512  # of perplexity, as llama-perplexity -c 512 counts it
REFERENCE_LENGTHS = (5, 60, 300)  # tokens of text.txt
REFERENCE_STARTS = (0, 100, 700)


def text_goldens(tokenizer) -> dict:
    texts = []
    for text in _smollm2_texts.TEXTS:
        ids = tokenizer.encode(text, add_special_tokens=False)
        texts.append(
            {
                "text": text,
                "ids": ids,
                "ids_special": tokenizer.encode(text),
                "decoded": tokenizer.decode(
                    ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
                ),
            }
        )
    chats = []
    for chat in _smollm2_texts.CHATS:
        rendered = tokenizer.apply_chat_template(
            chat["messages"], add_generation_prompt=chat["add_generation_prompt"], tokenize=False
        )
        chats.append(
            chat
            | {"rendered": rendered, "ids": tokenizer.encode(rendered, add_special_tokens=False)}
        )
    return {"texts": texts, "chats": chats}


@torch.no_grad()
def logits(model, ids: list[int]) -> np.ndarray:
    return model(torch.tensor([ids]), use_cache=False).logits[0].numpy()


def perplexity(model, ids: list[int]) -> dict:
    """As llama-perplexity: whole chunks of the context, the second half of each is scored, and
    `chunks` is the perplexity so far after each chunk."""
    total, count, chunks = 0.0, 0, []
    for start in range(0, len(ids) - CONTEXT + 1, CONTEXT):
        chunk = ids[start : start + CONTEXT]
        scores = torch.from_numpy(logits(model, chunk)).double().log_softmax(-1)
        for i in range(CONTEXT // 2, CONTEXT - 1):
            total -= float(scores[i, chunk[i + 1]])
            count += 1
        chunks.append(round(math.exp(total / count), 6))
    return {
        "tokens": len(ids),
        "context": CONTEXT,
        "scored": count,
        "chunks": chunks,
        "perplexity": chunks[-1],
    }


def reference(model, ids: list[int], out: pathlib.Path) -> list[dict]:
    result = []
    for start, length in zip(REFERENCE_STARTS, REFERENCE_LENGTHS):
        part = ids[start : start + length]
        found = logits(model, part)
        best = np.sort(found, axis=-1)[:, -2:]
        file = f"logits_{length}.npy"
        np.save(out / file, found[-1])
        result.append(
            {
                "ids": part,
                "logits": file,
                "best": found.argmax(-1).tolist(),
                "gaps": [round(float(b - a), 5) for a, b in best],
            }
        )
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=pathlib.Path, default=_pins.MODEL)
    parser.add_argument("--out", type=pathlib.Path, default=_pins.GOLDEN / "smollm2")
    arguments = parser.parse_args()
    reader = _smollm2_gguf.open_gguf(arguments.model)
    tokenizer = _smollm2_gguf.make_tokenizer(reader)
    whole = {"oracle": f"tokenizers {PINS['tokenizers']}, transformers {PINS['transformers']}"}
    whole |= text_goldens(tokenizer)
    (arguments.out / "text.json").write_text(json.dumps(whole, indent=1) + "\n")

    model = _smollm2_gguf.make_model(reader)
    ids = tokenizer.encode((arguments.out / "text.txt").read_text(), add_special_tokens=False)
    answers = {
        "oracle": f"transformers {PINS['transformers']} LlamaForCausalLM, dequantised, float32",
        "prompts": reference(model, ids, arguments.out),
        "perplexity": perplexity(model, ids),
    }
    (arguments.out / "reference.json").write_text(json.dumps(answers) + "\n")
    print(answers["perplexity"])


if __name__ == "__main__":
    main()
