"""Puts into each request's state who calls; whether they may is decided later, by route.

`scope["state"]["principal"]` is the `Principal`, or None; `scope["state"]["refused"]` says why it is None.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from marketing_platform.access import Principal
from serving.access.gatekeeper import Gatekeeper


class AccessMiddleware:
    """Plain ASGI; answers nothing itself, so that health and the description stay open."""

    def __init__(self, app: ASGIApp, gatekeeper: Gatekeeper) -> None:
        self._app = app
        self._gatekeeper = gatekeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request; anything else (the lifespan) passes through."""
        if scope["type"] == "http":
            found = await self._gatekeeper.principal_of(scope["headers"])
            known = isinstance(found, Principal)
            state = scope.setdefault("state", {})
            state["principal"] = found if known else None
            state["refused"] = None if known else found
        await self._app(scope, receive, send)
