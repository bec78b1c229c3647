"""Sending by calling somebody who sends: a signed POST per e-mail, as webhooks are (docs/automations.md).

The call's `webhook-id` is the send's: a receiver that keeps ids sends once, however often it is called.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import orjson

from marketing_platform.automations.declared import host_of, is_allowed
from marketing_platform.automations.sending import Sender
from marketing_platform.automations.signing import keys_of
from marketing_platform.automations.webhook_settings import WebhookSettings
from marketing_platform.errors import MailUnavailable
from marketing_platform.mailing.mail_settings import MailSettings
from marketing_platform.mailing.transports import Outcome, Parcel
from marketing_platform.stores.credentials import secret


@dataclass(frozen=True)
class _Receiver:
    url: str
    signing: tuple[bytes, ...]

    def keys(self) -> tuple[bytes, ...]:
        return self.signing


class WebhookTransport:
    """One receiver for all e-mails."""

    def __init__(self, settings: MailSettings, webhooks: WebhookSettings) -> None:
        url = settings.webhook_url or ""
        if not url.startswith("https://") and not is_allowed(*host_of(url), webhooks.allowed_hosts):
            raise MailUnavailable(
                "MARKETING_MAIL_WEBHOOK_URL needs https, or a host of MARKETING_WEBHOOKS_ALLOWED_HOSTS"
            )
        self._receiver = _Receiver(
            url, keys_of(secret(settings.webhook_secret, settings.webhook_secret_file) or "")
        )
        self._sender = Sender(webhooks)
        self._loop = asyncio.Runner()

    def __enter__(self) -> Self:
        self._loop.run(self._sender.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run(self._sender.__aexit__(kind, error, trace))
        self._loop.close()

    def send(self, parcel: Parcel) -> Outcome:
        """Call once; what was not answered with success is called again under the same id."""
        body = orjson.dumps(parcel.document)
        outcome = self._loop.run(self._sender.send(self._receiver, parcel.send_id, body))
        if outcome.problem is None:
            return Outcome("sent")
        return Outcome("refused" if outcome.final else "again", outcome.problem)
