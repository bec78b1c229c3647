"""The workflows of `automations/n8n/`, imported into a real n8n, beside our API and our deliverer."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from marketing_platform.automations.found import blocked
from marketing_platform.automations.signing import keys_of, new_secret, signed_headers
from marketing_platform.releases.records import Records, open_records
from marketing_platform.settings import PROJECT_DIR, Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import command
from marketing_platform_tests.callers import new_key
from marketing_platform_tests.servers import n8n, postgres
from marketing_platform_tests.servers.base import free_port
from marketing_platform_tests.servers.shared import shared
from marketing_platform_tests.serving.conftest import Platform
from marketing_platform_tests.serving.server import Server, serving

_EXPORT = "Bestellung;Straße\r\n1;Hauptstraße 7\r\n".encode("latin-1")  # no UTF-8: bytes must survive
_SLACK = "8f742231b10e8888abcd99yyyzzz85a5"
_SECONDS = 60.0


class Mails:
    """An SMTP server that keeps what it is given."""

    def __init__(self) -> None:
        self.found: list[Message] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:
        self.found.append(message_from_bytes(envelope.content))
        return "250 taken"

    def about(self, subject: str) -> list[str]:
        """The texts of mails with these words in the subject."""
        return [
            part.get_payload(decode=True).decode()
            for mail in self.found
            if subject in str(mail["Subject"])
            for part in mail.walk()
            if part.get_content_type() == "text/plain"
        ]


@dataclass(frozen=True)
class Together:
    """The API, n8n and the mails of one company."""

    settings: Settings
    records: Records
    api: Server
    url: str  # of n8n
    secret: str  # of the endpoint n8n
    key: str  # of the API
    mails: Mails

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        request = urllib.request.Request(f"{self.url}/webhook/{path}", body, dict(headers))
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


class _Export(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", str(len(_EXPORT)))
        self.end_headers()
        self.wfile.write(_EXPORT)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Generator[Together]:
    folder, secret, hook_secret = tmp_path_factory.mktemp("n8n"), new_secret(), new_secret()
    settings = Settings(data_dir=folder / "data", automations_dir=folder)  # pyright: ignore[reportCallIssue]
    Platform(settings, open_stores(settings), open_records(settings).shelf).publish(1)
    declare(folder, "http://127.0.0.1:1/webhook/marketing-events")
    exports = ThreadingHTTPServer(("127.0.0.1", 0), _Export)
    Thread(target=exports.serve_forever, daemon=True).start()
    mails, mail_port = Mails(), free_port()
    smtp = Controller(mails, hostname="127.0.0.1", port=mail_port)
    smtp.start()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MARKETING_AUTOMATIONS_DIR", str(folder))
        environment.setenv("MARKETING_HOOK_SECRET_N8N_EXPORT", hook_secret)
        environment.setenv("MARKETING_WEBHOOK_SECRET_N8N", secret)
        environment.setenv("MARKETING_WEBHOOKS_ALLOWED_HOSTS", '["127.0.0.1"]')
        key = new_key(settings)
        with (
            serving(settings.data_dir) as api,
            n8n.running(
                shared(postgres.running),
                workflows=PROJECT_DIR / "automations" / "n8n",
                credentials=credentials(key, mail_port),
                environment={
                    "MARKETING_API_URL": f"http://127.0.0.1:{api.port}",
                    "MARKETING_HOOK_SECRET_N8N_EXPORT": hook_secret,
                    "MARKETING_WEBHOOK_SECRET_N8N": secret,
                    "MARKETING_EXPORT_URL": f"http://127.0.0.1:{exports.server_port}/orders.csv",
                    "MARKETING_INGEST_CRON": "*/5 * * * * *",
                    "MARKETING_REPORT_CRON": "*/5 * * * * *",
                    "MARKETING_MAIL_FROM": "platform@example.com",
                    "MARKETING_MAIL_TO": "marketing@example.com",
                    "SLACK_SIGNING_SECRET": _SLACK,
                },
            ) as server,
        ):
            declare(folder, f"{server.endpoint}/webhook/marketing-events")
            yield Together(settings, open_records(settings), api, server.endpoint, secret, key, mails)
    smtp.stop()
    exports.shutdown()


def declare(folder: Path, url: str) -> None:
    (folder / "webhooks.yaml").write_text(
        f"endpoints:\n  - {{name: n8n, url: '{url}', events: [release.published, release.blocked]}}\n"
        "hooks:\n  - {name: n8n_export, land: 'shop/orders_{call}.csv'}\n"
    )


def credentials(key: str, mail_port: int) -> list[dict[str, Any]]:
    mail = {"user": "", "password": "", "host": "127.0.0.1", "port": mail_port}
    return [
        {
            "id": "marketingApiKey1",
            "name": "Marketing API key",
            "type": "httpHeaderAuth",
            "data": {"name": "Authorization", "value": f"Bearer {key}"},
        },
        {
            "id": "marketingMail001",
            "name": "Marketing mail",
            "type": "smtp",
            "data": {**mail, "secure": False, "disableStartTls": True},
        },
    ]


def awaited(found: Callable[[], Any]) -> Any:
    """What is found, once it is."""
    deadline = time.monotonic() + _SECONDS
    while not (it := found()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.2)
    return it


def deliver(together: Together) -> None:
    done = command("webhooks", "deliver", "--once", data_dir=str(together.settings.data_dir))
    assert done.code == 0, done.err


def blocked_headers(together: Together, body: bytes, call: str) -> dict[str, str]:
    moment = int(datetime.now(UTC).timestamp())
    return signed_headers(keys_of(together.secret), call, moment, body) | {"content-type": "application/json"}


def test_scheduled_ingestion_lands_the_export_byte_by_byte(together: Together) -> None:
    landing = together.settings.landing_dir / "shop"
    (landed, *_) = awaited(lambda: sorted(landing.glob("orders_*.csv")))
    assert landed.read_bytes() == _EXPORT


def test_the_daily_report_has_the_figures_of_the_api(together: Together) -> None:
    (text, *_) = awaited(lambda: together.mails.about("KPIs "))
    answer = together.api.get("/api/v1/kpis?kpi=spend", f"Authorization: Bearer {together.key}").json()
    spend = answer["total"]["spend"]["value"]
    assert f"Spend: {spend:,.2f}".removesuffix(".00") + " USD" in text
    assert "Release r-gen1" in text


def test_a_blocked_release_is_mailed_once_through_the_deliverer(together: Together) -> None:
    failed = ["check users_ids_unique of users failed: 3 ids occur twice"]
    event = blocked("run-1", datetime.now(UTC), failed=failed, serving="r-gen1")
    together.records.outbox.add([event])
    deliver(together)
    (text,) = awaited(lambda: together.mails.about("No new release"))
    assert failed[0] in text
    assert "Serving: r-gen1" in text

    assert together.records.outbox.counts() == {("n8n", "delivered"): 2}  # and of the release that serves
    together.records.outbox.replay(now=datetime.now(UTC), event_id=event.event_id)
    deliver(together)
    assert together.records.outbox.counts() == {("n8n", "delivered"): 2}
    time.sleep(2)
    assert len(together.mails.about("No new release")) == 1


@pytest.mark.parametrize("wrong", ["body", "secret", "timestamp"])
def test_an_alert_that_is_not_signed_rightly_is_refused(together: Together, wrong: str) -> None:
    before = len(together.mails.about("No new release"))
    body = blocked("run-forged", datetime.now(UTC), failed=["forged"], serving=None).body.encode()
    headers = blocked_headers(together, body, f"forged-{wrong}")
    if wrong == "body":
        body = body.replace(b"forged", b"changed")
    elif wrong == "secret":
        headers |= signed_headers(keys_of(new_secret()), "forged", int(headers["webhook-timestamp"]), body)
    else:
        headers |= signed_headers(keys_of(together.secret), "forged", int(time.time()) - 3600, body)
    status, _ = together.post("marketing-events", body, headers)
    assert status == 401
    assert len(together.mails.about("No new release")) == before


def test_a_question_from_chat_is_answered(together: Together) -> None:
    status, answer = ask(together, "What was our spend in November 2026?")
    assert status == 200
    said = json.loads(answer)
    assert said["response_type"] == "in_channel"
    own = urllib.request.Request(
        f"http://127.0.0.1:{together.api.port}/api/v1/questions",
        json.dumps({"question": "What was our spend in November 2026?"}).encode(),
        {"Authorization": f"Bearer {together.key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(own, timeout=30) as expected:
        sentence = json.load(expected)["sentence"]
    assert sentence
    assert said["text"].startswith(sentence)


def test_a_question_that_cannot_be_answered_says_why(together: Together) -> None:
    status, answer = ask(together, "Why is the sky blue? & other things")
    assert status == 200
    assert "•" in json.loads(answer)["text"]


def test_a_question_with_another_signature_is_refused(together: Together) -> None:
    assert ask(together, "spend", secret="guessed")[0] == 401


def ask(together: Together, question: str, *, secret: str = _SLACK) -> tuple[int, bytes]:
    """A slash command, as Slack sends it."""
    body = urllib.parse.urlencode({"command": "/ask", "text": question, "user_id": "U1"}).encode()
    moment = str(int(time.time()))
    mac = hmac.new(secret.encode(), b"v0:" + moment.encode() + b":" + body, hashlib.sha256).hexdigest()
    headers = {
        "X-Slack-Request-Timestamp": moment,
        "X-Slack-Signature": f"v0={mac}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return together.post("marketing-question", body, headers)
