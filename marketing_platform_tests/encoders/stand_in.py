"""A provider of embeddings on loopback: real HTTP, right answers, and whatever failure a test asks for.

It speaks OpenAI's `POST /v1/embeddings` and Gemini's `POST …:batchEmbedContents`. A text's vector follows
from its words, so that texts with common words are alike; it is not of unit length.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from zlib import crc32

import numpy as np

OWN_DIMENSIONS = 24  # of the stand-in's model, when none are asked for


@dataclass(frozen=True)
class Reply:
    """An answer as it goes over the line."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0  # seconds


@dataclass(frozen=True)
class Asked:
    """A request that came, and when."""

    path: str
    authorization: str | None
    body: dict[str, Any]
    at: float

    @property
    def texts(self) -> list[str]:
        """What was to be encoded, in either dialect."""
        if "input" in self.body:
            return self.body["input"]
        return [entry["content"]["parts"][0]["text"] for entry in self.body["requests"]]

    @property
    def dimensions(self) -> int:
        first = self.body if "input" in self.body else self.body["requests"][0]
        return first.get("dimensions") or first.get("outputDimensionality") or OWN_DIMENSIONS


Failure = Callable[[Asked], Reply | None]  # None for the right answer


@dataclass
class StandIn:
    """The server as tests see it: what it was asked, and what goes wrong next (`failures`, first first)."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    failures: deque[Failure] = field(default_factory=deque)
    always: Failure | None = None

    def reply(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        failure = self.failures.popleft() if self.failures else self.always
        return (failure and failure(asked)) or right(
            asked, [vector(t, asked.dimensions) for t in asked.texts]
        )


def vector(text: str, dimensions: int) -> list[float]:
    """Not of unit length; the same for the same text."""
    words = text.lower().split() or [text]
    rows = [np.random.default_rng(crc32(word.encode())).normal(size=dimensions) for word in words]
    return np.sum(rows, axis=0).tolist()


def right(asked: Asked, vectors: Sequence[Sequence[float]]) -> Reply:
    """These vectors in the dialect that was spoken; OpenAI's in reverse, as the index allows."""
    if "input" in asked.body:
        data = [{"index": row, "embedding": list(one)} for row, one in enumerate(vectors)]
        return Reply(200, json.dumps({"object": "list", "data": data[::-1]}).encode())
    return Reply(200, json.dumps({"embeddings": [{"values": list(one)} for one in vectors]}).encode())


def error(status: int, message: str = "not now", **headers: str) -> Failure:
    """An error as both providers tell it."""
    body = json.dumps({"error": {"code": status, "message": message, "status": "FAILED"}}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Reply(status, body, named)


def slow(seconds: float) -> Failure:
    """The right answer, late."""

    def late(asked: Asked) -> Reply:
        answer = right(asked, [vector(text, asked.dimensions) for text in asked.texts])
        return Reply(answer.status, answer.body, after=seconds)

    return late


@contextmanager
def standing_in() -> Generator[StandIn]:
    """A running stand-in."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            key = self.headers.get("Authorization") or self.headers.get("x-goog-api-key")
            reply = stand_in.reply(Asked(self.path, key, body, time.monotonic()))
            ended.wait(reply.after)
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a client that did not wait

    server = Server(("127.0.0.1", 0), Handler)
    ended = threading.Event()
    stand_in = StandIn(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
