"""The published description of the API.

FastAPI drops every null from it, which makes an example with a null field contradict its own
schema; here the examples are put back as they were written. What is sent to others is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from serving import webhooks


def install(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Let `app` publish the examples of the included `routers` whole."""
    describe = app.openapi
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = describe()
            for route in routes:
                for method in route.methods or ():
                    operation = document["paths"][route.path_format][method.lower()]
                    _restore(operation["responses"], route)
            webhooks.add_to(document)
        return describe()

    app.openapi = openapi


def _restore(published: dict[str, Any], route: APIRoute) -> None:
    for status, response in route.responses.items():
        for media_type, written in response.get("content", {}).items():
            content = published[str(status)]["content"][media_type]
            content.update({name: written[name] for name in ("example", "examples") if name in written})
