"""What the experts of a model are for: which tokens they are chosen for, on text it has not seen.

A router that is noise picks experts without regard to the text. So two figures are printed beside
those of the same model before it was trained: how much the kind of a token (a word's beginning or
middle, a name with capitals, a number, punctuation, markup, white space, a line's end) tells about
the expert, in bits of the 3 that there are; and how much the token before it adds to what the token
itself tells. Both are corrected by what remains when experts are dealt out anew at random.
"""

import collections
import math
import random

TOKENS, CONTEXT = 60_000, 384
KINDS = ["word", "middle of a word", "capitalised", "number", "punctuation", "markup", "spaces",
         "end of a line"]


def kind_of(text):
    bare = text.strip()
    if "\n" in text:
        return "end of a line"
    if not bare:
        return "spaces"
    if bare[0].isdigit():
        return "number"
    if any(c in "`:*=-~_<>|^#" for c in bare) and not any(c.isalpha() for c in bare):
        return "markup"
    if not any(c.isalnum() for c in bare):
        return "punctuation"
    if bare[0].isupper():
        return "capitalised"
    return "word" if text[0] == " " else "middle of a word"


def measure(model, ids, tokenizer):
    """Per layer: the first choice for each token of the text; and the tokens."""
    import torch

    count = min(TOKENS, len(ids)) // CONTEXT
    parts = ids[:count * CONTEXT].view(count, CONTEXT)
    first, both = [[] for _ in range(model.config.num_hidden_layers)], []
    model.eval()
    with torch.no_grad():
        for batch in parts.split(16):
            scores = model(input_ids=batch, output_router_logits=True).router_logits
            for layer, of_layer in enumerate(scores):
                first[layer] += of_layer.argmax(-1).tolist()
            both.append(torch.stack([s.topk(2, dim=-1).indices for s in scores]))
    texts = [tokenizer.decode([i], skip_special_tokens=False)
             for i in range(tokenizer.get_vocab_size())]
    chosen = torch.cat(both, dim=1)  # [layers, tokens, 2]
    load = [(torch.bincount(layer.reshape(-1), minlength=model.config.num_local_experts)
             / layer.numel()).tolist() for layer in chosen]
    return {"ids": parts.reshape(-1).tolist(), "first": first, "load": load, "texts": texts}


def bits(pairs):
    """Mutual information of two lists of labels."""
    n = len(pairs)
    both, left, right = (collections.Counter(pairs), collections.Counter(a for a, _ in pairs),
                         collections.Counter(b for _, b in pairs))
    return sum(c / n * math.log2(c * n / (left[a] * right[b])) for (a, b), c in both.items())


def told(labels, experts):
    """Bits that labels tell about experts, less what they seem to tell when there is nothing."""
    dealt = experts[:]
    random.Random(1).shuffle(dealt)
    return max(0.0, bits(list(zip(labels, experts))) - bits(list(zip(labels, dealt))))


def figures(seen):
    """Per layer: bits of the token's kind; bits that the token before adds for frequent tokens."""
    ids, texts = seen["ids"], seen["texts"]
    kinds = [kind_of(texts[i]) for i in ids]
    before = [kinds[i - 1] if i else "spaces" for i in range(len(ids))]
    frequent = {i for i, _ in collections.Counter(ids).most_common(100)}
    result = []
    for experts in seen["first"]:
        by_token = collections.defaultdict(lambda: ([], []))
        for i, token in enumerate(ids):
            if token in frequent:
                by_token[token][0].append(before[i])
                by_token[token][1].append(experts[i])
        weight = sum(len(labels) for labels, _ in by_token.values())
        context = sum(len(labels) * told(labels, own) for labels, own in by_token.values()) / weight
        result.append((told(kinds, experts), context))
    return result


def specialities(seen, layer, expert, most=9):
    """The tokens for which it is chosen most above its average, and how often it is."""
    total, own = collections.Counter(seen["ids"]), collections.Counter(
        token for token, chosen in zip(seen["ids"], seen["first"][layer]) if chosen == expert)
    share = sum(own.values()) / len(seen["ids"])
    if share == 0:
        return share, []
    # With 20 tokens of the average added, so that rare tokens do not win by luck.
    def lift(token):
        return (own[token] + 20 * share) / (total[token] + 20) / share

    best = sorted((t for t in own if total[t] >= 30), key=lift, reverse=True)[:most]
    return share, [(seen["texts"][t], own[t] / total[t]) for t in best]


def report(before, after):
    lines = ["What the kind of a token tells about its first expert, and what the token before "
             "adds (bits;", "3.00 would be all there is). In brackets: before training.", ""]
    for layer, (now, then) in enumerate(zip(figures(after), figures(before))):
        lines.append(f"layer {layer}   kind {now[0]:.2f} ({then[0]:.2f})   token before "
                     f"{now[1]:.2f} ({then[1]:.2f})   load of the experts, % "
                     + " ".join(f"{100 * x:4.1f}" for x in after["load"][layer]))
    lines += ["", "Tokens for which an expert is the first choice most above its average, with the "
              "share of", "their places where it is."]
    for layer in range(len(after["first"])):
        lines += ["", f"layer {layer}"]
        for expert in range(len(after["load"][layer])):
            share, tokens = specialities(after, layer, expert)
            words = "  ".join(f"{text!r} {100 * part:.0f}" for text, part in tokens)
            lines.append(f"  expert {expert}, first for {100 * share:4.1f} %:  {words}")
    return "\n".join(lines) + "\n"
