"""One attempt, at receivers that behave and that do not."""

from __future__ import annotations

import asyncio
import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import trustme

from marketing_platform.automations.declared import Endpoint
from marketing_platform.automations.sending import Outcome, Sender, outcome_of
from marketing_platform.automations.signing import new_secret
from marketing_platform.automations.webhook_settings import WebhookSettings
from marketing_platform_tests.automations.receiver import receiving
from marketing_platform_tests.servers.base import free_port

SECRET = new_secret()


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETING_WEBHOOK_SECRET_A", SECRET)


def sent(
    url: str, *, allowed: str = "127.0.0.1", ca_file: Path | None = None, body: bytes = b"{}"
) -> Outcome:
    settings = WebhookSettings(
        allowed_hosts=(allowed,), answer_seconds=1, connect_seconds=0.5, ca_file=ca_file
    )  # pyright: ignore[reportCallIssue]

    async def send() -> Outcome:
        async with Sender(settings) as sender:
            endpoint = Endpoint(name="a", url=url, events=("release.published",))
            return await sender.send(endpoint, "msg_1", body)

    return asyncio.run(send())


def test_what_arrives_is_signed_over_its_bytes() -> None:
    with receiving() as receiver:
        assert sent(f"{receiver.url}/hook?team=a", body='{"größe": 1}'.encode()) == Outcome(None)
        assert receiver.verified(SECRET) == ["msg_1"]
        (got,) = receiver.got
    assert (got.path, got.body.decode()) == ("/hook?team=a", '{"größe": 1}')
    assert got.headers["content-type"] == ["application/json"]
    assert got.headers["user-agent"][0].startswith("marketing-platform/")


def test_while_a_secret_changes_both_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = new_secret()
    monkeypatch.setenv("MARKETING_WEBHOOK_SECRET_A", f"{newer} {SECRET}")
    with receiving() as receiver:
        sent(receiver.url)
        assert receiver.verified(SECRET) == receiver.verified(newer) == ["msg_1"]


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_other_answers_are_problems(status: int) -> None:
    with receiving(status) as receiver:
        assert sent(receiver.url) == Outcome(f"status {status}")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with receiving() as elsewhere, receiving(status) as receiver:
        receiver.headers["Location"] = elsewhere.url
        assert "redirects are not followed" in str(sent(receiver.url).problem)
        assert elsewhere.got == []


def test_a_busy_receiver_is_heard() -> None:
    with receiving(503) as receiver:
        receiver.headers["Retry-After"] = "120"
        assert sent(receiver.url) == Outcome("status 503", retry_after=120)


def test_who_never_answers_is_left_in_time() -> None:
    with receiving("slow head") as receiver:
        began = time.monotonic()
        assert sent(receiver.url).problem == "no answer within 1 s"
        assert time.monotonic() - began < 3


def test_a_body_however_long_and_slow_is_not_waited_for() -> None:
    with receiving("slow body") as receiver:
        began = time.monotonic()
        assert sent(receiver.url) == Outcome(None)
        assert time.monotonic() - began < 1


def test_connections_that_are_refused_or_broken() -> None:
    assert "ConnectError" in str(sent(f"http://127.0.0.1:{free_port()}").problem)
    with receiving("hang up") as receiver:
        assert "RemoteProtocolError" in str(sent(receiver.url).problem)
    assert "cannot be looked up" in str(sent("https://no-such-host.invalid").problem)


def test_a_host_inside_is_not_spoken_to() -> None:
    with receiving() as receiver:
        problem = str(sent(receiver.url, allowed="example.com").problem)
        assert "127.0.0.1 has an internal address; MARKETING_WEBHOOKS_ALLOWED_HOSTS" in problem
        assert receiver.got == []


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert sent(receiver.url) == Outcome(None)
        assert (len(proxy.got), len(receiver.got)) == (0, 1)


def test_certificates_are_verified_against_the_name(tmp_path: Path) -> None:
    authority, ca_file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    for name, arrives in (("localhost", True), ("elsewhere.example", False)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        server = HTTPServer(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"https://localhost:{server.server_port}/"
        outcome = sent(url, allowed="localhost", ca_file=ca_file)
        assert (outcome.problem is None) is arrives
        assert "CERTIFICATE_VERIFY_FAILED" in str(sent(url, allowed="localhost").problem)
        server.shutdown()
        server.server_close()


def test_a_receiver_that_wants_no_more_is_left_alone() -> None:
    assert outcome_of(410).final
    assert not outcome_of(500).final


def test_how_long_a_busy_receiver_asks_to_wait() -> None:
    assert outcome_of(429, "120").retry_after == 120
    assert outcome_of(503, "9" * 400).retry_after == 999_999_999
    assert outcome_of(500, "120").retry_after is None
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 3590 < (outcome_of(503, in_an_hour).retry_after or 0) <= 3600
    assert outcome_of(503, "Wed, 21 Oct 2015 07:28:00 GMT").retry_after == 0
    for nonsense in ("", "soon", "-5", "١٢", "Wed, 99 Oct 2015 07:28:00 GMT"):
        assert outcome_of(503, nonsense).retry_after is None
