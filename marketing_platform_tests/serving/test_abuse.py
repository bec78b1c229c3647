"""Clients that misbehave on real sockets, towards a real server: for others, health stays green.

`make abuse` runs the same with more of everything (`MARKETING_TEST_ABUSE=1`).
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from marketing_platform_tests.callers import new_key
from marketing_platform_tests.serving.conftest import Platform
from marketing_platform_tests.serving.server import Answer, Server, received, request, serving

pytestmark = pytest.mark.slow

_LONG = bool(os.environ.get("MARKETING_TEST_ABUSE"))
_CONNECTIONS = 10_000 if _LONG else 1_500
_SLOW = 2_000 if _LONG else 200
_BODY = 1 << 30 if _LONG else 64 << 20
_FLOOD = 20_000 if _LONG else 1_500
_CROWD = 400
_CROWD_SECONDS = 10.0 if _LONG else 2.0
_HEAD_SECONDS = 2.0
_MEMORY = 32 << 20  # by how much the process may grow
_PATIENCE = 1.0 if _LONG else 3.0  # `make test` shares its processors with other tests
_PROXY = "127.0.0.9"
_ERROR = ["error_code", "message", "details", "timestamp", "request_id"]


@pytest.fixture(scope="module")
def server(platform: Platform) -> Iterator[Server]:
    platform.publish(1)
    limits = {
        "header_seconds": _HEAD_SECONDS,
        "body_seconds": 2.0,
        "anonymous_burst": 50,
        "anonymous_sustained": 500,
        "connections": _CONNECTIONS // 2,
        "at_once": 64,
        "trusted_proxies": f'["{_PROXY}"]',
    }
    with serving(platform.settings.data_dir, **limits) as started:
        yield started


@pytest.fixture(scope="module")
def key(platform: Platform) -> str:
    return new_key(platform.settings)


# In a process of its own: who floods has the interpreter of this one to himself.
_OTHERS = """
import json, sys, threading, time
from pathlib import Path
from marketing_platform_tests.serving.server import Server
server, ended = Server(int(sys.argv[1]), 0, Path()), threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
seen, seconds = [], []
print("asking", flush=True)
while not ended.wait(0.02):
    began = time.monotonic()
    try:
        seen.append(server.get("/health/live", timeout=10).status)
    except OSError as error:
        seen.append(repr(error))
    seconds.append(time.monotonic() - began)
