#!/usr/bin/env python3
"""Trains a small model of Mixtral's architecture, so that there is a router to look at that has
learned something: `./dev demo-models demo-moe`.

Its text is Python's own documentation as Debian's package python3-doc brings it (11 MB of
reStructuredText), its tokenizer a byte-level BPE of 2,048 pieces, trained on the same text. 8
experts of which 2 are active, 6 layers, some 8 million parameters: sized for a quarter of an hour
of two idle cores. It talks like a manual and knows nothing. The result is a Hugging Face folder in
the models folder with, beside the model, training.json (the loss curve and what it was trained on)
and experts.txt (what each expert is for, demo_moe_experts.py). Twice the same on one machine;
other versions of the documentation or of torch give another model of the same kind.

train_demo_moe.py [--text FOLDER] [--steps N] [--folder FOLDER]
train_demo_moe.py --picture FILE.svg     draws the curve of the model that is there
"""

import argparse
import hashlib
import json
import math
import os
import pathlib
import re
import shutil
import sys
import tempfile
import time

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
FOLDER = CACHE / "orrery" / "models" / "demo-moe"
DOCS = pathlib.Path("/usr/share/doc")
SEED, VOCAB, END = 7, 2048, "<|end|>"
CONTEXT, BATCH = 384, 8  # tokens of a piece of text, pieces of a step
STEPS = 1200
RATE, RATE_END, WARMUP, DECAY = 3e-3, 2e-4, 60, 0.1
# Fedus et al. 2021, eq. 4, in each layer; Zoph et al. 2022, eq. 5. Small: they only keep experts
# alive and scores near, the text decides the rest.
BALANCE, SCORES = 0.01, 0.001
EVERY = 50  # steps between two looks at text that is not trained on
# The user's words as they are: it goes on from any text.
CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def find_docs():
    folders = sorted(DOCS.glob("python3*/html/_sources"))
    if not folders:
        sys.exit("train_demo_moe: error: no documentation of Python: apt-get install python3-doc")
    return folders[-1]


def read_texts(folder):
    """The documents in order of their names: (for training, to look at)."""
    files = sorted(folder.rglob("*.rst.txt"))
    if len(files) < 100:
        sys.exit(f"train_demo_moe: error: {folder} holds {len(files)} documents: the right one?")
    texts = [file.read_text(encoding="utf-8") for file in files]
    held_out = texts[::20]
    return [text for i, text in enumerate(texts) if i % 20], held_out


def train_tokenizer(texts):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=VOCAB, special_tokens=[END], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def as_ids(tokenizer, texts):
    import torch

    end = tokenizer.token_to_id(END)
    ids = []
    for encoding in tokenizer.encode_batch(texts):
        ids += [*encoding.ids, end]
    return torch.tensor(ids)


def make_model():
    import torch
    from transformers import MixtralConfig, MixtralForCausalLM

    torch.manual_seed(SEED)
    config = MixtralConfig(
        vocab_size=VOCAB, hidden_size=192, intermediate_size=256, num_hidden_layers=6,
        num_attention_heads=6, num_key_value_heads=2, head_dim=32, max_position_embeddings=2048,
        rms_norm_eps=1e-5, num_local_experts=8, num_experts_per_tok=2, sliding_window=None,
        bos_token_id=0, eos_token_id=0, use_cache=False,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0})
    config.dtype = torch.float32
    return MixtralForCausalLM(config)


def router_losses(scores, active):
    """Of each layer's router scores [tokens, experts]: how uneven, how large. Means over layers."""
    import torch

    balance = size = 0
    for layer in scores:
        experts = layer.shape[-1]
        chosen = layer.topk(active, dim=-1).indices
        share = torch.zeros(experts).index_add_(0, chosen.reshape(-1),
                                                torch.ones(chosen.numel())) / chosen.numel()
        balance = balance + experts * (share * layer.softmax(-1).mean(0)).sum()
        size = size + layer.logsumexp(-1).square().mean()
    return balance / len(scores), size / len(scores)


def pieces(ids, generator):
    """Batches [BATCH, CONTEXT + 1] without end: pieces in another order and cut each time round."""
    import torch

    while True:
        begin = int(torch.randint(0, CONTEXT, (1,), generator=generator))
        count = (len(ids) - begin - 1) // CONTEXT
        order = torch.randperm(count, generator=generator)
        for at in range(0, count - BATCH + 1, BATCH):
            starts = begin + order[at:at + BATCH] * CONTEXT
            yield torch.stack([ids[s:s + CONTEXT + 1] for s in starts.tolist()])


