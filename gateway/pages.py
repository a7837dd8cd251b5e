"""The web console's pages and assets, as `make` built them; a page that says how when it did not.

Assets carry a hash in their name and never change. All else under /console/ gets the page, which knows its routes.
"""

from __future__ import annotations

import importlib.resources
import mimetypes
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources.abc import Traversable

from aiohttp import hdrs, web

# Where each page is an entry of its own; the longest beginning wins.
ENTRIES = {"sidebar": "sidebar.html", "phone": "phone.html", "": "index.html"}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: https:;"
    " connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
IMMUTABLE = "public, max-age=31536000, immutable"
NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bihuan</title>
<h1>The console is not built</h1>
<p>Run <code>make console</code>, then reload this page. <code>make run</code> does so by itself.</p>
<p>控制台尚未构建：请运行 <code>make console</code> 后刷新本页。</p>
<p><a href="/api/docs">REST API</a></p>
</html>
"""


@dataclass(frozen=True)
class File:
    body: bytes
    content_type: str
    # The body as `make` packed it, by the name of the encoding.
    packed: dict[str, bytes]
    tag: str


class Pages:
    """Everything is read once: it is small, and what is not read at start cannot be reached."""

    def __init__(self, folder: Traversable | None = None) -> None:
        """`folder`: what vite wrote; the installed one when absent."""
        found = folder or importlib.resources.files("gateway").joinpath("console", "dist")
        self._files: dict[str, File] = {}
        if found.is_dir():
            self._read(found, "")

    def _read(self, folder: Traversable, above: str) -> None:
        inside = {entry.name: entry for entry in folder.iterdir()}
        for name, entry in inside.items():
            if entry.is_dir():
                self._read(entry, f"{above}{name}/")
            elif not name.endswith((".br", ".gz")):
                body = entry.read_bytes()
                packed = {
                    encoding: inside[name + end].read_bytes()
                    for encoding, end in (("br", ".br"), ("gzip", ".gz"))
                    if name + end in inside
                }
                kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
                tag = blake2b(body, digest_size=8).hexdigest()
                self._files[above + name] = File(body, kind, packed, tag)

    async def show(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        if path.startswith("assets/"):
            asset = self._files.get(path)
            if asset is None:
                raise web.HTTPNotFound(text="no such asset")
            return _answer(request, asset, IMMUTABLE)
        entry = ENTRIES.get(path.partition("/")[0], ENTRIES[""])
        page = self._files.get(path) if "/" not in path and path not in ENTRIES.values() else None
        page = page or self._files.get(entry)
        if page is None:
            return web.Response(
                text=NOT_BUILT, content_type="text/html", headers={**HEADERS, "Cache-Control": "no-store"}
            )
        return _answer(request, page, "no-cache")


def add_routes(app: web.Application, pages: Pages) -> None:
    async def to_console(_: web.Request) -> web.Response:
        return web.HTTPFound("/console/")

    app.router.add_get("/console", to_console)
    app.router.add_get("/console/{path:.*}", pages.show)


def _answer(request: web.Request, file: File, cache: str) -> web.Response:
    headers = {**HEADERS, "Cache-Control": cache, "ETag": f'"{file.tag}"', "Vary": "Accept-Encoding"}
    if file.tag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
        return web.Response(status=304, headers=headers)
    accepted = {one.partition(";")[0].strip() for one in request.headers.get(hdrs.ACCEPT_ENCODING, "").split(",")}
    body = file.body
    for encoding, packed in file.packed.items():
        if encoding in accepted:
            headers["Content-Encoding"], body = encoding, packed
            break
    charset = "utf-8" if file.content_type.startswith("text/") or "javascript" in file.content_type else None
    return web.Response(body=body, content_type=file.content_type, charset=charset, headers=headers)
