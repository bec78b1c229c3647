"""A receiver of webhooks on loopback that can be told to misbehave, and keeps what it got."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

from marketing_platform.automations.signing import keys_of, verify

_LONG = timedelta(minutes=5)


@dataclass(frozen=True)
class Got:
    """One request."""

    call_id: str
    headers: dict[str, list[str]]
    body: bytes
    path: str = "/"


@dataclass
class Receiver:
    """Answers each request as the next of `answers` says, and 200 when there is none left.

    An answer is a status, or `slow head`, `slow body`, `hang up`; of a redirect the target is `elsewhere`.
    """

    answers: list[int | str] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    ended: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def next(self) -> int | str:
        with self.lock:
            return self.answers.pop(0) if self.answers else 200

    def verified(self, secret: str) -> list[str]:
        """The ids of everything it got; fails when something is not signed by this secret."""
        for one in self.got:
            verify(keys_of(secret), one.headers, one.body, now=datetime.now(UTC), tolerance=_LONG)
        return [one.call_id for one in self.got]


@contextmanager
def receiving(*answers: int | str) -> Generator[Receiver]:
    """A receiver that answers so."""
    receiver = Receiver(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): self.headers.get_all(name, []) for name in self.headers}
            receiver.got.append(Got(headers["webhook-id"][0], headers, body, self.path))
            answer = receiver.next()
            if answer == "hang up":
                self.close_connection = True
                return
            if answer == "slow head":
                receiver.ended.wait(20)
                return
            self.send_response(200 if isinstance(answer, str) else answer)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            if answer == "slow body":
                self.send_header("Content-Length", "1000000000")
                self.end_headers()
                receiver.ended.wait(20)
                return
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield receiver
    finally:
        receiver.ended.set()
        server.shutdown()
        server.server_close()