def rate_at(step, steps):
    if step < WARMUP:
        return RATE * (step + 1) / WARMUP
    along = (step - WARMUP) / max(1, steps - WARMUP)
    return RATE_END + (RATE - RATE_END) * 0.5 * (1 + math.cos(math.pi * along))


def loss_of(model, batch, scores_too=False):
    import torch.nn.functional as F

    out = model(input_ids=batch[:, :-1], output_router_logits=scores_too)
    loss = F.cross_entropy(out.logits.reshape(-1, VOCAB).float(), batch[:, 1:].reshape(-1))
    return loss, out.router_logits if scores_too else None


def held_out_loss(model, ids):
    import torch

    model.eval()
    # As many pieces for every look, spread over the whole held-out text.
    count = min(48, (len(ids) - 1) // CONTEXT)
    spread = (len(ids) - CONTEXT - 1) // count
    batch = torch.stack([ids[i * spread:i * spread + CONTEXT + 1] for i in range(count)])
    with torch.no_grad():
        loss = sum(float(loss_of(model, part)[0]) * len(part) for part in batch.split(BATCH))
    model.train()
    return loss / count


def train(model, ids, held_out, steps):
    """The curve: [step, tokens seen, loss, balance, loss of held-out text or null]."""
    import torch

    flat = [p for p in model.parameters() if p.ndim < 2]
    wide = [p for p in model.parameters() if p.ndim >= 2]
    optimizer = torch.optim.AdamW([{"params": wide, "weight_decay": DECAY},
                                   {"params": flat, "weight_decay": 0}], betas=(0.9, 0.95))
    batches = pieces(ids, torch.Generator().manual_seed(SEED))
    active, curve, begun = model.config.num_experts_per_tok, [], time.monotonic()
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, steps)
        loss, scores = loss_of(model, next(batches), scores_too=True)
        balance, size = router_losses(scores, active)
        optimizer.zero_grad(set_to_none=True)
        (loss + BALANCE * balance + SCORES * size).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seen = held_out_loss(model, held_out) if step % EVERY == 0 or step + 1 == steps else None
        curve.append([step, (step + 1) * BATCH * CONTEXT, float(loss), float(balance), seen])
        if seen is not None:
            left = (time.monotonic() - begun) / (step + 1) * (steps - step - 1)
            print(f"  step {step:5} of {steps}: loss {float(loss):.3f}, held-out text {seen:.3f}, "
                  f"balance {float(balance):.3f} (1 is even), {left / 60:.0f} min left", flush=True)
    model.eval()
    return curve


