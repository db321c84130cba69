"""What a model chooses while it runs: each router its experts, each sparse attention its keys; and
by what margin, because a choice that is nearly a tie may fall either way when sums round otherwise.
"""

import contextlib

import numpy as np
import torch

# Far above what float32 sums differ by. Keys are chosen so often that more cannot be asked.
MARGIN, KEY_MARGIN = 1e-4, 2e-5
NOT_VISIBLE = 255  # in the lists of keys, which all have one length


def selection(router, logits: torch.Tensor):
    """The scores of which the router takes the best, and the smallest gap between a chosen and a
    dropped group of experts (infinite without groups)."""
    kind = type(router).__name__
    no_gap = torch.full(logits.shape[:1], torch.inf)
    if kind.startswith(("GptOss", "Llama4")):
        return logits, no_gap
    if hasattr(router, "e_score_correction_bias"):
        scores = logits.sigmoid() + router.e_score_correction_bias
    else:
        scores = logits.softmax(-1, dtype=torch.float32)
    groups = getattr(router, "num_group", None) or 1
    free = groups == 1 or router.topk_group == groups
    if free or getattr(router, "topk_method", None) == "greedy":
        return scores, no_gap
    # DeepSeek-V2 goes by the best of a group, all later ones by the sum of the two best.
    best = 1 if kind.startswith("DeepseekV2") else 2
    parts = scores.view(len(scores), groups, -1)
    group_scores = parts.topk(best, dim=-1)[0].sum(-1)
    ranked = group_scores.sort(descending=True)[0]
    gap = ranked[:, router.topk_group - 1] - ranked[:, router.topk_group]
    dropped = group_scores < ranked[:, router.topk_group - 1 : router.topk_group]
    low = -torch.inf if hasattr(router, "e_score_correction_bias") else 0.0
    return parts.masked_fill(dropped[:, :, None], low).reshape(scores.shape), gap


class Choices:
    """Watches one run of a model."""

    def __init__(self):
        self.experts = {}  # by layer: ids [tokens, k], ascending
        self.margins = {}  # by layer: [tokens]
        self.keys = {}  # by layer: positions [tokens, k], ascending
        self.key_margins = {}  # by layer: [tokens], relative to the spread of the scores

    def router_hook(self, layer: int):
        def hook(router, _, output):
            logits = output[1] if type(router).__name__ == "Llama4Router" else output[0]
            scores, gap = selection(router, logits)
            ranked, ids = scores.sort(descending=True)
            k = router.top_k
            if len(output) == 3:
                assert torch.equal(ids[:, :k].sort()[0], output[2].sort()[0]), "not what it chose"
            self.experts[layer] = ids[:, :k].sort()[0].numpy()
            self.margins[layer] = torch.minimum(ranked[:, k - 1] - ranked[:, k], gap).numpy()

        return hook

    def indexer_hook(self, layer: int):
        """An indexer returns positions only; its scores are seen where it ranks them."""
        whole = torch.Tensor.topk

        def spy(scores, k, **others):
            result = whole(scores, k, **others)
            ranked = scores[0].sort(descending=True)[0]
            tokens, count = ranked.shape
            self.keys[layer] = np.full((tokens, min(k, count)), NOT_VISIBLE, np.uint8)
            self.key_margins[layer] = np.full(tokens, np.inf)
            for t in range(tokens):
                visible = min(k, t + 1)
                self.keys[layer][t, :visible] = result.indices[0, t, :visible].sort()[0].numpy()
                if t >= k:
                    spread = ranked[t, 0] - ranked[t, t]
                    self.key_margins[layer][t] = (ranked[t, k - 1] - ranked[t, k]) / spread
            return result

        def before(*_):
            torch.Tensor.topk = spy

        def after(*_):
            torch.Tensor.topk = whole

        return before, after

    @contextlib.contextmanager
    def watching(self, model):
        """Nothing is watched without a model."""
        handles = []
        for i, layer in enumerate(model.model.layers if model is not None else ()):
            for module in layer.modules():
                kind = type(module).__name__
                if kind.endswith("Router"):
                    handles.append(module.register_forward_hook(self.router_hook(i)))
                if kind.endswith("Indexer"):
                    before, after = self.indexer_hook(i)
                    handles.append(module.register_forward_pre_hook(before))
                    handles.append(module.register_forward_hook(after))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def margin(self) -> float | None:
        """The narrowest choice of the run."""
        margins = [*self.margins.values(), *self.key_margins.values()]
        return rounded(min(m.min() for m in margins)) if margins else None

    def is_near_tie(self) -> bool:
        routers, indexers = self.margins.values(), self.key_margins.values()
        return any(m.min() < MARGIN for m in routers) or any(m.min() < KEY_MARGIN for m in indexers)

    def as_json(self) -> list[dict]:
        return [
            {
                "layer": layer,
                "experts": self.experts[layer].tolist(),
                "margins": [rounded(m) for m in self.margins[layer]],
            }
            for layer in self.experts
        ]


def rounded(number) -> float:
    return float(f"{number:.3g}")
