"""Ways to send: encrypted or not at all, with the right server, and through whoever is called."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from standardwebhooks import Webhook

from marketing_platform.automations.webhook_settings import WebhookSettings
from marketing_platform.errors import MailUnavailable
from marketing_platform.mailing.mail_settings import MailSettings
from marketing_platform.mailing.transports import Outcome, Parcel, SmtpTransport
from marketing_platform.mailing.webhook import WebhookTransport
from marketing_platform_tests.mailing.smtp import Postbox, by_smtp, smtp_server
from marketing_platform_tests.servers import certificates

SECRET = "whsec_" + "a2V5" * 8  # 24 bytes


def parcel(send_id: str = "1a2b") -> Parcel:
    message = EmailMessage()
    message["Subject"] = "Hello"
    message.set_content("text")
    return Parcel(
        send_id, "news@shop.example.com", "ada@example.com", message, {"send_id": send_id, "to": "ada"}
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


def server_side(made: certificates.Certificates, name: str = "valid") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*made.server(name))
    return context


def encrypted(port: int, made: certificates.Certificates, **more: Any) -> MailSettings:
    given: dict[str, Any] = {"user": "shop", "password": "open sesame", "host": "localhost", **more}
    return by_smtp(port, tls="starttls", ca_file=made.ca, **given)


def test_it_encrypts_and_logs_in(made: certificates.Certificates, tmp_path: Path) -> None:
    box = Postbox()
    password = tmp_path / "password"
    password.write_text("open sesame\n")
    password.chmod(0o600)
    with smtp_server(box, server_side(made)) as port:
        settings = encrypted(port, made, password=None, password_file=password)
        with SmtpTransport(settings) as transport:
            assert transport.send(parcel()) == Outcome("sent")
    assert box.logins == [b"shop"]
    assert box.addresses == ["ada@example.com"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [{"password": SecretStr("open barley")}, {"host": "127.0.0.1"}, {"ca_file": None}],
    ids=["password", "name", "authority"],
)
def test_to_the_wrong_server_it_says_nothing(made: certificates.Certificates, wrong: dict[str, Any]) -> None:
    box = Postbox()
    with smtp_server(box, server_side(made)) as port:
        settings = encrypted(port, made).model_copy(update=wrong)
        with pytest.raises(MailUnavailable, match="takes no e-mail"), SmtpTransport(settings):
            pass
    assert box.got == []


def test_a_connection_lost_between_two_e_mails_is_made_again(made: certificates.Certificates) -> None:
    box = Postbox()
    with smtp_server(box) as port:
        settings = by_smtp(port)
        with SmtpTransport(settings) as transport:
            transport.send(parcel())
            transport._server.sock.close()  # pyright: ignore -- as a server's idle deadline does
            assert transport.send(parcel()) == Outcome("sent")
    assert len(box.got) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"transport": "smtp"}, "MARKETING_MAIL_PUBLIC_URL, MARKETING_MAIL_SENDER must be set"),
        (
            {"transport": "webhook", "sender": "a@b.example", "public_url": "https://a.example"},
            "MARKETING_MAIL_WEBHOOK_SECRET, MARKETING_MAIL_WEBHOOK_URL must be set",
        ),
        ({"sender": "nobody"}, "MARKETING_MAIL_SENDER is no e-mail address"),
        ({"public_url": "http://a.example"}, "MARKETING_MAIL_PUBLIC_URL is no address such as"),
        ({"password": "x", "password_file": "y"}, "are both given"),
        ({"host": "mail.example", "password": "changeme"}, "it is a default that everybody knows"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        MailSettings(**given)


def test_without_encryption_only_on_this_machine() -> None:
    with pytest.raises(MailUnavailable, match="is for a server on this machine"):
        SmtpTransport(by_smtp(25, host="mail.example"))


@contextmanager
def receiver(status: int) -> Generator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A program that is called for each e-mail, and answers with this status."""
    calls: list[tuple[dict[str, str], bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            calls.append((dict(self.headers), body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/send", calls
    finally:
        server.shutdown()
        server.server_close()


def by_webhook(url: str) -> MailSettings:
    given: dict[str, Any] = {"webhook_url": url, "webhook_secret": SECRET}
    return MailSettings(
        transport="webhook", sender="news@shop.example.com", public_url="https://api.example.com", **given
    )


@pytest.mark.parametrize(("status", "state"), [(200, "sent"), (500, "again"), (410, "refused")])
def test_whoever_is_called_gets_a_signed_document(status: int, state: str) -> None:
    webhooks = WebhookSettings(allowed_hosts=("127.0.0.1",))
    with receiver(status) as (url, calls):
        with WebhookTransport(by_webhook(url), webhooks) as transport:
            assert transport.send(parcel("1a2b")).state == state
        ((headers, body),) = calls
        assert headers["webhook-id"] == "1a2b"
        Webhook(SECRET).verify(body, {name.lower(): value for name, value in headers.items()})
        assert json.loads(body) == {"send_id": "1a2b", "to": "ada"}


def test_nobody_is_called_without_encryption_unless_allowed() -> None:
    with pytest.raises(MailUnavailable, match="needs https"):
        WebhookTransport(by_webhook("http://127.0.0.1:1/x"), WebhookSettings())
