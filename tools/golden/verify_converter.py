"""A third opinion on the GGUF goldens: llama.cpp's own converter reads each Hugging Face folder,
which proves that its names are the published ones, and must make the keys and tensors of our
model.gguf.

    python tools/golden/verify_converter.py [--models tests/golden/models] [case ...]

KNOWN says where ours differ on purpose. The tokenizer is ours in both: the converter would look its
digest up. It needs the peer that `./dev bench peer` builds, and writes nothing.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from safetensors import safe_open

import _pins
from _llama_cpp import PEER

SOURCE = PEER / "source/vendor/llama.cpp"
# Runs in a process of its own, with the converter's own gguf.
CONVERT = """
import sys
sys.path[:0] = [{source!r} + "/gguf-py", {source!r}, {ours!r}]
import conversion, conversion.base as base, convert_hf_to_gguf as tool
import _tiny_tokenizer
choose = conversion.get_model_class
def chosen(*arguments, **others):
    kind = choose(*arguments, **others)
    for one in [kind, *vars(kind).values()]:
        if isinstance(one, type) and issubclass(one, base.TextModel):
            one.set_vocab = lambda self: _tiny_tokenizer.write_gguf(self.gguf_writer)
    return kind
conversion.get_model_class = tool.get_model_class = chosen
tool.main()
"""
NEXTN_NONE = {"nextn_predict_layers"}  # it writes a zero
INTERVAL = {"full_attention_interval"}  # it writes 4 whatever the layers are
KNOWN = {
    "mistral_window": {"attention.sliding_window"},
    "llama_rope_longrope": {
        "rope.scaling.attn_factor",
        "rope.scaling.original_context_length",
        "rope_factors_long.weight",
        "rope_factors_short.weight",
    },
    "deepseek_v32": NEXTN_NONE,
    "glm4_moe": NEXTN_NONE,
    # Here llama.cpp's reader knows the real sizes by heart.
    "glm4_moe_lite": {"expert_gating_func"},
    "glm_moe_dsa": {"expert_gating_func"},
    "qwen3_next": INTERVAL | {"attention.recurrent_layers"},
    "qwen3_5_published": INTERVAL,
    "qwen3_5_moe_published": INTERVAL,
}
UNSUPPORTED = ("mistral4",)  # of it, only the image model around


def contents(path: pathlib.Path):
    """{key or tensor: what it is}, without what concerns the file and the tokenizer."""
    import gguf

    reader, result = gguf.GGUFReader(path), {}
    for field in reader.fields.values():
        if not field.name.startswith(("GGUF.", "general.", "tokenizer.")):
            result[field.name.split(".", 1)[1]] = field.types[-1].name, field.contents()
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type)
        result[tensor.name] = tensor.tensor_type.name, tensor.shape.tolist(), values
    return result


def same(a, b) -> bool:
    """-exp(A_log) may differ in its last bit."""
    if a is None or b is None or len(a) < 3:
        return a == b
    return a[:2] == b[:2] and np.allclose(a[2], b[2], rtol=3e-7, atol=0)


def convert(folder: pathlib.Path, out: pathlib.Path, form: str) -> None:
    code = CONVERT.format(source=str(SOURCE), ours=str(pathlib.Path(__file__).parent))
    names = []
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "numpy") as opened:
            names += opened.keys()
    command = [sys.executable, "-c", code, str(folder), "--outfile", str(out)]
    command += ["--outtype", form.lower()]
    if any(".linear_attn." in n for n in names) and not any(n.startswith("mtp.") for n in names):
        command.append("--no-mtp")
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"golden: {folder}: {done.stderr.strip()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", type=pathlib.Path, default=_pins.GOLDEN / "models")
    parser.add_argument("cases", nargs="*", help="only these")
    arguments = parser.parse_args()
    bad = 0
    for path in sorted(arguments.models.glob("*/model.gguf")):
        case, folder = path.parent.name, path.parent / "hf"
        wanted = not arguments.cases or case in arguments.cases
        if not folder.exists() or case in UNSUPPORTED or not wanted:
            continue
        ours = contents(path)
        with tempfile.TemporaryDirectory() as place:
            file = pathlib.Path(place) / "theirs.gguf"
            convert(folder, file, ours["token_embd.weight"][0])
            theirs = contents(file)
        found = {k for k in ours | theirs if not same(ours.get(k), theirs.get(k))}
        differs = sorted(found ^ KNOWN.get(case, set()))
        bad += bool(differs)
        print(f"{case:24} {'BAD ' + ', '.join(differs) if differs else 'as converted'}", flush=True)
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
