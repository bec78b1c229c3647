"""One request as it is seen: `Exchange(scope)` when its head is there, `end` when its answer left or failed.

For any ASGI code, the middleware and paths below FastAPI alike. Between the two, whatever happens in the
request's context finds it with `current()` and notes on it what only it knows. At the end it becomes one line
of the log, its figures, and its span. The line goes around structlog, which would take twice as long as
everything here together.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from starlette.types import Scope

from serving.observability import ids, metrics, security, tracing
from serving.observability.lines import Lines

_FORMAT = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)
_log: Any = structlog.get_logger("serving.access")


class Exchange:
    """What is known of one request so far; whoever knows more sets it.

    Attributes:
        id: The request's id, also in `scope["state"]["request_id"]`.
        trace_id: Of the trace it belongs to: the client's or ours.
        route: The template of its route; taken from the scope at the end unless set.
        status: Of the answer; None while none has begun.
        code: The code of `serving.errors` that was answered.
        reason: Why, more closely, where the code has several reasons.
        release_id: The release that answered.
        bytes_out: Length of the answer's body.
        queued: Seconds for which it waited for a thread.
    """

    __slots__ = (
        "_scope",
        "_span",
        "_started",
        "_token",
        "bytes_out",
        "code",
        "id",
        "queued",
        "reason",
        "release_id",
        "route",
        "status",
        "trace_id",
    )

    def __init__(self, scope: Scope) -> None:
        self.id, self.trace_id = ids.of(scope["headers"])
        self.route: str | None = None
        self.status: int | None = None
        self.code: str | None = None
        self.reason: str | None = None
        self.release_id: str | None = None
        self.bytes_out = 0
        self.queued = 0.0
        self._scope = scope
        self._started = time.perf_counter()
        self._span = tracing.ServerSpan(scope) if tracing.on() else None
        if self._span is not None:
            self.trace_id = self._span.trace_id
        scope.setdefault("state", {})["request_id"] = self.id
        self._token = _current.set(self)
        _InFlight.number += 1

    @property
    def principal(self) -> str | None:
        """The id of who calls, which names a key or the holder of a token and no person."""
        return getattr(self._scope["state"].get("principal"), "id", None)

    @property
    def refused_key(self) -> str | None:
        """The public id of the key that was sent and is not good."""
        return getattr(self._scope["state"].get("refused"), "key_id", None)

    @property
    def client(self) -> str | None:
        """The network address of the client, as the server saw it."""
        client = self._scope.get("client")
        return client[0] if client else None

    def end(self, failed: BaseException | None = None) -> None:
        """Tell of it; to be called once, in the context it was made in.

        Args:
            failed: The exception that ended it, for its span.
        """
        seconds = time.perf_counter() - self._started
        _InFlight.number -= 1
        scope = self._scope
        if self.route is None:
            self.route = getattr(scope.get("route"), "path_format", None)
        method: str = scope["method"] if scope["method"] in metrics.METHODS else metrics.OTHER
        metrics.answered(self.route or metrics.UNMATCHED, method, self.status, seconds)
        if self.code is not None:
            security.refused(self)
        _tell(
            {
                "request_id": self.id,
                "trace_id": self.trace_id,
                "principal": self.principal,
                "method": method,
                "route": self.route,
                "status": self.status,
                "error_code": self.code,
                "release_id": self.release_id,
                "bytes_out": self.bytes_out,
                "duration_ms": round(seconds * 1000, 3),
                "queued_ms": round(self.queued * 1000, 3),
            }
        )
        if self._span is not None:
            self._span.end(method, self.route, self.status, self.release_id, failed)
        _current.reset(self._token)


class _InFlight:
    """How many have begun and not ended: a number read now and then costs less than a gauge."""

    number = 0


def current() -> Exchange | None:
    """The request in whose context this is called; None outside of any."""
    return _current.get()


def note_error(code: str, details: Mapping[str, Any]) -> None:
    """Note on the request at hand what error it is answered with."""
    exchange = _current.get()
    if exchange is not None:
        exchange.code = code
        reason = details.get("reason")
        exchange.reason = reason if isinstance(reason, str) else None


def in_flight() -> int:
    """How many requests of this process are being answered."""
    return _InFlight.number


def named(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """A processor for structlog: every line of a request carries its id and trace."""
    exchange = _current.get()
    if exchange is not None:
        event.setdefault("request_id", exchange.id)
        if exchange.trace_id is not None:
            event.setdefault("trace_id", exchange.trace_id)
    return event


class _Way:
    """Where lines of requests go: straight to stdout where logging is set up, to structlog elsewhere."""

    lines: Lines | None = None


def write_to(lines: Lines | None) -> None:
    """From now on write the line of each request there; None: through structlog, as tests see it."""
    _Way.lines = lines


def _tell(fields: dict[str, Any]) -> None:
    lines = _Way.lines
    if lines is None:
        _log.info("request", **fields)
        return
    line = {"event": "request", "level": "info", "timestamp": datetime.now(UTC), **fields}
    lines.write(orjson.dumps(line, option=_FORMAT))
