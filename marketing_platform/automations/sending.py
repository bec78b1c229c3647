"""One attempt at one delivery: a signed POST, whose outcome is all that is looked at.

No redirect is followed, no proxy of the environment used, and no byte of an answer's body is read. When to
try again is decided in `delivering.py`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Protocol, Self

import httpcore2

from marketing_platform import __version__
from marketing_platform.addresses import AddressRefused, GuardedNetwork
from marketing_platform.automations.signing import signed_headers
from marketing_platform.automations.webhook_settings import WebhookSettings

_GONE = 410  # the receiver wants no more of it: so the specification has it
_OK = range(200, 300)
_REDIRECT = range(300, 400)
_BUSY = (429, 503)


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended."""

    problem: str | None  # None: delivered
    final: bool = False  # trying again is of no use
    retry_after: float | None = None  # seconds, when the receiver asked for it


class Receiver(Protocol):
    """Whom to call, and what signs for them."""

    @property
    def url(self) -> str: ...

    def keys(self) -> tuple[bytes, ...]: ...


class Sender:
    """Sends to any number of endpoints; open while it is entered."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=settings.trust,
            # How many there are at once is said per endpoint: one that hangs must not use up a common number.
            max_connections=None,
            max_keepalive_connections=0,
            network_backend=GuardedNetwork(
                settings.allowed_hosts, setting="MARKETING_WEBHOOKS_ALLOWED_HOSTS"
            ),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._pool.aclose()

    async def send(self, endpoint: Receiver, event_id: str, body: bytes) -> Outcome:
        """Deliver one event; never raises for what the other end does.

        Raises:
            AutomationError: The endpoint's secret cannot be had.
        """
        headers = signed_headers(endpoint.keys(), event_id, int(datetime.now(UTC).timestamp()), body)
        try:
            async with asyncio.timeout(self._settings.answer_seconds):
                return await self._post(endpoint.url, headers, body)
        except TimeoutError:
            return Outcome(f"no answer within {self._settings.answer_seconds:g} s")
        except AddressRefused as error:
            return Outcome(str(error))
        except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            return Outcome(f"{type(error).__name__}: {error}"[:300].rstrip(": "))

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> Outcome:
        seconds = self._settings.answer_seconds
        timeout = {
            "connect": self._settings.connect_seconds,
            **dict.fromkeys(("read", "write", "pool"), seconds),
        }
        about = {"content-type": "application/json", "user-agent": f"marketing-platform/{__version__}"}
        async with self._pool.stream(
            "POST",
            url,
            headers=list({**about, **headers}.items()),
            content=body,
            extensions={"timeout": timeout},
        ) as answer:
            said = {name.lower(): value for name, value in answer.headers}
            return outcome_of(answer.status, said.get(b"retry-after", b"").decode("latin-1"))


def outcome_of(status: int, retry_after: str = "") -> Outcome:
    """What an answer's status means for its delivery."""
    if status in _OK:
        return Outcome(None)
    if status in _REDIRECT:
        return Outcome(f"status {status}: redirects are not followed; declare the URL it leads to")
    wait = _seconds(retry_after) if status in _BUSY else None
    return Outcome(f"status {status}", final=status == _GONE, retry_after=wait)


def _seconds(retry_after: str) -> float | None:
    """What `Retry-After` asks for: seconds, or a moment."""
    if retry_after.isdecimal() and retry_after.isascii():
        return float(retry_after[:9])
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
