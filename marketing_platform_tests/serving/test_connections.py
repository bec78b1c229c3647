"""Bodies on real sockets: who sends too much or too slowly is told so, and can read it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import pytest
import uvicorn
from fastapi import Depends, FastAPI, Response
from pydantic import BaseModel

from marketing_platform_tests.servers.base import free_port
from marketing_platform_tests.serving.conftest import await_until
from marketing_platform_tests.serving.server import Server, received, request
from serving import errors
from serving.limits.bodies import strict_json
from serving.limits.caps import Caps
from serving.limits.connections import guarded
from serving.limits.settings import LimitSettings
from serving.middleware import RequestMiddleware

_LIMITS = LimitSettings(
    body_bytes=1 << 20, body_seconds=0.5, header_seconds=0.5, request_seconds=1.0, idle_seconds=1
)
_LONG = 1_000_000
_JSON = "Content-Type: application/json"


class Document(BaseModel):
    """Anything with a number."""

    number: int


def application() -> FastAPI:
    app = FastAPI()
    errors.install(app)

    @app.post("/documents")
    async def take(document: Annotated[Document, Depends(strict_json(Document))]) -> Document:
        return document

    @app.get("/long")
    async def long() -> Response:
        return Response(b"x" * _LONG)

    app.add_middleware(Caps, settings=_LIMITS)
    app.add_middleware(RequestMiddleware)
    return app


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    port = free_port()
    config: Any = {"http": guarded(_LIMITS), "log_config": None, "timeout_keep_alive": _LIMITS.idle_seconds}
    running = uvicorn.Server(uvicorn.Config(application(), port=port, **config))
    thread = threading.Thread(target=running.run)
    thread.start()
    await_until(lambda: running.started)
    yield Server(port, 0, Path())
    running.should_exit = True
    thread.join()


def post(body: bytes, *headers: str, length: int | None = None) -> bytes:
    declared = f"Content-Length: {len(body) if length is None else length}"
    return request("POST", "/documents", _JSON, declared, *headers, body=body)


def test_one_connection_serves_many_requests(server: Server) -> None:
    with server.connect() as connection:
        for number in range(5):
            connection.sendall(post(b'{"number": %d}' % number))
            assert received(connection).json() == {"number": number}
            time.sleep(0.2)  # together longer than a head may take


def test_requests_may_follow_each_other_without_waiting(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"".join(post(b'{"number": %d}' % number) for number in range(5)))
        stream = connection.makefile("rb")
        assert [received(connection, stream).json()["number"] for _ in range(5)] == list(range(5))


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (post(b"", length=4 << 20), b"x" * 65_536),
        (
            request("POST", "/documents", _JSON, "Transfer-Encoding: chunked"),
            b"10000\r\n" + b"x" * 65_536 + b"\r\n",
        ),
    ],
    ids=["declared", "chunked"],
)
def test_who_sends_too_much_reads_413_after_sending_it(server: Server, head: bytes, piece: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(head)
        for _ in range(24):  # beyond the cap, and on after the answer, as most clients do
            connection.sendall(piece)
        answer = received(connection)
        assert (answer.status, answer.json()["error_code"]) == (413, "body_too_large")


def test_who_asks_first_is_told_before_sending(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(post(b"", "Expect: 100-continue", length=4 << 20))
        assert received(connection).status == 413


def test_a_body_that_trickles_is_408(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(post(b"{", length=1000))
        began = time.monotonic()
        for _ in range(4):
            connection.sendall(b" ")
            time.sleep(0.1)
        answer = received(connection)
        assert (answer.status, answer.json()["error_code"]) == (408, "request_too_slow")
        assert time.monotonic() - began < 2


def test_after_a_refusal_the_connection_goes_on_if_the_body_comes(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(request("POST", "/nothing", "Content-Length: 5"))
        assert received(connection).status == 404
        connection.sendall(b"12345" + post(b'{"number": 1}'))
        assert received(connection).json() == {"number": 1}


def test_who_does_not_read_answers_loses_the_connection(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(request("GET", "/long") * 30)
        time.sleep(_LIMITS.request_seconds + 0.5)
        read = 0
        with suppress(ConnectionResetError):
            while piece := connection.recv(1 << 20):
                read += len(piece)
    assert read < 30 * _LONG


def test_a_chunk_that_is_none_is_400_and_the_application_hears_no_more(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(
            request("POST", "/documents", _JSON, "Transfer-Encoding: chunked", body=b"zzz\r\n")
        )
        answer = received(connection)
        assert (answer.status, answer.json()["error_code"]) == (400, "malformed_request")
        assert connection.recv(1) == b""


def test_an_idle_connection_is_closed(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(post(b'{"number": 1}'))
        assert received(connection).status == 200
        began = time.monotonic()
        assert connection.recv(1) == b""
        assert 0.5 < time.monotonic() - began < 3
