"""A hub on this machine: two HTTP servers on free ports of 127.0.0.1 that speak the hub's API.

One is the hub, the other the store of large files to which it redirects. `answers` changes what
either says: a list of (part of "METHOD PATH", function of the handler), the first that fits wins.
Every request is kept in `requests`.
"""

import hashlib
import http.server
import json
import threading
import urllib.parse
from dataclasses import dataclass, field


@dataclass
class Repo:
    files: dict  # path: bytes
    small: tuple = (".json", ".jinja", ".txt", ".md", ".gitattributes")  # the rest is in git LFS
    commit: str = ""
    listing: str = "full"  # or "bare": names only, as plainer hubs list them

    def __post_init__(self):
        text = "".join(f"{path}{hashlib.sha256(data).hexdigest()}"
                       for path, data in sorted(self.files.items()))
        self.commit = self.commit or hashlib.sha1(text.encode()).hexdigest()

    def is_large(self, path):
        return not path.endswith(self.small)

    def key(self, path):
        data = self.files[path]
        if self.is_large(path):
            return hashlib.sha256(data).hexdigest()
        return git_id(data)

    def entry(self, path, api):
        """One file as /revision (`api`) or /tree lists it."""
        data = self.files[path]
        entry = {"rfilename": path} if api else {"type": "file", "path": path}
        if api and self.listing == "bare":
            return entry
        pointer = b"version: a pointer to " + self.key(path).encode()
        entry["size"] = len(data)
        entry["blobId" if api else "oid"] = git_id(pointer if self.is_large(path) else data)
        if self.is_large(path):
            entry["lfs"] = {"sha256" if api else "oid": self.key(path), "size": len(data),
                            "pointerSize": 134}
        return entry


def git_id(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.serve()

    def do_GET(self):
        self.serve()

    def serve(self):
        hub = self.server.hub
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        with hub.lock:
            hub.requests.append(Request(self.server.role, self.command, path, dict(self.headers)))
        for part, answer in hub.answers:
            if part in f"{self.command} {path}":
                answer(self)
                return
        self.honest(path)

    def honest(self, path=None):
        path = path or urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        words = path.strip("/").split("/")
        if self.server.role == "store":
            return self.give_bytes(self.server.hub.stored[words[-1]])
        if words[:2] == ["api", "models"]:
            return self.give_listing("/".join(words[2:4]), words[4:])
        return self.give_file("/".join(words[:2]), words[2:])

    def give_listing(self, name, rest):
        repo = self.server.hub.repos.get(name)
        if not repo:
            return self.reply(404, {"X-Error-Code": "RepoNotFound"}, b"{}")
        if rest[1] not in ("main", "v1", repo.commit):
            return self.reply(404, {"X-Error-Code": "RevisionNotFound"}, b"{}")
        if rest[0] == "tree":
            return self.give_json([repo.entry(path, False) for path in sorted(repo.files)])
        return self.give_json({"id": name, "modelId": name, "sha": repo.commit, "private": False,
                               "gated": False, "tags": ["x"], "downloads": 1, "likes": 0,
                               "siblings": [repo.entry(path, True) for path in repo.files]})

    def give_json(self, value):
        self.reply(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def give_file(self, name, rest):
        hub, repo = self.server.hub, self.server.hub.repos.get(name)
        path = "/".join(rest[2:])
        if not repo or rest[0] != "resolve" or path not in repo.files:
            return self.reply(404, {"X-Error-Code": "EntryNotFound"}, b"")
        headers = {"X-Repo-Commit": repo.commit, "ETag": f'"{repo.key(path)}"'}
        data = repo.files[path]
        if not repo.is_large(path):
            return self.give_bytes(data, headers)
        hub.stored[repo.key(path)] = data
        headers |= {"X-Linked-Size": len(data), "X-Linked-Etag": f'"{repo.key(path)}"',
                    "Location": f"{hub.store_url}/lfs/{repo.key(path)}?signature=x"}
        return self.reply(302, headers, b"")

    def give_bytes(self, data, headers=()):
        """The whole, or the range that was asked for."""
        wanted = self.headers.get("Range")
        headers = {"Accept-Ranges": "bytes", **dict(headers)}
        if not wanted or not self.server.hub.ranges:
            return self.reply(200, headers, data)
        begin = int(wanted.removeprefix("bytes=").split("-")[0])
        if begin >= len(data):
            return self.reply(416, {"Content-Range": f"bytes */{len(data)}"}, b"")
        headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        return self.reply(206, headers, data[begin:])

    def reply(self, status, headers=(), body=b"", length=None):
        """`length`: a Content-Length that may lie; None tells the truth, -1 leaves it out."""
        self.send_response(status)
        length = len(body) if length is None else length
        for key, value in {**dict(headers), "Content-Length": length}.items():
            if key != "Content-Length" or length >= 0:
                self.send_header(key, value)
        if length != len(body):
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@dataclass
class Request:
    role: str
    method: str
    path: str
    headers: dict


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that go away are what many tests are about


@dataclass
class Hub:
    repos: dict
    answers: list = field(default_factory=list)
    ranges: bool = True

    def __post_init__(self):
        self.requests, self.stored, self.lock, self.servers = [], {}, threading.Lock(), []
        self.url, self.store_url = self.start("hub"), self.start("store")

    def start(self, role):
        server = Server(("127.0.0.1", 0), Handler)
        server.hub, server.role = self, role
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def files_got(self):
        """The paths of the files whose bytes were asked for."""
        return sorted(r.path.split("/", 5)[-1] for r in self.requests
                      if r.role == "hub" and r.method == "GET" and "/resolve/" in r.path)
