"""What surrounds every request: its id, what is told of it, and an answer even when it crashes.

Plain ASGI, because three `BaseHTTPMiddleware` cost more than the rest of a look-up together. What is asked
most is answered from here, without the layers below (`recommendations/direct.py`).
"""

from __future__ import annotations

from typing import Any, Protocol

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import errors
from serving.observability.exchange import Exchange
from serving.responses import Raw

_log: Any = structlog.get_logger("serving.access")


class Direct(Protocol):
    """What answers some requests without the layers below."""

    async def answer(self, scope: Scope) -> Raw | None:
        """The answer; None where the layers below are to find it."""
        ...


class RequestMiddleware:
    """Gives a request its id, tells of it, and turns a crash into a 500."""

    def __init__(self, app: ASGIApp, direct: Direct | None = None) -> None:
        self._app = app
        self._direct = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request; anything else (the lifespan) passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope)
        failed: BaseException | None = None

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers: list[tuple[bytes, bytes]] = message["headers"]
                exchange.status = message["status"]
                exchange.release_id = _release_id(headers)
                message["headers"] = [*headers, (b"x-request-id", exchange.id.encode())]
            elif message["type"] == "http.response.body":
                exchange.bytes_out += len(message.get("body", b""))
            await send(message)

        try:
            answer = await self._direct.answer(scope) if self._direct else None
            if answer is None:
                await self._app(scope, receive, send_with_id)
            else:
                await _send(answer, send_with_id)
        except Exception as error:  # noqa: BLE001 -- the last place that can answer; the log has the cause
            failed = error
            _log.exception("crash", request_id=exchange.id, route=_route(scope))
            if exchange.status is None:
                await errors.render("internal_error", exchange.id)(scope, receive, send_with_id)
        finally:
            exchange.end(failed)


async def _send(answer: Raw, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})


def _release_id(headers: list[tuple[bytes, bytes]]) -> str | None:
    return next((value.decode() for name, value in headers if name == b"x-release-id"), None)


def _route(scope: Scope) -> str | None:
    """The route's template: the path itself names users, and so may a query."""
    return getattr(scope.get("route"), "path_format", None)
