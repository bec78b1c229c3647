"""A real SMTP server on loopback that keeps what it gets, and does what a test tells it to."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as READ
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from marketing_platform.cli.processes import free_port
from marketing_platform.mailing.mail_settings import MailSettings


@dataclass
class Postbox:
    """What came, and how the server is to answer. `said(address)` is None where all is well."""

    got: list[tuple[str, EmailMessage]] = field(default_factory=list[tuple[str, EmailMessage]])
    to_recipient: Callable[[str], str | None] = lambda _: None
    to_content: Callable[[str], str | None] = lambda _: None
    hang_for: str | None = None  # never answer the content for this address
    hanging: threading.Event = field(default_factory=threading.Event)
    logins: list[bytes] = field(default_factory=list[bytes])
    leave: Callable[[], None] = lambda: None  # the server stops, once it runs

    @property
    def addresses(self) -> list[str]:
        return [address for address, _ in self.got]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refused := self.to_recipient(address):
            return refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        (address,) = envelope.rcpt_tos
        if refused := self.to_content(address):
            return refused
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=READ)
        assert isinstance(message, EmailMessage)
        self.got.append((address, message))
        if address == self.hang_for:
            self.hanging.set()
            await asyncio.sleep(30)
        return "250 taken"

    def authenticate(self, *asked: Any) -> AuthResult:
        data = asked[-1]
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login)
        return AuthResult(success=data.password == b"open sesame")


@contextmanager
def smtp_server(box: Postbox, tls: ssl.SSLContext | None = None) -> Generator[int]:
    """Its port; with `tls` it takes mail only of who encrypts and logs in."""
    port = free_port()
    options: dict[str, Any] = {}
    if tls is not None:
        options = {
            "tls_context": tls,
            "require_starttls": True,
            "auth_required": True,
            "authenticator": box.authenticate,
        }
    controller = Controller(box, hostname="127.0.0.1", port=port, **options)
    controller.start()
    stopped = threading.Event()

    def leave() -> None:
        if not stopped.is_set():
            stopped.set()
            controller.stop()

    box.leave = leave
    try:
        yield port
    finally:
        leave()


def by_smtp(port: int, **more: Any) -> MailSettings:
    """Settings that send to that port without TLS."""
    given: dict[str, Any] = {
        "transport": "smtp",
        "sender": "news@shop.example.com",
        "public_url": "https://api.shop.example.com",
        "host": "127.0.0.1",
        "port": port,
        "tls": "none",
        "connect_seconds": 2,
        "answer_seconds": 2,
        **more,
    }
    return MailSettings(**given)
