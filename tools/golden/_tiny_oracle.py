"""What transformers computes: logits, the residual stream, the routers' choices, and a greedy
continuation that no step of comes near to a tie."""

from typing import NamedTuple

import numpy as np
import torch

import _tiny_tokenizer
from _tiny_choices import Choices

GREEDY_LENGTH, GREEDY_TOKENS = 40, 24
GREEDY_GAP = 0.1  # logits: well above the error of any kernel that passes the comparison


def prompt(length: int, attempt: int = 0) -> list[int]:
    """Any ids but the special ones; a longer prompt is no continuation of a shorter one."""
    rng = np.random.default_rng([length, attempt])
    return rng.integers(3, _tiny_tokenizer.VOCAB, length).tolist()


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


class Answer(NamedTuple):
    logits: np.ndarray  # [tokens, vocab]
    # [layers + 1, tokens, hidden]: the embedding, then what leaves each layer (before the last
    # norm, unlike transformers' last hidden state)
    residuals: np.ndarray
    choices: Choices


def forget_lengths(model) -> None:
    """Dynamic rope remembers the longest sequence so far; every run of ours is a new one."""
    rotary = model.model.rotary_emb
    rotary.max_seq_len_cached = rotary.original_max_seq_len
    rotary.inv_freq = rotary.original_inv_freq.clone()


def run(model, ids: list[int], watched: bool = True) -> Answer:
    stream = []
    forget_lengths(model)
    layers = model.model.layers

    def enter(_, inputs):
        stream.append(inputs[0])

    def leave(_, inputs, output):
        stream.append(output[0] if isinstance(output, tuple) else output)

    handles = [layers[0].register_forward_pre_hook(enter)]
    handles += [layer.register_forward_hook(leave) for layer in layers]
    choices = Choices()
    with torch.no_grad(), choices.watching(model if watched else None):
        logits = model(torch.tensor([ids]), use_cache=False).logits[0].numpy()
    for handle in handles:
        handle.remove()
    return Answer(logits, np.stack([s.reshape(len(ids), -1).numpy() for s in stream]), choices)


def greedy(model) -> dict:
    """The next tokens (end tokens do not stop) and by how much each beat the second best, of the
    first prompt where no step is close to a tie: a tie tests nothing but rounding."""
    for attempt in range(1000):
        ids, chosen, gaps, margins = prompt(GREEDY_LENGTH, attempt), [], [], []
        while len(chosen) < GREEDY_TOKENS:
            answer = run(model, ids + chosen)
            logits = answer.logits[-1]
            best = np.argsort(-logits, kind="stable")[:2]
            gap = float(logits[best[0]] - logits[best[1]])
            if gap < GREEDY_GAP or answer.choices.is_near_tie():
                break
            chosen.append(int(best[0]))
            gaps.append(round(gap, 6))
            margins.append(answer.choices.margin())
        else:
            result = {"ids": ids, "next": chosen, "gaps": gaps}
            return result if margins[0] is None else result | {"margin": min(margins)}
    raise SystemExit("golden: every prompt comes to a tie")
