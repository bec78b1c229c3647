"""The ways for an e-mail to leave: a file, an SMTP server, a signed call of somebody who sends it.

Each says what it knows: it left, it did not and may be tried again, it never will, or nobody knows. What
follows from that is decided in `sending.py`.
"""

from __future__ import annotations

import os
import smtplib
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

import stamina

from marketing_platform.errors import MailUnavailable
from marketing_platform.mailing.mail_settings import MailSettings
from marketing_platform.stores.credentials import on_loopback, secret

_TRANSIENT = range(400, 500)
_CONNECTS = 3
# What smtplib raises for a server that is gone or will not talk now; OSError holds all time-outs.
_LOST = (OSError, smtplib.SMTPServerDisconnected)


@dataclass(frozen=True)
class Parcel:
    """One e-mail, ready to leave."""

    send_id: str
    sender: str
    to: str
    message: EmailMessage
    document: dict[str, object]  # the same for those who are called


@dataclass(frozen=True)
class Outcome:
    """What is known after an attempt."""

    state: Literal["sent", "again", "refused", "unknown"]
    problem: str | None = None


class Transport(Protocol):
    """Open while it is entered; MailUnavailable where it cannot be opened."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def send(self, parcel: Parcel) -> Outcome:
        """Try to send one; MailUnavailable when nothing was tried, as nobody is there to send it."""
        ...


class FolderTransport:
    """Files named after the send, for looking at; nobody gets anything."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open."""

    def send(self, parcel: Parcel) -> Outcome:
        """Write `<send>.eml`, whole or not at all."""
        unfinished = self._folder / f".{parcel.send_id}.unfinished"
        unfinished.write_bytes(parcel.message.as_bytes())
        os.replace(unfinished, self._folder / f"{parcel.send_id}.eml")  # noqa: PTH105 -- says that it replaces
        return Outcome("sent")


class SmtpTransport:
    """One connection to an SMTP server, made again when it is lost between two e-mails."""

    def __init__(self, settings: MailSettings) -> None:
        if settings.tls == "none" and not on_loopback(settings.host):
            raise MailUnavailable(
                f"MARKETING_MAIL_TLS=none is for a server on this machine, not for {settings.host}"
            )
        self._settings = settings
        self._server: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        self._connected()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            with suppress(*_LOST, smtplib.SMTPException):
                self._server.quit()
            self._lost()

    def send(self, parcel: Parcel) -> Outcome:
        """Hand it over. Whatever goes wrong once the content is on its way leaves its fate unknown."""
        server = self._connected()
        try:
            for code, said in (server.mail(parcel.sender), server.rcpt(parcel.to)):
                if code >= _TRANSIENT.start:
                    self._reset(server)
                    return _answered(code, said)
        except _LOST as error:
            self._lost()
            return Outcome("again", f"{type(error).__name__}: {error}"[:300])
        try:
            code, said = server.data(parcel.message.as_bytes())
        except smtplib.SMTPDataError as error:  # refused before the content
            self._reset(server)
            return _answered(error.smtp_code, error.smtp_error)
        except _LOST as error:
            self._lost()
            return Outcome("unknown", f"the connection ended before the server's answer: {error}"[:300])
        return _answered(code, said)

    def _connected(self) -> smtplib.SMTP:
        """The connection at hand if it answers, or a new one; tried several times."""
        if self._server is not None:
            with suppress(*_LOST, smtplib.SMTPException):
                if self._server.noop()[0] in range(200, 300):
                    return self._server
            self._lost()
        settings = self._settings
        try:
            for attempt in stamina.retry_context(
                on=_again, attempts=_CONNECTS, timeout=None, wait_initial=0.5
            ):
                with attempt:
                    self._server = self._connect()
        except (*_LOST, smtplib.SMTPException) as error:
            raise MailUnavailable(
                f"the SMTP server at {settings.host}:{settings.port} takes no e-mail: {error};"
                " see MARKETING_MAIL_… variables"
            ) from error
        assert self._server is not None  # noqa: S101 -- it connected, or raised
        return self._server

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.tls == "implicit":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=settings.connect_seconds, context=settings.trust
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=settings.connect_seconds)
        try:
            if server.sock is not None:
                server.sock.settimeout(settings.answer_seconds)
            if settings.tls == "starttls":
                server.starttls(context=settings.trust)
            if settings.user is not None:
                server.login(settings.user, secret(settings.password, settings.password_file) or "")
            else:
                server.ehlo_or_helo_if_needed()
        except BaseException:
            server.close()
            raise
        return server

    def _reset(self, server: smtplib.SMTP) -> None:
        try:
            server.rset()
        except (*_LOST, smtplib.SMTPException):
            self._lost()

    def _lost(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


def _again(error: Exception) -> bool:
    """Whether connecting once more may help: not with a wrong password, nor with a certificate."""
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code in _TRANSIENT
    return isinstance(error, _LOST) and "certificate" not in str(error).lower()


def _answered(code: int, said: bytes | str) -> Outcome:
    if code < _TRANSIENT.start:
        return Outcome("sent")
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    problem = f"{code} {' '.join(text.split())}"[:300]
    return Outcome("again" if code in _TRANSIENT else "refused", problem)
