"""What `padding_side="left"` means elsewhere: transformers' replies to a padded batch.

    python tools/golden/left_padding.py [--out tests/golden/left_padding]

For some of the tiny models (tests/golden/models), prompts of different lengths go through
transformers' generate() as one batch, padded on the left and masked. Each model becomes a file of
lines {tokens, next}; no step of them comes near to a tie. `orrery generate --batch` must give the
same without a padding token, and a prompt alone gives the same in transformers, too.
"""

import argparse
import json
import pathlib

import _pins

_pins.check()

import torch
import transformers

from _tiny_oracle import prompt

transformers.logging.disable_progress_bar()
transformers.logging.set_verbosity_error()
ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ["llama_f32", "mistral_window", "qwen3_moe", "deepseek_v3", "gpt_oss_bf16", "smollm3"]
LENGTHS = (1, 3, 7, 20, 40, 70, 11)
NEXT, GAP, PAD = 16, 0.05, 0


def generate(model, prompts):
    """(next tokens, smallest gap between the two best) of each prompt, padded on the left."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[PAD] * (longest - len(one)) + one for one in prompts])
    mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in prompts])
    answer = model.generate(
        input_ids=ids,
        attention_mask=mask,
        do_sample=False,
        max_new_tokens=NEXT,
        eos_token_id=None,
        pad_token_id=PAD,
        output_logits=True,
        return_dict_in_generate=True,
    )
    best = torch.stack(answer.logits).topk(2).values  # [step, prompt, 2]
    gaps = (best[..., 0] - best[..., 1]).min(dim=0).values.tolist()
    return list(zip(answer.sequences[:, longest:].tolist(), gaps))


def lines_of(model):
    prompts = [prompt(length) for length in LENGTHS]
    for attempt in range(1, 1000):
        answers = generate(model, prompts)
        close = [i for i, (_, gap) in enumerate(answers) if gap < GAP]
        if not close:
            for one, (chosen, _) in zip(prompts, answers):
                if generate(model, [one])[0][0] != chosen:
                    raise SystemExit("golden: padding changes what transformers says")
            return [{"tokens": one, "next": n} for one, (n, _) in zip(prompts, answers)]
        for i in close:
            prompts[i] = prompt(LENGTHS[i], attempt)
    raise SystemExit("golden: every prompt comes to a tie")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "tests/golden/left_padding")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            ROOT / "tests/golden/models" / name / "hf",
            dtype=torch.float32,
            attn_implementation="eager",
        ).eval()
        lines = lines_of(model)
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (out / f"{name}.jsonl").write_text(text)
        print(f"{name}: {len(lines)} prompts of {', '.join(map(str, LENGTHS))} tokens")


if __name__ == "__main__":
    main()
