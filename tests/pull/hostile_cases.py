"""What a hub may do to us: each case is a name, the words of the error, and what the hub says.

An answer is (part of "METHOD PATH", function of the handler). The listing cases change one thing of
an honest listing, so that nothing but this thing can be the reason.
"""

import json
import time

LISTING, FILE, STORE, ASK = "GET /api/", "GET /tiny/model/resolve/", "GET /lfs/", "HEAD /"
SMALL = "/config.json"


def listing(change):
    """An honest listing, changed."""
    def answer(handler):
        repo = handler.server.hub.repos["tiny/model"]
        value = {"id": "tiny/model", "sha": repo.commit,
                 "siblings": [repo.entry(path, True) for path in repo.files]}
        changed = change(value)
        handler.give_json(value if changed is None else changed)
    return [(LISTING, answer)]


def add_file(name):
    return listing(lambda v: v["siblings"].append(
        {"rfilename": name, "size": 1, "blobId": "0" * 40}))


def set_keys(**values):
    return listing(lambda v: v.update(values))


def set_weights(**values):
    def change(value):
        next(f for f in value["siblings"] if f["rfilename"] == "model.safetensors").update(values)
    return listing(change)


def set_lfs(**values):
    def change(value):
        next(f for f in value["siblings"] if "lfs" in f)["lfs"].update(values)
    return listing(change)


def status(part, number, headers=(), body=b"no"):
    return [(part, lambda handler: handler.reply(number, dict(headers), body))]


def raw(part, data, then=None):
    """Bytes past all rules of HTTP, then perhaps more of `then` until the client has enough."""
    def answer(handler):
        handler.close_connection = True
        handler.wfile.write(data)
        while then:
            handler.wfile.write(then)
    return [(part, answer)]


def stall(part, data):
    def answer(handler):
        handler.close_connection = True
        handler.wfile.write(data)
        handler.wfile.flush()
        time.sleep(4)
    return [(part, answer)]


def redirect(part, to):
    return [(part, lambda handler: handler.reply(302, {"Location": to} if to else {}))]


def loop(part):
    return [(part, lambda handler: handler.reply(302, {"Location": handler.path}))]


def body(part, change, **how):
    """The honest bytes of the large file, changed."""
    def answer(handler):
        data = handler.server.hub.repos["tiny/model"].files["model.safetensors"]
        handler.reply(200, {}, change(data), **{k: v(data) for k, v in how.items()})
    return [(part, answer)]


def wrong_range(form):
    def answer(handler):
        data = handler.server.hub.repos["tiny/model"].files["model.safetensors"]
        handler.reply(206, {"Content-Range": form.format(last=len(data) - 1, size=len(data))}, data)
    return [(STORE, answer)]


def bare(headers, number=200):
    """A listing of names only, and what HEAD then says of each file."""
    def list_names(handler):
        repo = handler.server.hub.repos["tiny/model"]
        handler.give_json({"sha": repo.commit, "siblings": [{"rfilename": p} for p in repo.files]})
    return [(LISTING, list_names),
            (ASK, lambda handler: handler.reply(number, headers, length=7))]


OK = b"HTTP/1.1 200 OK\r\n"
CHUNK = b"10000\r\n" + b"x" * 65536 + b"\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
NAME_ERROR = ["file name", "is not allowed"]
GATED = {"X-Error-Code": "GatedRepo", "X-Error-Message": "\x1b[31mred"}

