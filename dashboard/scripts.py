"""Streamlit's own scripts as its server does not send them: compressed, from memory, and announced early.

A browser's first visit takes some 4 MB of them. Streamlit reads each from disk for every request, leaves
compression to a proxy, and names those that draw the first page only once that page is there.
"""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import file_util

FIRST_PAGE = ("Selectbox", "Metric", "ButtonGroup", "ArrowVegaLiteChart", "embed", "vega-interpreter")
_TYPES = {".js": "text/javascript", ".css": "text/css"}
_HEADERS = {
    "Content-Encoding": "gzip",
    "Vary": "Accept-Encoding",
    "Cache-Control": "public, immutable, max-age=31536000",  # names change with what is in them
    "X-Content-Type-Options": "nosniff",
}
_LEVEL = 6  # of gzip; 9 would save another 0.2 %
_IMPORTED = re.compile(r"""(?:\bfrom|\bimport)\s*["']\./([\w.~-]+\.js)["']""")


class Compressed:
    """Middleware that answers for scripts and styles; everything else goes on to Streamlit."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        folder = _folder()
        self._files = {
            f"/{path.relative_to(folder).as_posix()}": path
            for path in folder.rglob("*")
            if path.suffix in _TYPES
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = self._files.get(scope["path"]) if scope["type"] == "http" else None
        if path is None or scope["method"] != "GET" or not _takes_gzip(scope):
            await self._app(scope, receive, send)
            return
        body = await asyncio.to_thread(_compressed, path)
        await Response(body, headers=_HEADERS, media_type=_TYPES[path.suffix])(scope, receive, send)


def document() -> Route:
    """Where the first page is: Streamlit's document, which says what that is drawn with."""
    html = (_folder() / "index.html").read_text()
    links = (
        f'<link rel="modulepreload" fetchpriority="low" crossorigin href="./static/js/{path.name}">'
        for path in drawing(FIRST_PAGE)
        if path.name not in html
    )
    html = html.replace("</head>", f"{''.join(links)}</head>")

    def answer(_: Request) -> Response:
        return HTMLResponse(html, headers={"Cache-Control": "no-cache"})

    return Route("/", answer)


def drawing(names: Sequence[str]) -> list[Path]:
    """The scripts of these names, and those that they import; none of a name that Streamlit has no more."""
    found: dict[Path, None] = {}
    waiting = [path for name in names for path in sorted(_scripts().glob(f"{name}.*.js"))]
    while waiting:
        path = waiting.pop(0)
        if path not in found:
            found[path] = None
            waiting += [_scripts() / name for name in _IMPORTED.findall(path.read_text())]
    return list(found)


def _takes_gzip(scope: Scope) -> bool:
    return "gzip" in Headers(scope=scope).get("accept-encoding", "")


def compress_first() -> None:
    """Compress what every first visit takes, so that none waits for it."""
    document = (_folder() / "index.html").read_text()
    styles = (path for path in (_folder() / "static" / "css").iterdir() if path.name in document)
    scripts = (path for path in _scripts().iterdir() if path.name in document)
    for path in (*styles, *scripts, *drawing(FIRST_PAGE)):
        _compressed(path)


@cache
def _compressed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), _LEVEL)


def _folder() -> Path:
    return Path(file_util.get_static_dir())


def _scripts() -> Path:
    return _folder() / "static" / "js"
