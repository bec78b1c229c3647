"""A server on loopback that answers by path, for images."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

from PIL import Image


def picture(size: tuple[int, int] = (40, 20), form: str = "PNG", **options: Any) -> bytes:
    content = BytesIO()
    Image.new("RGB", size, "#3366cc").save(content, form, **options)
    return content.getvalue()


class Shop(ThreadingHTTPServer):
    """A server that answers by path; it counts what it is asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.headers_seen: list[dict[str, str]] = []
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def offer(
        self, path: str, content: bytes, media: str = "image/png", status: int = 200, **fields: str
    ) -> str:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(status)
            for name, value in {"Content-Type": media, "Content-Length": str(len(content)), **fields}.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(content)

        self.answers[path] = answer
        return self.url(path)


class _Handler(BaseHTTPRequestHandler):
    server: Shop  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.headers_seen.append(dict(self.headers))
        with suppress(BrokenPipeError, ConnectionResetError):
            self.server.answers[self.path](self)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is written."""


@contextmanager
def open_shop() -> Generator[Shop]:
    """A server that answers until the block ends."""
    server = Shop()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
