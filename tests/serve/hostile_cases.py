"""What clients may send: bodies that are wrong in every way that we know, and broken HTTP.

A case of BODIES is (name, path, body); of RAW (name, bytes). Each must get a status of 4xx with a
JSON error in the style of its path, or a closed connection.
"""

import json

CHAT, TEXT, OLLAMA = "/v1/chat/completions", "/v1/completions", "/api/chat"
CLAUDE, GENERATE, RESPONSES, EMBED = ("/v1/messages", "/api/generate", "/v1/responses",
                                      "/v1/embeddings")
HI = [{"role": "user", "content": "Hi"}]


def chat(**more):
    return {"messages": HI, "max_tokens": 2, **more}


def text(**more):
    return {"prompt": "Hi", "max_tokens": 2, **more}


def claude(**more):
    return {"model": "MODEL", "messages": HI, "max_tokens": 2, **more}


def ollama(**more):
    return {"model": "MODEL", "messages": HI, "stream": False, **more}


WRONG_FIELDS = [
    ("temperature", ["hot", -1, 2.5, 1e30, [], {}, True]),
    ("top_p", ["x", -0.1, 1.5, [], False]),
    ("top_k", [1.5, -2, 10**12, "5"]),
    ("min_p", [-1, 2, "a"]),
    ("max_tokens", [0, -1, 1.5, "5", 10**9, 10**12, 2**63, -2**63, [], {}]),
    ("max_completion_tokens", [0, -5, "many", 10**18]),
    ("n", [0, -1, 1.5, 17, 10**9, "2", True]),
    ("seed", ["x", 1.5, 10**19, -10**19, []]),
    ("stop", [5, [5], [""], "", ["a"] * 100, {}, [None], ["x" * 5000]]),
    ("presence_penalty", [-3, 3, "x", []]),
    ("frequency_penalty", [-3, 3, "x"]),
    ("repetition_penalty", [0, -1, 1000, "x"]),
    ("logit_bias", [{"x": 1}, {"5": 1000}, {"5": "a"}, {"-1": 1}, {"99999999": 1}, [], 5,
                    {"1e3": 1}, {"": 1}, {"5": None}]),
    ("logprobs", ["yes", 5, []]),
    ("top_logprobs", [-1, 21, "x", 5]),
    ("stream", ["yes", 1, []]),
    ("stream_options", [5, {"include_usage": "x"}, {"include_usage": True}]),
    ("messages", [[], {}, "Hi", 5, None, [None], ["Hi"], [[]], [{}], [{"role": "user"}],
                  [{"content": "Hi"}], [{"role": "king", "content": "Hi"}],
                  [{"role": "user", "content": 5}], [{"role": "user", "content": {"a": 1}}],
                  [{"role": "user", "content": [5]}], [{"role": "user", "content": [{}]}],
                  [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
                  [{"role": 5, "content": "Hi"}],
                  [{"role": "assistant", "content": "", "tool_calls": "x"}],
                  [{"role": "assistant", "content": "", "tool_calls": [{"function": {}}]}],
                  [{"role": "assistant", "content": "",
                    "tool_calls": [{"function": {"name": "f", "arguments": "{broken"}}]}],
                  [{"role": "user", "content": "x", "tool_calls": []}, 5]]),
    ("model", [5, [], {}, "no-such-model", "../../etc/passwd", "x" * 100_000]),
    ("tools", ["x", [5], [{}], [{"type": "gun", "function": {"name": "f"}}],
               [{"type": "function"}], [{"type": "function", "function": {"name": 5}}],
               [{"type": "function", "function": {"name": ""}}]]),
    ("tool_choice", ["required", "maybe", 5, {"type": "function", "function": {"name": "f"}}]),
    ("response_format", ["json", {"type": "xml"}, {"type": "json_object"}, {},
                         {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}]),
    ("chat_template_kwargs", [{"messages": []}, {"bos_token": "x"}, {"x": "<|im_start|>"}, [],
                              {"x": [1]}, {"tools": None}]),
    ("ignore_eos", ["x", 1]),
    ("timeout_seconds", [0, -1, "x", 1e300]),
    ("priority", [1.5, 10**6, "x"]),
    ("store", [True]),
    ("modalities", [["audio"]]),
]


def numbers_as_text(name, value):
    return json.dumps(chat(NUMBER=0)).replace('"NUMBER": 0', f'"{name}": {value}').encode()


def wrong_fields():
    for name, values in WRONG_FIELDS:
        for value in values:
            shown = json.dumps(value)[:60]
            yield f"{name} is {shown}", CHAT, json.dumps(chat(**{name: value})).encode()


def wrong_texts():
    for name, body in [
        ("NaN", numbers_as_text("temperature", "NaN")),
        ("Infinity", numbers_as_text("temperature", "Infinity")),
        ("-Infinity", numbers_as_text("top_p", "-Infinity")),
        ("1e400", numbers_as_text("temperature", "1e400")),
        ("a number of 5000 digits", numbers_as_text("seed", "9" * 5000)),
        ("0x10", numbers_as_text("max_tokens", "0x10")),
        ("a leading zero", numbers_as_text("max_tokens", "010")),
        ("an empty body", b""),
        ("blanks", b"   \n "),
        ("null", b"null"), ("a list", b"[]"), ("a text", b'"x"'), ("a number", b"5"),
        ("half a body", b'{"messages":[{"role":"user"'),
        ("garbage", b"\x00\xff\xfe garbage"),
        ("a body and more", json.dumps(chat()).encode() + b"{}"),
        ("a trailing comma", b'{"messages":[],}'),
        ("single quotes", b"{'messages':[]}"),
        ("a comment", b'{"messages":[] /* x */}'),
        ("a key twice", b'{"messages":[],"messages":[{"role":"user","content":"Hi"}]}'),
        ("lists of depth 100,000", b"[" * 100_000),
        ("lists of depth 100,000, closed", b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        ("objects of depth 100,000", b'{"a":' * 100_000),
        ("tools of depth 10,000", b'{"messages":[{"role":"user","content":"x"}],"tools":' +
         b'[{"a":' * 10_000 + b"1" + b"}]" * 10_000 + b"}"),
        ("invalid UTF-8", b'{"messages":[{"role":"user","content":"\xff\xfe"}]}'),
        ("overlong UTF-8", b'{"messages":[{"role":"user","content":"\xc0\xaf"}]}'),
        ("half a character", b'{"messages":[{"role":"user","content":"\xe2\x82"}]}'),
        ("a lone surrogate", rb'{"messages":[{"role":"user","content":"\ud800"}]}'),
        ("UTF-16", '{"messages":[]}'.encode("utf-16")),
        ("a zero byte", b'{"messages":[{"role":"user","content":"a\x00b"}]}'),
        ("20,000 keys", json.dumps({**chat(), **{f"k{i}": i for i in range(20_000)}}).encode()),
        ("a million values", b'{"messages":[{"role":"user","content":"x"}],"x":[' +
         b"1," * 1_000_000 + b"1]}"),
        ("no messages", b"{}"),
        ("a prompt that does not fit", json.dumps(chat(
            messages=[{"role": "user", "content": "word " * 20_000}])).encode()),
        ("a body of 50 MB", b'{"messages":[{"role":"user","content":"' + b"x" * (50 << 20) +
         b'"}]}'),
    ]:
        yield name, CHAT, body


def other_paths():
    for name, path, body in [
        ("no prompt", TEXT, {}), ("an empty prompt list", TEXT, text(prompt=[])),
        ("a prompt of null", TEXT, text(prompt=None)), ("a prompt of 5", TEXT, text(prompt=5)),
        ("mixed prompts", TEXT, text(prompt=["a", 5])),
        ("a negative token", TEXT, text(prompt=[1, -5])),
        ("a huge token", TEXT, text(prompt=[10**9])),
        ("a token of 2^40", TEXT, text(prompt=[2**40])),
        ("a token outside the vocabulary", TEXT, text(prompt=[49_999_999])),
        ("200 prompts", TEXT, text(prompt=["a"] * 200)),
        ("an empty list of ids", TEXT, text(prompt=[[]])),
        ("deep prompts", TEXT, text(prompt=[[[1]]])),
        ("logprobs -1", TEXT, text(logprobs=-1)), ("logprobs 100", TEXT, text(logprobs=100)),
        ("best_of 5", TEXT, text(best_of=5)), ("a suffix", TEXT, text(suffix="x")),
        ("max_tokens -1", TEXT, text(max_tokens=-1)),
        ("echo of 1", TEXT, text(echo=1)),
        ("a prompt of 30,000 words", TEXT, text(prompt="word " * 30_000)),
        ("tokenize nothing", "/tokenize", {}), ("tokenize 5", "/tokenize", {"prompt": 5}),
        ("tokenize both", "/tokenize", {"prompt": "x", "messages": HI}),
        ("detokenize -1", "/detokenize", {"tokens": [-1]}),
        ("detokenize 10^12", "/detokenize", {"tokens": [10**12]}),
        ("detokenize texts", "/detokenize", {"tokens": ["a"]}),
        ("detokenize nothing", "/detokenize", {}),
        ("embed nothing", EMBED, {}), ("embed no texts", EMBED, {"input": []}),
        ("embed an empty text", EMBED, {"input": ""}), ("embed 5", EMBED, {"input": 5}),
        ("embed a mixture", EMBED, {"input": ["a", 5]}), ("embed ids", EMBED, {"input": [-5]}),
        ("embed in 5 dimensions", EMBED, {"input": "x", "dimensions": 5}),
        ("embed as text", EMBED, {"input": "x", "encoding_format": "text"}),
        ("embed 200 texts", EMBED, {"input": ["x"] * 200}),
        ("embed what does not fit", EMBED, {"input": "word " * 20_000}),
        ("ollama: embed nothing", "/api/embed", {"model": "MODEL"}),
        ("claude: nothing", CLAUDE, {}), ("claude: no max_tokens", CLAUDE, {"model": "MODEL",
                                                                           "messages": HI}),
        ("claude: no messages", CLAUDE, claude(messages=[])),
        ("claude: messages of texts", CLAUDE, claude(messages=["Hi"])),
        ("claude: a system role", CLAUDE, claude(messages=[{"role": "system", "content": "x"}])),
        ("claude: max_tokens 0", CLAUDE, claude(max_tokens=0)),
        ("claude: max_tokens -1", CLAUDE, claude(max_tokens=-1)),
        ("claude: max_tokens 10^12", CLAUDE, claude(max_tokens=10**12)),
        ("claude: max_tokens 10^6", CLAUDE, claude(max_tokens=10**6)),
        ("claude: temperature 2", CLAUDE, claude(temperature=2)),
        ("claude: top_k -1", CLAUDE, claude(top_k=-1)),
        ("claude: stop of 5", CLAUDE, claude(stop_sequences=5)),
        ("claude: empty stop", CLAUDE, claude(stop_sequences=[""])),
        ("claude: an image", CLAUDE, claude(messages=[{"role": "user", "content": [
            {"type": "image", "source": {"type": "base64", "data": "x"}}]}])),
        ("claude: a block without type", CLAUDE, claude(messages=[{"role": "user", "content": [
            {"text": "x"}]}])),
        ("claude: an unknown block", CLAUDE, claude(messages=[{"role": "user", "content": [
            {"type": "gun"}]}])),
        ("claude: tool_choice any", CLAUDE, claude(
            tool_choice={"type": "any"}, tools=[{"name": "f", "input_schema": {}}])),
        ("claude: a tool without schema", CLAUDE, claude(tools=[{"name": "f"}])),
        ("claude: an unknown model", CLAUDE, claude(model="claude-9")),
        ("claude: model of 5", CLAUDE, claude(model=5)),
        ("claude: a schema", CLAUDE, claude(output_config={"format": {"type": "json_schema"}})),
        ("claude: count nothing", "/v1/messages/count_tokens", {"model": "MODEL"}),
        ("ollama: nothing", OLLAMA, {}), ("ollama: no messages", OLLAMA, ollama(messages=[])),
        ("ollama: an unknown model", OLLAMA, ollama(model="x")),
        ("ollama: options of 5", OLLAMA, ollama(options=5)),
        ("ollama: temperature x", OLLAMA, ollama(options={"temperature": "x"})),
        ("ollama: num_predict 10^12", OLLAMA, ollama(options={"num_predict": 10**12})),
        ("ollama: num_predict -3", OLLAMA, ollama(options={"num_predict": -3})),
        ("ollama: num_ctx 10^9", OLLAMA, ollama(options={"num_ctx": 10**9})),
        ("ollama: num_ctx 100,000", OLLAMA, ollama(options={"num_ctx": 100_000})),
        ("ollama: an image", OLLAMA, ollama(messages=[{"role": "user", "content": "x",
                                                       "images": ["eA=="]}])),
        ("ollama: format json", OLLAMA, ollama(format="json")),
        ("ollama: a schema", OLLAMA, ollama(format={"type": "object"})),
        ("ollama: stream of 5", OLLAMA, ollama(stream=5)),
        ("ollama: a broken call", OLLAMA, ollama(messages=[
            {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": 5}}]}])),
        ("ollama: generate nothing", GENERATE, {}),
        ("ollama: generate 5", GENERATE, {"model": "MODEL", "prompt": 5}),
        ("ollama: a suffix", GENERATE, {"model": "MODEL", "prompt": "x", "suffix": "y"}),
        ("ollama: an old context", GENERATE, {"model": "MODEL", "prompt": "x", "context": [1]}),
        ("ollama: a template", GENERATE, {"model": "MODEL", "prompt": "x", "template": "y"}),
        ("ollama: show nothing", "/api/show", {}), ("ollama: show x", "/api/show", {"model": "x"}),
        ("responses: nothing", RESPONSES, {}), ("responses: null", RESPONSES, {"input": None}),
        ("responses: input of 5", RESPONSES, {"input": 5}),
        ("responses: no items", RESPONSES, {"input": []}),
        ("responses: an unknown item", RESPONSES, {"input": [{"type": "gun"}]}),
        ("responses: an item without content", RESPONSES, {"input": [{"role": "user"}]}),
        ("responses: a call without a name", RESPONSES, {"input": [{"type": "function_call"}]}),
        ("responses: an image", RESPONSES, {"input": [{"role": "user", "content": [
            {"type": "input_image", "image_url": "x"}]}]}),
        ("responses: an earlier one", RESPONSES, {"input": "x", "previous_response_id": "r"}),
        ("responses: in the background", RESPONSES, {"input": "x", "background": True}),
        ("responses: a web search", RESPONSES, {"input": "x", "tools": [{"type": "web_search"}]}),
        ("responses: tools of 5", RESPONSES, {"input": "x", "tools": [5]}),
        ("responses: a schema", RESPONSES, {"input": "x", "text": {"format": {
            "type": "json_schema", "schema": {}}}}),
        ("responses: 0 tokens", RESPONSES, {"input": "x", "max_output_tokens": 0}),
        ("responses: truncation", RESPONSES, {"input": "x", "truncation": "auto"}),
    ]:
        yield name, path, json.dumps(body).encode()


def bodies():
    yield from wrong_fields()
    yield from wrong_texts()
    yield from other_paths()


def post(path=CHAT, body=b"{}", head="", host="Host: 127.0.0.1\r\n", length=None,
         kind="Content-Type: application/json\r\n"):
    size = len(body) if length is None else length
    return (f"POST {path} HTTP/1.1\r\n{host}{kind}Content-Length: {size}\r\n{head}\r\n").encode() + body


def chunked(chunks):
    return (f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            "Transfer-Encoding: chunked\r\n\r\n").encode() + chunks


GOOD = json.dumps(chat()).encode()
RAW = [
    ("garbage", b"\x00\x01\x02\x03garbage\r\n\r\n"),
    ("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n"),
    ("only newlines and a word", b"\r\n\r\nhello\r\n\r\n"),
    ("HTTP/0.9", b"GET /\r\n\r\n"),
    ("HTTP/2.0", b"GET /v1/models HTTP/2.0\r\nHost: 127.0.0.1\r\n\r\n"),
    ("HTTP/9.9", b"GET /v1/models HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n"),
    ("the HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("no Host", b"GET /v1/models HTTP/1.1\r\n\r\n"),
    ("two Hosts", b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n"),
    ("a foreign Host", b"GET /v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
    ("a Host that begins like ours",
     b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n"),
    ("a foreign Origin", post(head="Origin: http://HOST\r\n", body=GOOD)),
    ("the Origin null", post(head="Origin: null\r\n", body=GOOD)),
    ("a preflight of a foreign page", b"OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1"
     b"\r\nOrigin: http://HOST\r\nAccess-Control-Request-Method: POST\r\n\r\n"),
    ("an absolute target", b"GET http://127.0.0.1/v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    ("CONNECT", b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
    ("broken %XX", b"GET /v1/%zz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    ("a zero byte in the path", b"GET /v1/%00models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    ("a path that climbs", b"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"),
    ("a path of 100 kB", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    ("an unknown path", b"GET /wp-login.php HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"),
    ("an unknown method", b"BREW /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"),
    ("GET of a chat", b"GET /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"),
    ("DELETE", b"DELETE /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"),
    ("PUT /health", b"PUT /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"),
    ("10,000 headers", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"".join(
        b"X-%d: y\r\n" % i for i in range(10_000)) + b"\r\n"),
    ("a header of 1 MB", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * (1 << 20) + b"\r\n\r\n"),
    ("an endless header name", b"GET / HTTP/1.1\r\n" + b"y" * (1 << 20)),
    ("a header without a colon", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nnonsense\r\n\r\n"),
    ("a blank before the colon", b"GET / HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n"),
    ("a folded header", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\r\n b\r\nBad Name: c\r\n\r\n"),
    ("a zero byte in a header", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\x00b\r\n\r\n"),
    ("Content-Length -1", post(length=-1)),
    ("Content-Length x", post(length="x")),
    ("Content-Length 1e3", post(length="1e3")),
    ("Content-Length of 2^64", post(length=2**64)),
    ("Content-Length of 10^15", post(length=10**15)),
    ("two different Content-Lengths", post(head="Content-Length: 5\r\n")),
    ("length and chunks", post(head="Transfer-Encoding: chunked\r\n", body=b"0\r\n\r\n")),
    ("Transfer-Encoding gzip", post(head="Transfer-Encoding: gzip\r\n", length=0)),
    ("Transfer-Encoding chunked, gzip", chunked(b"").replace(b"chunked", b"chunked, gzip")),
    ("Transfer-Encoding xchunked", chunked(b"").replace(b"chunked", b"xchunked")),
    ("a chunk of size zz", chunked(b"zz\r\nabc\r\n0\r\n\r\n")),
    ("a chunk of size -5", chunked(b"-5\r\nabc\r\n0\r\n\r\n")),
    ("a chunk of 2^64", chunked(b"ffffffffffffffff\r\nabc\r\n0\r\n\r\n")),
    ("a chunk of more than 2^64", chunked(b"fffffffffffffffffff\r\nabc\r\n0\r\n\r\n")),
    ("a chunk without its end", chunked(b"3\r\nabcdef\r\n0\r\n\r\n")),
    ("a chunk longer than its size", chunked(b"2\r\nabcdefghi\r\n0\r\n\r\n")),
    ("no size of a chunk", chunked(b"\r\nabc\r\n0\r\n\r\n")),
    ("an endless extension of a chunk", chunked(b"3;" + b"x" * (4 << 20) + b"\r\nabc\r\n0\r\n\r\n")),
    ("chunks of 50 MB", chunked(b"".join(b"%x\r\n" % (1 << 20) + b"x" * (1 << 20) + b"\r\n"
                                         for _ in range(50)) + b"0\r\n\r\n")),
    ("no content type", post(kind="", body=GOOD, head="Connection: close\r\n")),
    ("a form", post(kind="Content-Type: application/x-www-form-urlencoded\r\n", body=GOOD,
                    head="Connection: close\r\n")),
    ("plain text", post(kind="Content-Type: text/plain\r\n", body=GOOD,
                        head="Connection: close\r\n")),
    ("multipart", post(kind="Content-Type: multipart/form-data; boundary=x\r\n", body=GOOD,
                       head="Connection: close\r\n")),
    ("a gzip body", post(head="Content-Encoding: gzip\r\n", body=b"\x1f\x8b\x08\x00" * 10)),
    ("Expect of something", post(head="Expect: the-unexpected\r\n", body=GOOD)),
    ("Upgrade to a websocket", b"GET /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
     b"Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n"
     b"Sec-WebSocket-Version: 13\r\n\r\n"),
]
