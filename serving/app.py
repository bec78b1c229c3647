"""Puts the API together. Building it does no I/O; its lifespan opens things and closes them in reverse."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from marketing_platform import __version__
from marketing_platform.analytics.kpis import load_registry
from marketing_platform.encoders import Encoder, configured_encoder
from marketing_platform.releases.manifest import Manifest
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings, load_settings
from marketing_platform.stores.registry import Stores, open_stores
from serving import errors, openapi
from serving.access.gatekeeper import gatekeeper
from serving.access.middleware import AccessMiddleware
from serving.analytics.endpoints import router as analytics
from serving.duckdb_sharing import shared_duckdb
from serving.graph.endpoints import router as graph
from serving.health.endpoints import router as health
from serving.kpis.endpoints import router as kpis
from serving.live import LivePath
from serving.lookups import Lookups
from serving.middleware import RequestMiddleware
from serving.questions.endpoints import router as questions
from serving.questions.service import Questions
from serving.recommendations.endpoints import router as recommendations
from serving.recommendations.endpoints import users
from serving.releases import OpenRelease, ReleaseHolder

_DESCRIPTION = """
Recommendations, graph and figures of a marketing platform, each from exactly one **release**.

Whoever asks sends an API key, or a token of the issuer that is set: `Authorization: Bearer …`.

Every answer names its `release_id` (also in `X-Release-Id`) and says that the release passed its
gates. Errors share one body: `error_code`, `message`, `details`, `timestamp`, `request_id`.
Answers carry an `ETag`: send it as `If-None-Match` and get 304 until the next release.
"""
_TAGS = [
    {
        "name": "recommendations",
        "description": "Who is similar, and which campaigns and products fit: with scores and reasons.",
    },
    {"name": "graph", "description": "What a user took part in, from the knowledge graph."},
    {"name": "analytics", "description": "Figures by user, campaign and day, in pages; KPIs, compared."},
    {"name": "questions", "description": "Questions about KPIs in plain English."},
    {"name": "health", "description": "Whether the API can answer, and how fresh its answers are."},
]


def create_app(
    settings: Settings | None = None,
    *,
    shelf: ReleaseShelf | None = None,
    stores: Stores | None = None,
    encoder: Callable[[], Encoder] | None = None,
    poll_seconds: float = 0.5,
) -> FastAPI:
    """The API over the releases of `settings`; keyword arguments put something else in a place."""
    settings = settings or load_settings()
    records = open_records(settings)
    shelf = shelf or records.shelf
    access = gatekeeper(settings, records.keys)
    stores = stores or open_stores(settings, connect=shared_duckdb(settings.duckdb_memory))
    live = LivePath(
        encoder or partial(configured_encoder, settings, live=True),
        neighbours=settings.similar_users,
        items=settings.recommendations,
    )

    def open_release(manifest: Manifest) -> OpenRelease:
        release = OpenRelease(manifest, stores)
        # The first release does not wait for the live path; those after it are opened whole.
        release.initialize(with_vectors=live.state == "ready")
        return release

    holder = ReleaseHolder(shelf, open_release, poll_seconds=poll_seconds)
    lookups = Lookups(
        holder,
        seconds=settings.api_seconds,
        at_once=["recommendations"] if settings.profile == "embedded" else [],
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as cleanups:
            app.state.registry = await run_in_threadpool(load_registry, settings.kpis_dir)
            await cleanups.enter_async_context(access.running())
            await cleanups.enter_async_context(holder.running())
            await cleanups.enter_async_context(lookups.running())
            await cleanups.enter_async_context(live.running(holder))
            yield

    app = FastAPI(
        title="Marketing personalization platform",
        version=__version__,
        summary="Recommendations that say why, from releases that passed their gates.",
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.access = access
    app.state.holder = holder
    app.state.live = live
    app.state.lookups = lookups
    app.state.questions = Questions(settings.kpis_dir)
    errors.install(app)
    app.add_middleware(AccessMiddleware, gatekeeper=access)
    app.add_middleware(RequestMiddleware)  # the last one added is the first to see a request
    routers = (recommendations, users, graph, analytics, kpis, questions, health)
    for router in routers:
        app.include_router(router)
    openapi.install(app, routers)
    return app
