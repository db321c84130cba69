"""The pinned oracle: refuses to make goldens with other versions than requirements.txt says, and
sets torch to one thread and deterministic arithmetic, so that a repeat gives the same bytes."""
import importlib.metadata
import pathlib


def check(*extra: str) -> dict:
    """Asserts every pin (and `extra`, as "name==version"); returns {name: version}."""
    lines = (pathlib.Path(__file__).parent / "requirements.txt").read_text().split()
    pins = dict(line.split("==") for line in [*lines, *extra])
    for name, wanted in pins.items():
        found = importlib.metadata.version(name).split("+")[0]
        if found != wanted:
            raise SystemExit(f"golden: {name} is {found}, the goldens are pinned to {wanted}")
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    return pins
