"""Verifies calls and lets them do what their hook declares, in threads of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from marketing_platform.automations.calling import CallReplayed, CallReused, take_call
from marketing_platform.automations.declared import Hook
from marketing_platform.automations.opening import declared_automations
from marketing_platform.automations.signing import SignatureRefused, verify
from marketing_platform.automations.webhook_settings import WebhookSettings
from marketing_platform.releases.calls import Calls
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Objects
from marketing_platform.stores.registry import from_environment
from serving.errors import ApiError
from serving.threads import Threads

_THREADS = 4
_SECONDS = 20.0  # to land a body
_PURGE_EVERY = timedelta(hours=1)


class HookService:
    """One per process; open while `running`."""

    def __init__(self, settings: Settings, calls: Calls, objects: Objects) -> None:
        self._settings = settings
        self._calls = calls
        self._objects = objects
        self._limits = from_environment(WebhookSettings)
        self._threads = Threads("hooks", threads=_THREADS, seconds=_SECONDS)
        self._hooks: Mapping[str, Hook] = {}
        self._purged = datetime.min.replace(tzinfo=UTC)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Read what is declared.

        Raises:
            AutomationError: The declaration, or the secret of a hook, is wrong: the API does not start.
        """
        declared = await asyncio.to_thread(declared_automations, self._settings)
        self._hooks = {hook.name: hook for hook in declared.hooks}
        for hook in declared.hooks:
            hook.keys()
        try:
            yield
        finally:
            self._threads.close()

    async def take(self, name: str, headers: Mapping[str, Sequence[str]], body: bytes) -> bytes:
        """The receipt of a call; ApiError when it is not signed rightly, or was sent before."""
        return await self._threads.run(self._take, name, headers, body)

    def _take(self, name: str, headers: Mapping[str, Sequence[str]], body: bytes) -> bytes:
        now = datetime.now(UTC)
        hook = self._hooks.get(name)
        try:
            # An unknown hook is refused like a wrong signature, so that nobody can find out names.
            signed = verify(
                hook.keys() if hook else (),
                headers,
                body,
                now=now,
                tolerance=timedelta(seconds=self._limits.tolerance_seconds),
            )
        except SignatureRefused as error:
            raise ApiError("invalid_signature", reason=error.reason.value) from None
        assert hook is not None  # noqa: S101 -- without one no signature is right
        if now - self._purged > _PURGE_EVERY:
            self._calls.purge(now - timedelta(days=self._limits.keep_days))
            self._purged = now
        try:
            return take_call(hook, signed, body, calls=self._calls, objects=self._objects, now=now)
        except CallReplayed:
            raise ApiError("call_repeated", reason="replayed") from None
        except CallReused:
            raise ApiError("call_repeated", reason="other_body") from None
