"""Routes that have two addresses: their own, and the same below `/api/v1`, where all routes are."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.routing import APIRoute

_PREFIX = "/api/v1"


def versioned(router: APIRouter) -> APIRouter:
    """The routes of `router`, which look something up, below `/api/v1`.

    They are routes of their own, so that each address has its description, its figures and its `Allow`.
    """
    below = APIRouter()
    for route in (each for each in router.routes if isinstance(each, APIRoute)):
        below.add_api_route(
            _PREFIX + route.path,
            route.endpoint,
            methods=route.methods,
            summary=route.summary,
            description=route.description,
            tags=route.tags,
            response_model=route.response_model,
            responses=route.responses,
            dependencies=route.dependencies,
        )
    return below
