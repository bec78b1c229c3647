"""Decides whether who calls may do what a route does: `Depends(allowed(Scope.READ_RECOMMENDATIONS))`.

The one place that turns "who" and "what" into 401, 403 or 503. It happens before parameters are read and
before any look-up, so that no answer tells whether what was asked for exists.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

import structlog
from fastapi import Request, Security
from fastapi.openapi.models import APIKey, HTTPBearer
from fastapi.security.base import SecurityBase

from marketing_platform.access import Principal, Refusal, Refused, Scope
from serving.errors import ApiError

DENIALS = ("unauthenticated", "invalid_credentials", "forbidden_scope")  # of every protected route
DENIALS_OF_USERS = (*DENIALS, "forbidden_user")  # of a route about one user

_log: Any = structlog.get_logger("serving.security")


class _Declared(SecurityBase):
    """What OpenAPI says about credentials; they were read by the middleware."""

    def __init__(self, scheme_name: str, model: Any) -> None:
        self.scheme_name = scheme_name
        self.model = model

    async def __call__(self) -> None:
        """Nothing."""


_BEARER = _Declared(
    "bearer", HTTPBearer(description="An API key (`mp_…`), or a token of the issuer that is set.")
)
_HEADER = _Declared(
    "apiKey",
    APIKey.model_validate({"in": "header", "name": "X-API-Key", "description": "An API key (`mp_…`)."}),
)


def allowed(scope: Scope) -> Callable[..., Awaitable[Principal]]:
    """A dependency: who calls, if the scope permits it and it is about a user whom they may read.

    The user is the parameter `user_id` of path or query. Who may read one user only is refused where a
    route names none: a route that takes users in its body needs `decide` with those.
    """

    needed = [scope.value]  # OpenAPI 3.1 takes what a key has to permit for roles

    async def permitted(
        request: Request,
        _bearer: None = Security(_BEARER, scopes=needed),
        _header: None = Security(_HEADER, scopes=needed),
    ) -> Principal:
        return permit(request, scope, _users_asked(request))

    return permitted


def permit(request: Request, scope: Scope, users: Collection[str]) -> Principal:
    """Who calls, if they may; otherwise the denial is logged, and ApiError says 401, 403 or 503."""
    state = request.scope["state"]
    decided = decide(state["principal"], state["refused"], scope, users)
    if isinstance(decided, Principal):
        return decided
    principal, refused = state["principal"], state["refused"]
    _log.warning(
        "denied",
        code=decided.code,
        reason=refused.why.value if refused else None,
        principal=principal.id if principal else refused.key_id,
        scope=scope.value,
        request_id=state["request_id"],
    )
    raise decided


def decide(
    principal: Principal | None, refused: Refused | None, scope: Scope, users: Collection[str]
) -> Principal | ApiError:
    """Who calls, if they may do what `scope` permits about these users; otherwise the error to answer."""
    if principal is None:
        return _unknown(refused)
    if scope not in principal.scopes:
        return ApiError("forbidden_scope", scope=scope.value)
    if principal.user_id is not None and set(users) != {principal.user_id}:
        return ApiError("forbidden_user", parameter="user_id")
    return principal


def _unknown(refused: Refused | None) -> ApiError:
    why = refused.why if refused else Refusal.MISSING
    if why is Refusal.MISSING:
        return ApiError("unauthenticated")
    if why is Refusal.UNAVAILABLE:
        return ApiError("store_unavailable", part="access")
    return ApiError("invalid_credentials", reason=why.value)


def _users_asked(request: Request) -> set[str]:
    asked = set(request.query_params.getlist("user_id"))
    in_path = request.path_params.get("user_id")
    return asked if in_path is None else {*asked, in_path}
