"""What surrounds every request: its id, its line in the log, and an answer even when it crashes.

Plain ASGI, because three `BaseHTTPMiddleware` cost more than the rest of a look-up together.
"""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import errors

_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_log: Any = structlog.get_logger("serving.access")


class RequestMiddleware:
    """Gives a request its id, logs it as one JSON line, and turns a crash into a 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request; anything else (the lifespan) passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        answer: dict[str, Any] = {"status": None, "release_id": None}
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                answer.update(status=message["status"], release_id=headers.get("X-Release-Id"))
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:  # noqa: BLE001 -- the last place that can answer; the log has the cause
            _log.exception("crash", request_id=request_id, route=_route(scope))
            if answer["status"] is None:
                await errors.render("internal_error", request_id)(scope, receive, send_with_id)
        finally:
            _log.info(
                "request",
                request_id=request_id,
                method=scope["method"],
                route=_route(scope),
                status=answer["status"],
                release_id=answer["release_id"],
                duration_ms=round((time.perf_counter() - started) * 1000, 3),
            )


def _request_id(scope: Scope) -> str:
    offered = Headers(scope=scope).get("X-Request-Id", "")
    return offered if _SANE_ID.fullmatch(offered) else uuid.uuid4().hex


def _route(scope: Scope) -> str | None:
    """The route's template: the path itself names users, and so may a query."""
    return getattr(scope.get("route"), "path_format", None)
