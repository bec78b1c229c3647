"""One line per request, whole and without personal data, whoever reads stdout and however slowly."""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.request
from collections.abc import Iterator

import pytest
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import LogCapture

from marketing_platform.cli.processes import api_command, free_port, running, wait_for
from marketing_platform_tests.serving.conftest import Logged, Platform
from serving.lookups import Lookups
from serving.observability import exchange, ids, security
from serving.observability.lines import Lines
from serving.observability.security import Floods, network_of
from serving.releases import OpenRelease

_TRACE = "0af7651916cd43dd8448eb211c80319c"
_PARENT = f"00-{_TRACE}-b7ad6b7169203331-01"


def requests_in(logged: Logged) -> Logged:
    return [line for line in logged if line["event"] == "request"]


def test_a_line_says_what_was_answered(client: TestClient, logged: Logged) -> None:
    answer = client.get("/graph/user-campaigns?user_id=u-1", headers={"traceparent": _PARENT})
    line = requests_in(logged)[-1]
    assert line == {
        "event": "request",
        "log_level": "info",
        "request_id": answer.headers["X-Request-Id"],
        "trace_id": _TRACE,
        "principal": line["principal"],
        "method": "GET",
        "route": "/graph/user-campaigns",
        "status": 200,
        "error_code": None,
        "release_id": "r-gen1",
        "bytes_out": len(answer.content),
        "duration_ms": line["duration_ms"],
        "queued_ms": line["queued_ms"],
    }
    assert 0 < line["queued_ms"] < line["duration_ms"]


def test_a_line_of_an_error_has_its_code(client: TestClient, logged: Logged) -> None:
    body = client.get("/recommendations/nobody").json()
    line = requests_in(logged)[-1]
    assert (line["status"], line["error_code"]) == (404, "unknown_user")
    assert line["request_id"] == body["request_id"]
    assert "nobody" not in str(line)


@pytest.mark.parametrize("sane", ["a", "0123-abc", "A.b:c_d-e", "x" * 128])
def test_sane_ids_are_kept(client: TestClient, sane: str) -> None:
    assert client.get("/health/live", headers={"X-Request-Id": sane}).headers["X-Request-Id"] == sane


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_no_bytes_pass_as_an_id_that_are_none(sent: bytes) -> None:
    request_id, _ = ids.of([(b"x-request-id", sent)])
    assert request_id.isascii()
    assert 1 <= len(request_id) <= 128
    assert all(character.isalnum() or character in "._:-" for character in request_id)
    assert request_id.encode() == sent or len(request_id) == 32


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        _TRACE,
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{_TRACE}-{'0' * 16}-01",
        f"ff-{_TRACE}-b7ad6b7169203331-01",
        f"00-{_TRACE.upper()}-b7ad6b7169203331-01",
    ],
)
def test_a_trace_is_only_what_the_standard_calls_one(wrong: str) -> None:
    assert ids.of([(b"traceparent", wrong.encode())])[1] is None
    assert ids.of([(b"traceparent", _PARENT.encode())])[1] == _TRACE


def test_made_ids_do_not_repeat() -> None:
    assert len({ids.made() for _ in range(10_000)}) == 10_000


@pytest.fixture
def processed() -> Iterator[LogCapture]:
    """What was logged, after the processor that names the request."""
    configured = structlog.get_config()["processors"]
    captured = LogCapture()
    structlog.configure(processors=[exchange.named, captured])
    yield captured
    structlog.configure(processors=configured)


def test_lines_of_threads_carry_the_request(fresh_platform: Platform, processed: LogCapture) -> None:
    fresh_platform.publish(1)
    app: FastAPI = fresh_platform.app()

    def question(release: OpenRelease) -> bytes:
        structlog.get_logger().warning("asked", thread=threading.current_thread().name)
        return b'{"items":[]}'

    @app.get("/ask")
    async def ask(request: Request) -> Response:
        lookups: Lookups = request.app.state.lookups
        return await lookups.answer(request, "graph", question)

    with TestClient(app) as client:
        answer = client.get("/ask", headers={"traceparent": _PARENT})
    (line,) = [line for line in processed.entries if line["event"] == "asked"]
    assert line["thread"].startswith("graph")
    assert (line["request_id"], line["trace_id"]) == (answer.headers["X-Request-Id"], _TRACE)
    outside = [line for line in processed.entries if line["event"] == "release opened"]
    assert outside
    assert "request_id" not in outside[0]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(writing)
    os.close(reading)


def _numbered(name: str, number: int) -> bytes:
    return json.dumps({"event": name, "number": number, "filling": "x" * (number % 700)}).encode() + b"\n"


def _read_lines(descriptor: int, *, until: str) -> list[dict[str, object]]:
    """Whole lines from a pipe, up to the one with that event."""
    rest, lines = b"", []
    while not lines or lines[-1]["event"] != until:
        *complete, rest = (rest + os.read(descriptor, 65_536)).split(b"\n")
        lines += [json.loads(line) for line in complete]
    return lines