def save(folder, model, tokenizer, training):
    """All or nothing under the folder's own name."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(dir=folder.parent, prefix=".demo-moe-"))
    model.config.use_cache = True
    model.save_pretrained(work)
    tokenizer.save(str(work / "tokenizer.json"))
    (work / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "pad_token": END,
        "clean_up_tokenization_spaces": False, "chat_template": CHAT_TEMPLATE}, indent=1) + "\n")
    (work / "training.json").write_text(json.dumps(training) + "\n")
    for file in work.iterdir():
        file.chmod(0o644)
    work.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)
    work.rename(folder)


def make(folder, docs, steps):
    import demo_moe_experts
    import tokenizers
    import torch
    import transformers

    torch.set_num_threads(min(2, os.cpu_count() or 1))  # the same sums on every machine
    texts, held_out_texts = read_texts(docs)
    whole = "\0".join(texts + held_out_texts).encode()
    print(f"{len(texts)} documents to train on, {len(held_out_texts)} to look at: "
          f"{len(whole) / 1e6:.1f} MB of {docs}", flush=True)
    tokenizer = train_tokenizer(texts)
    ids, held_out = as_ids(tokenizer, texts), as_ids(tokenizer, held_out_texts)
    model = make_model()
    count = sum(p.numel() for p in model.parameters())
    print(f"{len(ids):,} tokens, {count:,} parameters, {steps} steps of {BATCH * CONTEXT} tokens",
          flush=True)
    before = demo_moe_experts.measure(model, held_out, tokenizer)
    begun = time.monotonic()
    curve = train(model, ids, held_out, steps)
    minutes = (time.monotonic() - begun) / 60
    documentation = re.search(r"python3[.\d]*", str(docs))
    training = {
        "text": f"documentation of {documentation[0] if documentation else docs.name}",
        "text_sha256": hashlib.sha256(whole).hexdigest(), "tokens": len(ids),
        "tokens_held_out": len(held_out), "parameters": count, "seed": SEED,
        "minutes": round(minutes, 1), "torch": torch.__version__,
        "transformers": transformers.__version__, "tokenizers": tokenizers.__version__,
        "columns": ["step", "tokens", "loss", "balance", "held_out"], "curve": curve}
    after = demo_moe_experts.measure(model, held_out, tokenizer)
    save(folder, model, tokenizer, training)
    report = demo_moe_experts.report(before, after)
    (folder / "experts.txt").write_text(report, encoding="utf-8")
    print(report)
    print(f"wrote {folder} after {minutes:.1f} minutes")


def points(pairs, x_of, y_of):
    return " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in pairs)


def picture(training):
    """The curve as SVG: every step's loss, its running mean, and text that is not trained on."""
    curve = training["curve"]
    width, height, left, top = 720, 340, 56, 64
    most = curve[-1][1]
    low, high = 2, math.ceil(max(row[2] for row in curve[:1]))
    low = min(low, math.floor(min(row[2] for row in curve)))

    def x_of(tokens):
        return left + (width - left - 24) * tokens / most

    def y_of(loss):
        return top + (height - top - 44) * (high - loss) / (high - low)

    mean, smooth = curve[0][2], []
    for row in curve:
        mean += (row[2] - mean) * 0.05
        smooth.append((row[1], mean))
    held_out = [(row[1], row[4]) for row in curve if row[4] is not None]
    lines = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' role='img' "
        "aria-labelledby='t d'>", "<title id='t'>How the demo model learned</title>",
        f"<desc id='d'>Loss in nats a token against tokens seen: from {curve[0][2]:.2f} to "
        f"{smooth[-1][1]:.2f} in training, {held_out[-1][1]:.2f} on text that it has not "
        "seen</desc>",
        "<style>text{font:13px system-ui,sans-serif;fill:#1c2430}.dim{fill:#5b6675}.head{font-size"
        ":17px;font-weight:600}.axis{stroke:#d5dbe2}.each{stroke:#2f6fb0;fill:none;opacity:.25}"
        ".mean{stroke:#2f6fb0;fill:none;stroke-width:2}.seen{stroke:#b8620b;fill:none;stroke-width:"
        "2}.dot{fill:#b8620b}@media(prefers-color-scheme:dark){text{fill:#e6ebf1}.dim{fill:#9aa7b6}"
        ".axis{stroke:#3a434e}.each,.mean{stroke:#6aa9e6}.seen{stroke:#e8a04c}.dot{fill:#e8a04c}}"
        "</style>", "<text x='16' y='28' class='head'>How the demo model learned</text>",
        f"<text x='16' y='48' class='dim'>{training['parameters'] / 1e6:.1f} million parameters, "
        f"{training['text']}, {training['minutes']:.0f} minutes; nats a token</text>"]
    for loss in range(low, high + 1):
        lines.append(f"<line class='axis' x1='{left}' x2='{width - 24}' y1='{y_of(loss):.1f}' "
                     f"y2='{y_of(loss):.1f}'/><text class='dim' text-anchor='end' x='{left - 8}' "
                     f"y='{y_of(loss) + 4:.1f}'>{loss}</text>")
    for part in range(5):
        tokens = most * part / 4
        lines.append(f"<text class='dim' text-anchor='middle' x='{x_of(tokens):.1f}' "
                     f"y='{height - 20}'>{tokens / 1e6:.1f} M tokens</text>")
    each = [(row[1], min(high, row[2])) for row in curve]
    lines += [f"<polyline class='each' points='{points(each, x_of, y_of)}'/>",
              f"<polyline class='mean' points='{points(smooth, x_of, y_of)}'/>",
              f"<polyline class='seen' points='{points(held_out, x_of, y_of)}'/>"]
    x, y = x_of(held_out[-1][0]), y_of(held_out[-1][1])
    lines += [f"<circle class='dot' cx='{x:.1f}' cy='{y:.1f}' r='4'/>",
              f"<text text-anchor='end' x='{x:.1f}' y='{y - 12:.1f}'>text it has not seen: "
              f"{held_out[-1][1]:.2f}</text>", "</svg>"]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", type=pathlib.Path, help="folder of .rst.txt files")
    parser.add_argument("--folder", type=pathlib.Path, default=FOLDER)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--picture", type=pathlib.Path)
    flags = parser.parse_args()
    if flags.picture:
        training = json.loads((flags.folder / "training.json").read_text(encoding="utf-8"))
        flags.picture.write_text(picture(training), encoding="utf-8")
        print(f"wrote {flags.picture}")
    elif (flags.folder / "experts.txt").exists():
        print(f"{flags.folder} is there already")
    else:
        make(flags.folder, flags.text or find_docs(), flags.steps)


if __name__ == "__main__":
    main()
