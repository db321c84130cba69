"""Writes the files of the Explorer's page as C++: embed_page.py DIST OUT.cpp

Each file is compressed once, here, and served as it is. The same files give the same bytes of C++
(no time stamp is in them), so that a build can be repeated. Without DIST the list is empty.
"""
import gzip
import hashlib
import pathlib
import sys

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".json": "application/json",
         ".png": "image/png", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8"}


def literal(data):
    """A C++ string literal in pieces, octal so that no digit that follows can join an escape."""
    text = "".join(f"\\{byte:03o}" for byte in data)
    return "\n    ".join(f'"{text[i:i + 96]}"' for i in range(0, len(text), 96)) or '""'


def main():
    dist, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    paths = sorted(p for p in dist.rglob("*") if p.is_file() and p.suffix in TYPES) \
        if dist.is_dir() else []
    rows, total = [], 0
    for path in paths:
        data = path.read_bytes()
        packed = gzip.compress(data, 9, mtime=0)
        total += len(packed)
        etag = hashlib.sha256(data).hexdigest()[:32]
        rows.append(f'    {{"{path.relative_to(dist).as_posix()}", "{TYPES[path.suffix]}",\n'
                    f'     "\\"{etag}\\"",\n     std::string_view({literal(packed)},\n'
                    f'     {len(packed)})}},\n')
    body = "// Made by cmake/embed_page.py; do not edit.\n"
    body += "#include \"serve/explorer/page_files.h\"\n\n"
    body += "namespace orrery::serve {\n\n"
    if rows:
        body += "namespace {\nconst PageFile kFiles[] = {\n" + "".join(rows) + "};\n}\n\n"
    what = "kFiles" if rows else "{}"
    body += f"std::span<const PageFile> page_files() {{ return {what}; }}\n\n"
    body += "}  // namespace orrery::serve\n"
    if not out.exists() or out.read_text() != body:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(body)
    print(f"page: {len(rows)} files, {total} bytes compressed")


main()
