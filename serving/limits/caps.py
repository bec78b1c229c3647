"""How large a request may be, and how long it may take: the body, the head, and the answer.

`connections.py` holds the same caps for the head while it still arrives; here they hold under any server.
What is in a body is judged by `bodies.py`.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import errors
from serving.limits.paths import BULK, only_json
from serving.limits.settings import LimitSettings

_BODIES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_ACCEPTED = (b"*/*", b"application/*", b"application/json")
_REFUSED = re.compile(rb"q\s*=\s*0(\.0*)?\s*(;|$)")
_log: Any = structlog.get_logger("serving.limits")


class _Ended(Exception):
    """The body is not read any further."""


class Caps:
    """ASGI middleware: ends what is too large (413, 414, 431), too slow (408, 504) or unreadable (406)."""

    def __init__(self, app: ASGIApp, settings: LimitSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request within its caps; anything else passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = refusal(scope, self._settings)
        if refused is not None:
            await errors.refuse(scope, refused)(scope, receive, send)
            return
        request = _Request(scope, receive, send, self._settings)
        await request.answered_by(self._app)


class _Request:
    """One request while it is answered: counts its body, and knows whether an answer has begun."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, settings: LimitSettings) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        bulk = scope["path"] in BULK
        self._left = _longest(scope, settings)
        self._body_seconds = settings.bulk_seconds if bulk else settings.body_seconds
        self._seconds = settings.request_seconds
        self._arrives_until: float | None = 0.0
        self._began = False
        self._refusal: str | None = None

    async def answered_by(self, app: ASGIApp) -> None:
        with_body = self._scope["method"] in _BODIES
        receive = self._limited if with_body else self._receive
        now = asyncio.get_running_loop().time()
        self._arrives_until = now + self._body_seconds
        deadline = now + self._seconds + (self._body_seconds if with_body else 0)
        timeout = asyncio.timeout_at(deadline)
        try:
            async with timeout:
                await app(self._scope, receive, self._noted)
        except _Ended:
            pass
        except TimeoutError:
            if not timeout.expired():
                raise
            self._refusal = "deadline_exceeded"
        if self._refusal is None:
            return
        if self._began:
            # Too late for another answer; a server that gets only half of one ends the connection.
            _log.warning("answer broken off", reason=self._refusal)
            return
        await errors.refuse(self._scope, self._refusal)(self._scope, self._receive, self._send)

    async def _noted(self, message: Message) -> None:
        if self._refusal is not None and not self._began:
            return  # whatever the application makes of a body that ended, the answer is ours
        self._began = True
        await self._send(message)

    async def _limited(self) -> Message:
        try:
            async with asyncio.timeout_at(self._arrives_until):
                message = await self._receive()
        except TimeoutError:
            self._refusal = "request_too_slow"
            raise _Ended from None
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                self._refusal = "body_too_large"
                raise _Ended
            if not message.get("more_body"):
                self._arrives_until = None  # from now on it only waits for the client to leave
        return message


def refusal(scope: Scope, settings: LimitSettings) -> str | None:
    """The error that the head of a request alone deserves."""
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > settings.target_bytes:
        return "target_too_long"
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    if len(headers) > settings.headers:
        return "headers_too_large"
    size, accept = 0, b""
    for name, value in headers:
        size += len(name) + len(value)
        if name == b"accept":
            accept = accept + b"," + value if accept else value
        elif name == b"content-length" and _number(value) > _longest(scope, settings):
            return "body_too_large"
    if accept and not _reads_json(accept) and only_json(scope["path"]):
        return "not_acceptable"
    return "headers_too_large" if size > settings.header_bytes else None


def _longest(scope: Scope, settings: LimitSettings) -> int:
    return settings.bulk_bytes if scope["path"] in BULK else settings.body_bytes


def _number(value: bytes) -> int:
    try:
        return int(value)
    except ValueError:
        return 0  # what no server lets pass


def _reads_json(accept: bytes) -> bool:
    if accept in _ACCEPTED or not accept.strip():
        return True
    for offer in accept.lower().split(b","):
        media, _, parameters = offer.partition(b";")
        if media.strip() in _ACCEPTED and not _REFUSED.search(parameters):
            return True
    return False
