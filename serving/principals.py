"""Who asks, as far as the areas need to know; whether they may was decided before them (`access/`)."""

from __future__ import annotations

from fastapi import Request

from marketing_platform.access import Scope


def who_asks(request: Request) -> str:
    """The caller as records name them: the id of the key or of the subject of the token."""
    return request.state.principal.id


def is_admin(request: Request) -> bool:
    """Whether whoever asks may see what others wrote."""
    return Scope.ADMIN in request.state.principal.scopes