def test_nobody_waits_for_a_reader_who_does_not_read(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    lines = Lines(writing, most_waiting=1_000)
    began = time.monotonic()
    for number in range(20_000):
        lines.write(_numbered("line", number))
    assert time.monotonic() - began < 5
    read = _read_lines(reading, until="log lines dropped")
    told = read.pop()
    written = [line["number"] for line in read]
    assert told["dropped"] == 20_000 - len(written)
    assert written == sorted(written), "order is kept"
    lines.write(_numbered("after", 1))
    assert _read_lines(reading, until="after")[-1]["event"] == "after"
    lines.close()


def test_processes_that_share_a_pipe_do_not_mix_their_lines(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    both = [Lines(writing), Lines(writing)]

    def fill(lines: Lines, name: str) -> None:
        for number in range(2_000):
            lines.write(_numbered(name, number))
        lines.close(seconds=20)

    fillers = [threading.Thread(target=fill, args=(lines, f"w{i}")) for i, lines in enumerate(both)]
    for filler in fillers:
        filler.start()
    rest, read = b"", []
    while len(read) < 4_000:
        *complete, rest = (rest + os.read(reading, 512)).split(b"\n")
        read += [json.loads(line) for line in complete]
    for filler in fillers:
        filler.join()
    for name in ("w0", "w1"):
        assert [line["number"] for line in read if line["event"] == name] == list(range(2_000))


def test_closing_writes_what_waits(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    lines = Lines(writing)
    lines.write(b'{"event":"last"}\n')
    lines.close()
    assert os.read(reading, 100) == b'{"event":"last"}\n'


def test_a_flood_of_refusals_is_a_number(logged: Logged) -> None:
    now = 0.0
    floods = Floods(lambda: now)
    admitted = [floods.admits("unauthenticated") for _ in range(1_000)]
    assert admitted == [True] * 10 + [False] * 990
    assert floods.admits("rate_limited"), "one kind does not hide another"
    now = 1.0
    floods.settle()
    (told,) = [line for line in logged if line["event"] == "security events left out"]
    assert (told["kind"], told["left_out"]) == ("unauthenticated", 990)
    assert floods.admits("unauthenticated")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("testclient", None),
        (None, None),
    ],
)
def test_addresses_are_networks(address: str | None, network: str | None) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("status", "code", "reason", "kind", "told"),
    [
        (401, "invalid_credentials", "expired", "unauthenticated", "expired"),
        (401, "unauthenticated", None, "unauthenticated", "unauthenticated"),
        (403, "forbidden_scope", None, "forbidden", "forbidden_scope"),
        (429, "too_many_requests", "whatever is in details", "rate_limited", "too_many_requests"),
        (413, "body_too_large", None, "oversize", "body_too_large"),
    ],
)
def test_refusals_are_security_events(
    logged: Logged,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: str,
    reason: str | None,
    kind: str,
    told: str,
) -> None:
    monkeypatch.setattr(security, "floods", Floods())
    counted = security.metrics.SECURITY_EVENTS.labels(kind, told)
    before = counted._value.get()
    scope = {"type": "http", "method": "GET", "headers": [], "client": ("203.0.113.77", 4711)}
    seen = exchange.Exchange(scope)
    exchange.note_error(code, {"reason": reason} if reason else {})
    seen.status = status
    seen.end()
    (line,) = [line for line in logged if line["event"] == "security"]
    assert (line["kind"], line["reason"], line["network"]) == (kind, told, "203.0.113.0/24")
    assert "203.0.113.77" not in str(logged)
    assert counted._value.get() == before + 1
    assert exchange.current() is None


def test_what_is_no_refusal_is_no_security_event(client: TestClient, logged: Logged) -> None:
    client.get("/recommendations/nobody")
    client.get("/recommendations/u-1?limit=0")
    assert not [line for line in logged if line["event"] == "security"]


@pytest.mark.slow
def test_a_process_writes_nothing_but_lines(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    port = free_port()
    log = fresh_platform.settings.data_dir / "api.log"
    with running({"api": api_command("127.0.0.1", port)}, fresh_platform.settings, log=log) as processes:
        base = f"http://127.0.0.1:{port}"
        wait_for(f"{base}/health/ready", processes["api"], seconds=60)
        for number in range(50):
            sent = urllib.request.Request(f"{base}/health/live", headers={"X-Request-Id": f"mine-{number}"})
            urllib.request.urlopen(sent, timeout=5).close()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert all(line["event"] and line["timestamp"] and line["level"] for line in lines)
    mine = [line["request_id"] for line in lines if line.get("request_id", "").startswith("mine-")]
    assert mine == [f"mine-{number}" for number in range(50)], "none is lost when it ends"
    assert any(line["event"].startswith("Finished server process") for line in lines)
