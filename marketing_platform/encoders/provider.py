"""What a provider of embeddings promises, and how its failures are told apart.

A provider is one API spoken through one client (`openai_compatible.py`, `gemini.py`): it sends one
request and understands the answer. Batches, retries, limits and checks are `remote.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Protocol

_TRANSIENT = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}


_SHOWN = 300  # characters of what a provider said


class ProviderBusy(Exception):
    """No usable answer this time; asking again may help, after `retry_after` seconds if that is known."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class ProviderRefused(Exception):
    """The provider does not do what it was asked; asking again does not help."""


class Provider(Protocol):
    """One model of one provider."""

    @property
    def where(self) -> str:
        """The provider as messages name it."""
        ...

    @property
    def model(self) -> str:
        """Provider and model, as part of the encoder's name."""
        ...

    @property
    def dimensions(self) -> int | None:
        """Length of a vector that is asked for; None for the model's own."""
        ...

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """One request: a vector per text, in order. Raises ProviderBusy or ProviderRefused."""
        ...


def failure(
    status: int, said: str, retry_after: str | None, *, key: str | None
) -> ProviderBusy | ProviderRefused:
    """What an answer that is not a success means; `retry_after` is the header as it came.

    What a provider says may repeat the key it was given: that goes into no error and no log.
    """
    shown = " ".join((said.replace(key, "•••") if key else said).split())
    reason = f"it answered {status}: {shown[:_SHOWN]}"
    if status in _TRANSIENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ProviderBusy(reason, _seconds(retry_after))
    return ProviderRefused(reason)


def _seconds(retry_after: str | None) -> float | None:
    """Seconds of a Retry-After header, which holds them or a date (RFC 9110, 10.2.3); None for nonsense."""
    if retry_after is None:
        return None
    try:
        if retry_after.strip().isdigit():
            return float(retry_after)
        at = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
