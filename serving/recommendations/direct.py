"""The whole prepared answer for a user, given below the framework, which would cost more than the look-up.

Only the plain question is taken here: `GET /api/v1/users/{user_id}/recommendations`, at most with `kind`.
It is permitted, looked up and written by the same functions as the route in `endpoints.py`, and whatever
does not end in an answer is handed to that route, which says what is wrong. A test holds the two together.
"""

from __future__ import annotations

from typing import get_args

from pydantic import TypeAdapter, ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from marketing_platform.access import Principal
from marketing_platform.access import Scope as Permission
from marketing_platform.errors import MarketingPlatformError
from serving import responses
from serving.access.permission import decide
from serving.errors import ApiError
from serving.lookups import Lookups
from serving.overrides import LiveOverrides
from serving.parameters import Id
from serving.recommendations import service
from serving.recommendations.endpoints import users

_PREFIX, _SUFFIX = "/api/v1/users/", "/recommendations"
_WANTED = {b"": service.Wanted()} | {
    f"kind={kind}".encode(): service.Wanted(kind) for kind in get_args(service.Kind)
}
_ID = TypeAdapter(Id)
_ROUTE = next(route for route in users.routes if getattr(route, "name", None) == "of_user")


class DirectAnswers:
    """ASGI middleware around the framework; it stands inside whatever guards requests."""

    def __init__(self, app: ASGIApp, lookups: Lookups, overrides: LiveOverrides) -> None:
        self._app = app
        self._lookups = lookups
        self._overrides = overrides

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the plain question; hand over everything else."""
        answer = await self._answer(scope) if scope["type"] == "http" else None
        if answer is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTE  # for the log and the metrics
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope) -> responses.Raw | None:
        path: str = scope["path"]
        if scope["method"] != "GET" or not (path.startswith(_PREFIX) and path.endswith(_SUFFIX)):
            return None
        user_id = path[len(_PREFIX) : -len(_SUFFIX)]
        wanted = _WANTED.get(scope["query_string"])
        if wanted is None or not _may(scope, user_id) or not _is_id(user_id):
            return None
        try:
            standing = self._overrides.standing(wanted.items)
            manifest, body = await self._lookups.ask(
                "recommendations", (user_id,), None, service.of_user, user_id, wanted, standing
            )
        except (ApiError, MarketingPlatformError):
            return None
        return responses.raw(_if_none_match(scope), manifest, body)


def _may(scope: Scope, user_id: str) -> bool:
    state = scope["state"]
    decided = decide(state["principal"], state["refused"], Permission.READ_RECOMMENDATIONS, (user_id,))
    return isinstance(decided, Principal)


def _is_id(user_id: str) -> bool:
    try:
        _ID.validate_python(user_id)
    except ValidationError:
        return False
    return True


def _if_none_match(scope: Scope) -> str:
    return ", ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"if-none-match")
