"""Who asks, as far as the areas need to know: the one place that reads what authentication found."""

from __future__ import annotations

from fastapi import Request

_ANYBODY = "anonymous"
_ADMIN = "admin"


def principal_id(request: Request) -> str:
    """The id of the key or the subject of the token; one for everybody where nobody has to say."""
    principal = getattr(request.state, "principal", None)
    return principal.id if principal is not None else _ANYBODY


def is_admin(request: Request) -> bool:
    """Whether whoever asks may see what others wrote."""
    principal = getattr(request.state, "principal", None)
    return principal is not None and _ADMIN in principal.scopes
