"""The sampler's goldens: which tokens transformers' own chain keeps, and their probabilities.

The chain is built by generate()'s own method, so that its order is transformers' and not ours. It
runs in float64 on float32 logits; no two logits are alike, so that no tie decides. Presence and
frequency penalties, which transformers does not have, are written here from OpenAI's formula and
run where a caller's own processors do. Writes tests/golden/sampler.json."""

import json
import pathlib
import types

import numpy
import pins
import torch
from transformers import GenerationConfig, GenerationMixin, LogitsProcessor, LogitsProcessorList

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "sampler.json"
VOCAB = 150  # more than two of the sampler's blocks of 64, and a short third
HISTORY = [3, 17, 17, 149, 64, 3, 90, 90, 90, 12, 63, 12]
PROMPT_COUNT = 5

SETTINGS = [
    {},
    *({"temperature": t} for t in (0.1, 0.7, 1.5, 10.0)),
    *({"top_k": k} for k in (1, 2, 3, 5, 40, 149, 150, 1000)),
    *({"top_p": p} for p in (0.01, 0.5, 0.9, 0.95, 0.999)),
    *({"min_p": p} for p in (0.01, 0.1, 0.5, 1.0)),
    *({"typical_p": p} for p in (0.05, 0.2, 0.5, 0.9, 0.99)),
    *({"repetition_penalty": p} for p in (0.8, 1.1, 2.0)),
    {"presence_penalty": 1.5},
    {"frequency_penalty": 0.7},
    {"frequency_penalty": -1.0, "presence_penalty": -0.5},
    {"repetition_penalty": 1.3, "presence_penalty": 0.4, "frequency_penalty": 0.6},
    {"repetition_penalty": 1.3, "frequency_penalty": 0.6, "penalty_window": 4},
    {"repetition_penalty": 1.3, "frequency_penalty": 0.6, "penalty_window": 9},
    {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05},
    {"temperature": 2.0, "top_k": 40, "top_p": 0.9},
    {"temperature": 2.0, "top_k": 10, "typical_p": 0.6},
    {"temperature": 1.3, "top_p": 0.9, "typical_p": 0.7},
    {"temperature": 1.3, "min_p": 0.02, "typical_p": 0.7},
    {
        "temperature": 3.0,
        "top_k": 100,
        "top_p": 0.97,
        "min_p": 0.03,
        "typical_p": 0.9,
        "repetition_penalty": 1.2,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.3,
    },
]


class CountPenalty(LogitsProcessor):
    """OpenAI's: mu[j] -= c[j] * frequency + (c[j] > 0) * presence, c counting the reply."""

    def __init__(self, presence, frequency, reply):
        self.presence, self.frequency = presence, frequency
        self.counts = torch.zeros(VOCAB, dtype=torch.float64)
        for token in reply:
            self.counts[token] += 1

    def __call__(self, input_ids, scores):
        return scores - self.counts * self.frequency - (self.counts > 0) * self.presence


class Chain(GenerationMixin):
    """Just enough of a model for generate()'s method that makes the chain."""

    config = types.SimpleNamespace(is_encoder_decoder=False)


def run(logits: numpy.ndarray, settings: dict) -> tuple[list[int], list[float]]:
    settings = dict(settings)
    window = settings.pop("penalty_window", 0)
    begin = len(HISTORY) - window if window else 0
    own = CountPenalty(
        settings.pop("presence_penalty", 0),
        settings.pop("frequency_penalty", 0),
        HISTORY[max(begin, PROMPT_COUNT) :],
    )
    config = GenerationConfig(do_sample=True, **({"top_k": 0} | settings))
    chain = Chain()._get_logits_processor(
        config, logits_processor=LogitsProcessorList([own]), input_ids_seq_length=len(HISTORY)
    )
    scores = chain(torch.tensor([HISTORY[begin:]]), torch.tensor(logits, dtype=torch.float64)[None])
    probabilities = torch.softmax(scores, -1)[0]
    kept = torch.nonzero(probabilities).flatten().tolist()
    return kept, [float(f"{probabilities[i]:.6g}") for i in kept]


def main() -> None:
    pins.check()
    random = numpy.random.default_rng(20240917)
    inputs = {
        "peaked": random.normal(0, 4, VOCAB),
        "flat": random.normal(0, 0.3, VOCAB),
    }
    masked = random.random(VOCAB) < 0.8
    inputs["masked"] = numpy.where(masked, -numpy.inf, random.normal(0, 2, VOCAB))
    cases = []
    for name, values in inputs.items():
        values = values.round(4).astype(numpy.float32)
        finite = values[numpy.isfinite(values)]
        assert len(set(finite.tolist())) == len(finite), name
        inputs[name] = [None if numpy.isinf(v) else float(f"{v:.4f}") for v in values]
        for settings in SETTINGS:
            if name == "flat" and not any(k.startswith(("t", "m")) for k in settings):
                continue  # a flat list keeps everything: much to store, little to learn
            kept, probabilities = run(values, settings)
            cases.append(
                {"logits": name, "settings": settings, "kept": kept, "probabilities": probabilities}
            )
    golden = {"history": HISTORY, "prompt_count": PROMPT_COUNT, "logits": inputs}
    head = json.dumps(golden, separators=(",", ":"))[:-1]
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    OUT.write_text(f'{head},"cases":[\n{lines}\n]}}\n')


main()
