"""Tiny checkpoints of Mistral's families and of SmolLM3."""

from _tiny_case import UNTIED, Case

CASES = [
    Case("mixtral", {}, family="mixtral", config="old", ablations=({"num_experts_per_tok": 1}, {"num_experts_per_tok": 3})),
]
