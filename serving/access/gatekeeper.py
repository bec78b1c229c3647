"""Says who calls, from the headers of a request; follows the keys meanwhile.

Everything it keeps is touched by the event loop only; reading the register or an issuer's keys blocks and
runs in threads, so that a request waits for one only when it brings a key that may be newer than the last
reading. However many bring such keys, one reading answers them all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from starlette.concurrency import run_in_threadpool

from marketing_platform.access import Principal, Refusal, Refused
from marketing_platform.access.api_settings import api_secret
from marketing_platform.access.keyring import Change, KeyRing
from marketing_platform.access.keys import PREFIX
from marketing_platform.access.register import KeyRegister
from marketing_platform.access.token_keys import token_keys
from marketing_platform.access.token_settings import TokenSettings
from marketing_platform.access.tokens import TokenVerifier
from marketing_platform.errors import StoreUnavailable
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import from_environment

RawHeaders = Iterable[tuple[bytes, bytes]]  # as ASGI gives them: names in lower case

_PAUSE_SECONDS = 0.05  # between readings for the sake of unknown keys, however many bring some
_KEY = PREFIX.encode()
_MISSING = Refused(Refusal.MISSING)
_MALFORMED = Refused(Refusal.MALFORMED)
_AMBIGUOUS = Refused(Refusal.AMBIGUOUS)
_NO_TOKENS = Refused(Refusal.NO_TOKENS)
_log: Any = structlog.get_logger("serving.security")


class Gatekeeper:
    """Verifies keys, and tokens where an issuer is set; `running` has to be entered first."""

    def __init__(
        self, keyring: KeyRing, tokens: Callable[[], TokenVerifier] | None, *, poll_seconds: float = 0.5
    ) -> None:
        self._keyring = keyring
        self._make_tokens = tokens
        self._tokens: TokenVerifier | None = None
        self._poll_seconds = poll_seconds
        self._next_reading: asyncio.Task[None] | None = None
        self._one_reading = asyncio.Lock()
        self._read_at = float("-inf")  # monotonic clock
        self._beside: dict[str, asyncio.Task[None]] = {}  # work that nothing waits for unless it needs it
        self.problem: str | None = None  # why keys cannot be read; those at hand are good meanwhile

    async def principal_of(self, headers: RawHeaders) -> Principal | Refused:
        """Who calls: by `Authorization: Bearer` with a key or a token, or by `X-API-Key` with a key."""
        credential = _credential(headers)
        if isinstance(credential, Refused):
            return credential
        if credential.startswith(PREFIX):
            return await self._of_key(credential)
        return await self._of_token(credential) if self._tokens else _NO_TOKENS

    def at_hand(self, headers: RawHeaders) -> Principal | None:
        """Who calls, as far as that can be told at once; `principal_of` knows more, and why it is nobody."""
        credential = _credential(headers)
        if isinstance(credential, Refused):
            return None
        if credential.startswith(PREFIX):
            found = self._keyring.find(credential)
        else:
            found = self._tokens.find(credential) if self._tokens else _NO_TOKENS
        return found if isinstance(found, Principal) else None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Read keys, follow them meanwhile, and write at the end which were used."""
        if self._make_tokens is not None:
            self._tokens = await run_in_threadpool(self._make_tokens)
            await self._read_tokens()
        await self._read_anew()
        if self.problem is None and self._keyring.empty:
            _log.warning("no key may call", remedy="marketing-platform keys create")
        watch = asyncio.create_task(self._watch(), name="follow the API keys")
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
            async with self._one_reading:  # a thread cannot be stopped
                await asyncio.gather(*self._beside.values(), return_exceptions=True)
            await self._note_uses()

    async def _of_key(self, key: str) -> Principal | Refused:
        found = self._keyring.find(key)
        if isinstance(found, Principal) or found.why is not Refusal.UNKNOWN:
            return found
        await self._read_anew()
        return self._keyring.find(key)

    async def _of_token(self, token: str) -> Principal | Refused:
        if self._tokens is None:
            return _NO_TOKENS
        found = self._tokens.find(token)
        if isinstance(found, Principal) or found.why not in {Refusal.UNKNOWN, Refusal.UNAVAILABLE}:
            return found
        if self._tokens.keys.may_have_changed:
            self._begin(self._read_tokens)
        if reading := self._beside.get(self._read_tokens.__name__):
            await asyncio.shield(reading)
        return self._tokens.find(token)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            await self._read_anew()
            # What is slow here must not hold up the next look at the register.
            self._begin(self._note_uses)
            if self._tokens is not None and self._tokens.keys.due:
                self._begin(self._read_tokens)

    def _begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do it beside everything else, unless it is being done."""
        name = work.__name__
        if name not in self._beside or self._beside[name].done():
            self._beside[name] = asyncio.create_task(work(), name=name)

    async def _read_anew(self) -> None:
        """Wait for a reading that begins from now on; all who wait share it."""
        if self._next_reading is None:
            self._next_reading = asyncio.create_task(self._read_in_turn(), name="read the API keys")
        await asyncio.shield(self._next_reading)

    async def _read_in_turn(self) -> None:
        async with self._one_reading:
            await asyncio.sleep(max(0.0, self._read_at + _PAUSE_SECONDS - time.monotonic()))
            self._next_reading = None  # it begins: who comes later waits for the next one
            self._read_at = time.monotonic()
            await self._read()

    async def _read(self) -> None:
        try:
            changes = await run_in_threadpool(self._keyring.refresh)
        except Exception as error:  # noqa: BLE001 -- the keys at hand are good until `refresh` works again
            if self.problem is None:
                _log.error("keys not read", exc_info=error)
            self.problem = f"API keys cannot be read: {type(error).__name__}"
            return
        self.problem = None
        for change in changes:
            _tell(change)

    async def _read_tokens(self) -> None:
        if self._tokens is None:
            return
        try:
            await run_in_threadpool(self._tokens.keys.refresh)
        except StoreUnavailable as error:
            _log.error("issuer's keys not read", reason=str(error))

    async def _note_uses(self) -> None:
        if due := self._keyring.uses_due():
            try:
                await run_in_threadpool(self._keyring.note_uses, due)
            except Exception as error:  # noqa: BLE001 -- evidence that is lost stops nobody
                _log.warning("last use of keys not written", reason=type(error).__name__)


def gatekeeper(settings: Settings, register: KeyRegister) -> Gatekeeper:
    """The gatekeeper of an installation; nothing is read before it runs.

    Raises:
        StoreUnavailable: Settings of tokens are wrong, or the servers profile lacks MARKETING_API_SECRET.
    """
    if settings.profile != "embedded":
        api_secret(settings)
    issued = from_environment(TokenSettings)

    def tokens() -> TokenVerifier:
        return TokenVerifier(issued, token_keys(issued), api_secret(settings))

    return Gatekeeper(KeyRing(register, lambda: api_secret(settings)), tokens if issued.on else None)


def _credential(headers: RawHeaders) -> str | Refused:
    """The one key or token that was sent."""
    found: bytes | None = None
    for name, value in headers:
        if name not in (b"authorization", b"x-api-key"):
            continue
        if found is not None:
            return _AMBIGUOUS
        if name == b"authorization":
            scheme, _, found = value.partition(b" ")
            fits = scheme.lower() == b"bearer"
        else:
            found, fits = value, value.startswith(_KEY)
        if not fits:
            return _MALFORMED
    if found is None:
        return _MISSING
    try:
        return found.strip().decode("ascii") or _MALFORMED
    except UnicodeDecodeError:
        return _MALFORMED


def _tell(change: Change) -> None:
    record = change.record
    event = "key created" if change.new else "key revoked" if record.revoked_at else "key changed"
    _log.info(
        event,
        key_id=record.key_id,
        name=record.name,
        owner=record.owner,
        scopes=sorted(record.scopes),
        who=record.revoked_by or record.created_by,
        ends_at=record.revoked_at or record.expires_at,
    )