print(json.dumps({"seen": seen, "seconds": sorted(seconds)}))
"""


@contextmanager
def others_served(server: Server) -> Generator[None]:
    """Somebody asks for health all the time meanwhile: always 200, and soon."""
    command = [sys.executable, "-c", _OTHERS, str(server.port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        assert asking.stdout.readline() == "asking\n"
        try:
            yield
        finally:
            told = json.loads(asking.communicate()[0])
    assert set(told["seen"]) == {200}
    p95 = told["seconds"][int(len(told["seconds"]) * 0.95)]
    assert p95 < _PATIENCE, f"{p95:.2f} s"


def error(answer: Answer, status: int, code: str) -> None:
    body = answer.json()
    assert (answer.status, body["error_code"]) == (status, code)
    assert list(body) == _ERROR
    assert body["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["content-type"] == "application/json"


def test_slow_heads_are_ended_with_408(server: Server) -> None:
    with ExitStack() as open_ones, others_served(server):
        slow = [open_ones.enter_context(server.connect()) for _ in range(_SLOW)]
        for connection in slow:
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: api\r\n")
        began = time.monotonic()
        while time.monotonic() - began < _HEAD_SECONDS * 0.75:
            for connection in slow:
                connection.sendall(b"X-A: b\r\n")  # every byte in time, and never the last one
            time.sleep(0.3)
        for connection in slow:
            error(received(connection), 408, "request_too_slow")
        assert time.monotonic() - began < _HEAD_SECONDS + 5


def test_who_sends_nothing_is_shown_out(server: Server) -> None:
    with server.connect() as silent, server.connect() as newlines:
        began = time.monotonic()
        newlines.sendall(b"\r\n")
        assert silent.recv(1) == newlines.recv(1) == b""
        assert time.monotonic() - began < _HEAD_SECONDS + 2


def test_line_ends_do_not_keep_a_connection_after_its_answer(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(request("GET", "/health/live"))
        assert received(connection).status == 200
        began = time.monotonic()
        with suppress(OSError):  # a broken pipe or a reset, as the system has it
            while time.monotonic() - began < _HEAD_SECONDS + 5:
                connection.sendall(b"\r\n")
                time.sleep(0.1)
        assert time.monotonic() - began < _HEAD_SECONDS + 2


def test_a_body_that_nobody_reads_is_not_awaited(server: Server) -> None:
    with server.connect() as connection, others_served(server):
        connection.sendall(request("POST", "/nothing", "Content-Length: 1000"))
        error(received(connection), 404, "unknown_route")
        assert connection.recv(1) == b""


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/recommendations/batch", "/api/v1/questions"])
@pytest.mark.parametrize("framing", ["Content-Length: {size}", "Transfer-Encoding: chunked"])
def test_a_huge_body_is_refused_and_leaves_no_trace(
    server: Server, key: str, path: str, framing: str
) -> None:
    before = server.memory
    headers = (framing.format(size=_BODY), f"X-API-Key: {key}", "Content-Type: application/json")
    with server.connect() as connection, others_served(server):
        connection.sendall(request("POST", path, *headers))
        piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        sent = 0
        try:
            while sent < _BODY:
                connection.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
        assert sent < 32 << 20, "nobody stopped it"
        if path != "/api/v1/nothing":
            with suppress(OSError):  # who sends on and on may find the connection reset
                error(received(connection), 413, "body_too_large")
    assert server.memory - before < _MEMORY


def test_more_connections_than_it_takes(server: Server) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, _CONNECTIONS + 1_000), hard))
    try:
        with ExitStack() as open_ones, others_served(server):
            idle = [open_ones.enter_context(server.connect()) for _ in range(_CONNECTIONS)]
            time.sleep(1)
            assert server.get("/health/live").status == 200
            assert idle[0].recv(1) == b"", "the first one should have made room"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_flood_without_keys(server: Server) -> None:
    seen: set[int] = set()

    def flood(number: int) -> None:
        with server.connect() as connection:
            for _ in range(number):
                connection.sendall(request("GET", "/recommendations/u-1"))
                answer = received(connection)
                seen.add(answer.status)
                if answer.status == 429:
                    error(answer, 429, "too_many_requests")
                    assert int(answer.headers["retry-after"]) >= 1
                    assert ";r=0;t=" + answer.headers["retry-after"] in answer.headers["ratelimit"]

    with others_served(server):
        flooding = [threading.Thread(target=flood, args=(_FLOOD // 10,)) for _ in range(10)]
        for thread in flooding:
            thread.start()
        for thread in flooding:
            thread.join()
    assert 429 in seen
    assert seen <= {200, 401, 429}


def test_a_flood_of_connections(server: Server) -> None:
    """Each of many connections asks again and again; who comes last does not wait behind all of them."""
    ended = threading.Event()

    def flood(number: int) -> None:
        with ExitStack() as open_ones:
            crowd = [open_ones.enter_context(server.connect()) for _ in range(number)]
            while not ended.is_set():
                for place, connection in enumerate(crowd):
                    try:
                        connection.sendall(request("GET", "/recommendations/u-1"))
                    except OSError:  # shown out as one of too many
                        crowd[place] = open_ones.enter_context(server.connect())
                for connection in crowd:
                    with suppress(OSError):
                        received(connection)

    with others_served(server):
        flooding = [threading.Thread(target=flood, args=(_CROWD // 4,)) for _ in range(4)]
        for thread in flooding:
            thread.start()
        time.sleep(_CROWD_SECONDS)
        ended.set()
        for thread in flooding:
            thread.join()


def test_a_herd_is_turned_away_but_for_so_many(server: Server) -> None:
    with ExitStack() as open_ones:
        herd = [open_ones.enter_context(server.connect(source=_PROXY)) for _ in range(300)]
        probe = open_ones.enter_context(server.connect())
        os.kill(server.pid, signal.SIGSTOP)  # so that it finds all of them at the same moment
        for number, connection in enumerate(herd):
            forwarded = f"X-Forwarded-For: 203.0.113.{number % 250}"
            connection.sendall(request("GET", "/recommendations/u-1", forwarded))
        probe.sendall(request("GET", "/health/live"))
        os.kill(server.pid, signal.SIGCONT)
        began = time.monotonic()
        assert received(probe).status == 200
        assert time.monotonic() - began < _PATIENCE
        answers = [received(connection) for connection in herd]
    refused = [answer for answer in answers if answer.status not in {200, 401}]
    assert refused
    assert len(answers) - len(refused) >= 64
    for answer in refused:
        error(answer, 503, "overloaded")
        assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(("source", "believed"), [(_PROXY, True), ("127.0.0.8", False)])
def test_only_a_declared_proxy_says_whose_request_it_is(server: Server, source: str, believed: bool) -> None:
    seen: list[int] = []
    with server.connect(source=source) as connection:
        for number in range(200):
            forwarded = f"X-Forwarded-For: 192.0.2.1, 198.51.100.{number}"
            connection.sendall(request("GET", "/recommendations/u-1", forwarded))
            seen.append(received(connection).status)
    assert (429 not in seen) is believed


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"what is this\r\n\r\n", 400, "malformed_request"),
        (b"GET / HTTP/9.9\r\n\r\n", 400, "malformed_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed_request"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400, "malformed_request"),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
            "malformed_request",
        ),
        (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "target_too_long"),
        (b"GET /" + b"x" * 200_000, 414, "target_too_long"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 400_000, 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100 + b"\r\n", 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n", 406, "not_acceptable"),
    ],
    ids=[
        "no HTTP",
        "a version that is none",
        "TLS",
        "a length that is none",
        "two lengths",
        "a long target",
        "an endless target",
        "a long header",
        "an endless header",
        "many headers",
        "HTML wanted",
    ],
)
def test_what_is_no_proper_request_gets_the_one_body(
    server: Server, sent: bytes, status: int, code: str
) -> None:
    with server.connect() as connection:
        connection.sendall(sent)
        answer = received(connection)
    error(answer, status, code)
    assert b"xxx" not in answer.body


def test_garbage_after_a_request_gets_one_answer(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(request("GET", "/health/live") + b"\x00\x00garbage\r\n\r\n")
        data = b""
        while piece := connection.recv(65536):
            data += piece
    assert data.startswith(b"HTTP/1.1 400")
    assert data.count(b"HTTP/1.1 ") == 1


def test_the_server_is_as_it_was(server: Server) -> None:
    """The last one: nothing that the others did is left."""
    time.sleep(1.1)
    assert server.get("/health/ready").status == 200
    assert b"crash" not in server.log.read_bytes()
    assert b"Traceback" not in server.log.read_bytes()
    descriptors = len(os.listdir(f"/proc/{server.pid}/fd"))  # noqa: PTH208 -- names, not files
    assert descriptors < _CONNECTIONS
