"""Puts the API together. Building it does no I/O; its lifespan opens things and closes them in reverse."""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import fields

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from marketing_platform import __version__
from marketing_platform.analytics.kpis import load_registry
from marketing_platform.encoders import Encoder
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.settings import Settings, load_settings
from marketing_platform.stores.registry import Stores, from_environment, open_stores
from serving import errors, openapi
from serving.access.middleware import AccessMiddleware
from serving.duckdb_sharing import shared_duckdb
from serving.heads import HeadAsGet
from serving.health.endpoints import probes
from serving.limits.caps import Caps
from serving.limits.rates import RateLimits
from serving.limits.settings import LimitSettings
from serving.limits.shedding import Shedding
from serving.middleware import RequestMiddleware
from serving.parts import Parts, assemble
from serving.recommendations.direct import DirectAnswers
from serving.routes import DESCRIPTION, ROUTERS, TAGS


def create_app(
    settings: Settings | None = None,
    *,
    shelf: ReleaseShelf | None = None,
    stores: Stores | None = None,
    encoder: Callable[[], Encoder] | None = None,
    limits: LimitSettings | None = None,
    poll_seconds: float = 0.5,
) -> FastAPI:
    """The API over the releases of `settings`; keyword arguments put something else in a place."""
    settings = settings or load_settings()
    parts = assemble(
        settings,
        stores or open_stores(settings, connect=shared_duckdb(settings.duckdb_memory)),
        limits or from_environment(LimitSettings),
        shelf=shelf,
        encoder=encoder,
        poll_seconds=poll_seconds,
    )
    app = FastAPI(
        title="Marketing personalization platform",
        version=__version__,
        summary="Recommendations that say why, from releases that passed their gates.",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=_lifespan(parts),
        redirect_slashes=False,
        # FastAPI's own would write paths, which name users, into spans; see observability/tracing.py.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    for part in fields(parts):
        setattr(app.state, part.name, getattr(parts, part.name))
    _add_middleware(app, parts)
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(probes, include_in_schema=False)
    errors.install(app, (*ROUTERS, probes))
    openapi.install(app, ROUTERS)
    return app


def _lifespan(parts: Parts) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        app.state.registry = await run_in_threadpool(load_registry, parts.settings.kpis_dir)
        async with parts.running():
            # What is there by now stays: to look through it again and again for garbage costs long pauses.
            gc.collect()
            gc.freeze()
            try:
                yield
            finally:
                gc.unfreeze()

    return lifespan


def _add_middleware(app: FastAPI, parts: Parts) -> None:
    """The last one added is the first to see a request."""
    direct = DirectAnswers(
        parts.limits, parts.load, parts.access, parts.rates, parts.lookups, parts.overrides, parts.exposures
    )
    app.add_middleware(HeadAsGet)
    app.add_middleware(RateLimits, rates=parts.rates)
    app.add_middleware(AccessMiddleware, gatekeeper=parts.access)
    app.add_middleware(Shedding, settings=parts.limits, load=parts.load)
    app.add_middleware(Caps, settings=parts.limits)
    app.add_middleware(RequestMiddleware, direct=direct)