# ---- names that lead elsewhere --------------------------------------------------------------------
CASES = [
    ("a name that goes up", NAME_ERROR, add_file("../escaped.safetensors")),
    ("a name that goes far up", NAME_ERROR, add_file("../../../../../../escaped.safetensors")),
    ("a name that goes up in its middle", NAME_ERROR, add_file("a/../../escaped.json")),
    ("an absolute name", NAME_ERROR, add_file("/etc/escaped.json")),
    ("a name with backslashes", NAME_ERROR, add_file("..\\escaped.json")),
    ("an empty name", NAME_ERROR, add_file("")),
    ("a name with a zero byte", NAME_ERROR, add_file("a\0b.json")),
    ("a name with a newline", NAME_ERROR, add_file("a\nb.json")),
    ("a name with an escape sequence", [*NAME_ERROR, "\\x1b"], add_file("\x1b[2J.json")),
    ("a name of one dot", NAME_ERROR, add_file(".")),
    ("a name of two dots", NAME_ERROR, add_file("..")),
    ("a name with an empty part", NAME_ERROR, add_file("a//b.json")),
    ("a name that ends in a slash", NAME_ERROR, add_file("a/")),
    ("a name too long for a file system", NAME_ERROR, add_file("x" * 300 + ".json")),
    ("a name of a thousand folders", NAME_ERROR, add_file("a/" * 1000 + "b")),
    ("no name at all", NAME_ERROR, listing(lambda v: v["siblings"].append({"size": 1}))),
    ("a name that is a number", NAME_ERROR, add_file(7)),

    # ---- commits, hashes and sizes that are none --------------------------------------------------
    ("a commit that goes up", ["commit"], set_keys(sha="../../../escaped")),
    ("an empty commit", ["commit"], set_keys(sha="")),
    ("a commit in capitals", ["commit"], set_keys(sha="A" * 40)),
    ("a commit that is a number", ["commit"], set_keys(sha=5)),
    ("no commit", ["commit"], listing(lambda v: v.pop("sha") and None)),
    ("a hash that goes up", ["hash"], set_lfs(sha256="../../../../escaped")),
    ("a hash that is too short", ["hash"], set_lfs(sha256="abc")),
    ("a git id that goes up", ["hash"], set_weights(blobId="../../escaped")),
    ("a size below zero", ["size"], set_weights(size=-1)),
    ("a size with a fraction", ["size"], set_weights(size=1.5)),
    ("a size of 2^63", ["bytes"], set_lfs(size=2**63)),
    ("a size of 2^80", ["size"], set_lfs(size=2**80)),
    ("a size that no disk has", ["free"], set_lfs(size=2**49)),
    ("a size that is too small", ["announced"], set_lfs(size=1000)),
    ("a size that is too large", ["announced"], set_lfs(size=1_000_000)),
    ("two sizes of one hash", ["two sizes"], listing(
        lambda v: v["siblings"].append({"rfilename": "vocab.json", "size": 1, "blobId": next(
            f["blobId"] for f in v["siblings"] if f["rfilename"] == "config.json")}))),

    # ---- listings that are none -------------------------------------------------------------------
    ("a listing that is no JSON", ["JSON"], status(LISTING, 200, body=b"<html>")),
    ("a listing that ends early", ["JSON"], status(LISTING, 200, body=b'{"sha": "a", "sibl')),
    ("an empty listing", ["JSON"], status(LISTING, 200, body=b"")),
    ("a listing that is a list", ["object"], listing(lambda v: [v])),
    ("a listing that is a number", ["object"], status(LISTING, 200, body=b"7")),
    ("a listing with a zero byte", ["zero byte"], status(LISTING, 200, body=b"{}\0")),
    ("a listing of no UTF-8", ["JSON"], status(LISTING, 200, body=b'{"sha": "\xff\xfe"}')),
    ("a listing 100,000 deep", ["nested"], status(LISTING, 200, body=b'{"a":' + b"[" * 100_000)),
    ("a listing of a million files", ["more than 100000 files"], status(LISTING, 200, body=(
        b'{"sha": "' + b"a" * 40 + b'", "siblings": [' +
        b",".join(b'{"rfilename": "%d"}' % i for i in range(1_000_000)) + b"]}"))),
    ("a listing without end", ["more than"], raw(LISTING, CHUNKED, CHUNK)),
    ("a name without end", ["more than"], raw(LISTING, OK + b"\r\n" + b'{"sha": "', b"a" * 65536)),
    ("files that are strings", ["no object"], set_keys(siblings=["config.json"])),
    ("files that are lists", ["no object"], set_keys(siblings=[["config.json"]])),
    ("files that are a string", ["no model"], set_keys(siblings="config.json")),
    ("no files", ["no model"], set_keys(siblings=[])),
    ("a file that stands there twice", ["twice"], add_file("config.json")),
    ("a compressed listing", ["JSON"], status(LISTING, 200, {"Content-Encoding": "gzip"}, b"\x1f\x8b\x08")),

    # ---- bytes that are not what was announced ----------------------------------------------------
    ("other bytes of a large file", ["hash"], body(STORE, lambda d: d[:-1] + bytes([d[-1] ^ 1]))),
    ("zeros for a large file", ["hash"], body(STORE, lambda d: bytes(len(d)))),
    ("other bytes of a small file", ["hash"], [(FILE, lambda h: h.reply(200, {}, b"X" * len(
        h.server.hub.repos["tiny/model"].files[h.path.split("/")[-1]])))]),
    ("too many bytes", ["announced"], body(STORE, lambda d: d + b"x")),
    ("too many bytes without a length", ["more than"], body(STORE, lambda d: d + b"x", length=lambda d: -1)),
    ("bytes without end", ["more than"], raw(STORE, CHUNKED, CHUNK)),
    ("fewer bytes", ["announced"], body(STORE, lambda d: d[:-1])),
    ("a body that always breaks off", ["cut off"], body(STORE, lambda d: d[:99], length=len)),
    ("no bytes", ["cut off", "bytes"], body(STORE, lambda d: b"")),
    ("another range than asked for", ["another part"], wrong_range("bytes 5-{last}/{size}")),
    ("a range of another size", ["announced"], wrong_range("bytes 0-{last}/9999999")),
    ("a range that is none", ["another part"], wrong_range("furlongs 1-2/3")),
    ("a range backwards", ["another part"], wrong_range("bytes 9-0/{size}")),
    ("a range without numbers", ["another part"], wrong_range("bytes -/")),
    ("a chunk that breaks off", ["cut off"], raw(STORE, CHUNKED + b"ffff\r\nxxx")),
    ("a chunk of no length", ["cut off"], raw(STORE, CHUNKED + b"zz\r\nxxx")),

    # ---- redirects --------------------------------------------------------------------------------
    ("a redirect in a circle", ["redirected more than"], loop(STORE)),
    ("a listing that redirects in a circle", ["redirected more than"], loop(LISTING)),
    ("a redirect to a local file", ["no address of the web"], redirect(FILE, "file:///etc/passwd")),
    ("a listing that redirects to a local file", ["no address of the web"], redirect(LISTING, "file:///etc/passwd")),
    ("a redirect to another protocol", ["no address of the web"], redirect(FILE, "gopher://127.0.0.1/1")),
    ("a redirect to a script", ["no address of the web"], redirect(FILE, "javascript:alert(1)")),
    ("a redirect to nowhere", ["no address of the web"], redirect(FILE, "")),
    ("a redirect to nobody", ["connect"], redirect(STORE, "http://127.0.0.1:1/x")),

    # ---- what HEAD says where the listing does not ------------------------------------------------
    ("an ETag that goes up", ["no checksum"], bare({"ETag": '"../../x"'})),
    ("a linked ETag that goes up", ["no checksum"], bare({"X-Linked-Etag": '"../../x"', "ETag": '"' + "a" * 40 + '"'})),
    ("an ETag that is no hash", ["no checksum"], bare({"ETag": 'W/"5f3c"'})),
    ("no ETag", ["no checksum"], bare({})),
    ("an ETag of 100,000 bytes", ["no checksum"], bare({"ETag": "a" * 60_000})),
    ("no size", ["how large"], bare({"ETag": '"' + "a" * 40 + '"', "Location": "http://127.0.0.1:1/"}, 302)),
    ("a size of 2^63 in HEAD", ["bytes"], bare({"ETag": "a" * 40, "X-Linked-Size": 2**63})),
    ("another commit in HEAD", ["of commit"], bare({"ETag": "a" * 40, "X-Repo-Commit": "b" * 40})),

    # ---- refusals and breakdowns ------------------------------------------------------------------
    ("401", ["does not exist, or is private or gated", "HF_TOKEN"], status(LISTING, 401)),
    ("401 of a gated model", ["gated", "licence", "HF_TOKEN"], status(FILE, 401, GATED)),
    ("403 of a gated model", ["gated", "licence"], status(LISTING, 403, GATED)),
    ("403", ["refuses access", "403"], status(STORE, 403)),
    ("404", ["does not exist", "404"], status(LISTING, 404)),
    ("404 of a revision", ["no such revision"], status(LISTING, 404, {"X-Error-Code": "RevisionNotFound"})),
    ("404 of a file", ["config.json", "404"], status(SMALL, 404)),
    ("418", ["418"], status(LISTING, 418)),
    ("204", ["204"], status(LISTING, 204, body=b"")),
    ("429", ["too many requests"], status(LISTING, 429)),
    ("500", ["has a problem (500)"], status(LISTING, 500)),
    ("503 of a file", ["has a problem (503)"], status(STORE, 503)),
    ("an error page without end", ["has a problem (500)"], raw(LISTING, CHUNKED.replace(b"200", b"500"), CHUNK)),
    ("a redirect page without end", ["does not end"], raw(LISTING, CHUNKED.replace(
        b"200 OK\r\n", b"302 Found\r\nLocation: /api/x\r\n"), CHUNK)),
    ("headers without end", ["headers do not end"], raw(LISTING, OK, b"X-A: " + b"b" * 1000 + b"\r\n")),
    ("a header without end", ["tiny/model"], raw(LISTING, OK + b"X-A: ", b"b" * 65536)),
    ("interim replies without end", ["headers do not end"], raw(LISTING, b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    ("no HTTP at all", ["tiny/model"], raw(LISTING, b"SSH-2.0-hello\r\n")),
    ("nothing", ["tiny/model"], raw(LISTING, b"")),
    ("a listing that stalls", ["timeout"], stall(LISTING, OK + b"Content-Length: 100\r\n\r\n{")),
    ("a file that stalls", ["cut off", "timeout"], stall(STORE, OK + b"\r\nxx")),
]
assert len({name for name, _, _ in CASES}) == len(CASES) and json
