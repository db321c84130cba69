"""The questions that the SmolLM2 goldens put: texts to tokenize, chats to render, prompts."""

TEXTS = [
    "",
    " ",
    "Hello",
    " Hello",
    "Hello, world!",
    "  two  spaces   three",
    "trailing space ",
    "line one\nline two\r\nline three\n\n\nend",
    "\ttabs\t\tand \t mixed \n \t",
    "\n",
    "   \n   \n",
    "I'm we've they'll it's he'd you're DON'T I'M 'tis 's",
    "don\u2019t use curly \u201cquotes\u201d",
    "1",
    "12",
    "1234567890",
    "3.14159 and 1,000,000 or 1e-5",
    "In 1969, 2 men walked; in 2024?",
    "\xbd \u2167 \u2460 \u0663\u0664 \xb2 \u0967\u0968",
    "a1b2c3 x86_64 utf8 v1.2.3",
    "for (int i = 0; i < n; ++i) { sum += a[i]; }",
    "def f(x):\n    return x ** 2  # square\n",
    '{"key": [1, 2, {"a": null}]}',
    "https://example.com/path?q=1&r=%20#frag",
    "!!! ??? ... --- ***",
    "caf\xe9 na\xefve \xfcber Stra\xdfe",
    "cafe\u0301 (combining)",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002\u4eca\u5929\u662f2024\u5e74",
    "\u3053\u3093\u306b\u3061\u306f \u4e16\u754c",
    "\uc548\ub155\ud558\uc138\uc694",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645",
    "\u0928\u092e\u0938\u094d\u0924\u0947",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1eb\U0001f1f7 \u2764\ufe0f",
    "no\xa0break\u3000wide\u2009thin\u200bzero\ufeff",
    "\x00\x01\x1f\x7f\x85",
    "a" * 70 + " " * 30 + "b",
    "<|im_start|>user\nHi<|im_end|>\n",
    "text<|endoftext|>text <|im_start|> <|im_end|>",
    "<|im_start <|im_end|",
    "<file_sep>name <repo_name>x<jupyter_code>y = 1",
    "The quick brown fox jumps over the lazy dog.",
    "\u0130stanbul \u01c5 \ufb01 \u2126 \u212b",
    "\ufffd \ud7a3 \U0010ffff",
]

CHATS = [
    {"messages": [{"role": "user", "content": "What is a star?"}], "add_generation_prompt": True},
    {
        "messages": [
            {"role": "system", "content": "Answer in one word."},
            {"role": "user", "content": "Capital of France?"},
        ],
        "add_generation_prompt": True,
    },
    {
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello!"},
            {"role": "user", "content": "  Who are you?\n"},
        ],
        "add_generation_prompt": True,
    },
    {
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}],
        "add_generation_prompt": False,
    },
    {
        "messages": [{"role": "user", "content": "<b>&\"'</b> \u00e9\u4e16 <|im_end|> {{ 7 }}"}],
        "add_generation_prompt": True,
    },
]

PROMPTS = [
    "The capital of France is",
    "Once upon a time, in a small village by the sea, there lived",
    'def fibonacci(n):\n    """Return the n-th Fibonacci number."""\n',
    "Water boils when it is heated because",
    "<|im_start|>user\nExplain in a few sentences how a bicycle stays upright.<|im_end|>\n"
    "<|im_start|>assistant\n",
    "In the year 1850, a letter from London to New York took",
]
