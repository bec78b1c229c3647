"""Puts the API together. Building it does no I/O; its lifespan opens things and closes them in reverse."""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from marketing_platform import __version__
from marketing_platform.analytics.kpis import load_registry
from marketing_platform.encoders import Encoder, configured_encoder
from marketing_platform.ingestion.write_settings import load_write_settings
from marketing_platform.recommenders.rules import load_rules
from marketing_platform.releases.manifest import Manifest
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings, load_settings
from marketing_platform.stores.registry import Stores, from_environment, open_counters, open_stores
from serving import errors, openapi
from serving.access.gatekeeper import gatekeeper
from serving.access.middleware import AccessMiddleware
from serving.analytics.endpoints import router as analytics
from serving.audit.endpoints import router as audit
from serving.audit.service import AuditService
from serving.duckdb_sharing import shared_duckdb
from serving.erasures.endpoints import router as erasures
from serving.features.endpoints import router as features
from serving.graph.endpoints import router as graph
from serving.graph.endpoints import users as profiles
from serving.heads import HeadAsGet
from serving.health.endpoints import probes
from serving.health.endpoints import router as health
from serving.kpis.endpoints import router as kpis
from serving.limits.caps import Caps
from serving.limits.rates import RateLimits, Rates
from serving.limits.settings import LimitSettings
from serving.limits.shedding import Load, Shedding
from serving.live import LivePath
from serving.lookups import Lookups
from serving.middleware import RequestMiddleware
from serving.observability import tracing
from serving.observability.endpoints import router as observability
from serving.observability.sampling import Sampling
from serving.observability.traced_stores import traced, traced_encoder
from serving.overrides import LiveOverrides
from serving.questions.endpoints import router as questions
from serving.questions.service import Questions
from serving.recommendations.direct import DirectAnswers
from serving.recommendations.endpoints import batches, users
from serving.recommendations.endpoints import router as recommendations
from serving.releases import OpenRelease, ReleaseHolder
from serving.suppressions.endpoints import router as suppressions
from serving.versioned import versioned
from serving.writes.endpoints import router as writes
from serving.writes.service import WriteService

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
    {"name": "features", "description": "What models are told about a user, as declared."},
    {"name": "suppressions", "description": "Items and users that are out of recommendations at once."},
    {"name": "erasure", "description": "Forgetting a user, and the proof of it."},
    {"name": "graph", "description": "What a user took part in, from the knowledge graph."},
    {"name": "analytics", "description": "Figures by user, campaign and day, in pages; KPIs, compared."},
    {"name": "questions", "description": "Questions about KPIs in plain English."},
    {"name": "writes", "description": "What applications write: it lands, and the next release shows it."},
    {"name": "audit", "description": "Releases and batches: what landed, what was refused, what serves."},
    {"name": "health", "description": "Whether the API can answer, and how fresh its answers are."},
]
# Erasure is behind what else is below a user's path: an id may contain slashes.
_ROUTERS = (
    *(batches, recommendations, users, features, profiles, writes, erasures, suppressions),
    *(graph, analytics, kpis, questions, audit, health, observability),
    *map(versioned, (recommendations, graph, analytics)),
)


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
    records = open_records(settings)
    shelf = shelf or records.shelf
    access = gatekeeper(settings, records.keys)
    stores = stores or open_stores(settings, connect=shared_duckdb(settings.duckdb_memory))
    limits = limits or from_environment(LimitSettings)
    rates = Rates(limits, open_counters(settings))
    open_encoder = encoder or partial(configured_encoder, settings, live=True)
    if tracing.on():
        stores, plain_encoder = traced(stores), open_encoder
        open_encoder = lambda: traced_encoder(plain_encoder())  # noqa: E731 -- one way or the other
    live = LivePath(
        open_encoder,
        neighbours=settings.similar_users,
        items=settings.recommendations,
    )

    def open_release(manifest: Manifest, *, with_vectors: bool | None = None) -> OpenRelease:
        release = OpenRelease(manifest, stores)
        # The first release does not wait for the live path; those after it are opened whole.
        release.initialize(with_vectors=live.state == "ready" if with_vectors is None else with_vectors)
        return release

    # The live path is hardly ever asked of the past.
    open_past = partial(open_release, with_vectors=False)
    holder = ReleaseHolder(shelf, open_release, open_past=open_past, poll_seconds=poll_seconds)
    overrides = LiveOverrides(
        records.overrides, records.erasures, load_rules(settings.rules_dir), poll_seconds=poll_seconds
    )
    lookups = Lookups(
        holder,
        seconds=settings.api_seconds,
        masked=overrides.masked,
        at_once=["recommendations", "features"] if settings.profile == "embedded" else [],
        worked_out=["analytics"] if settings.profile == "embedded" else [],
    )
    writing = WriteService(settings, stores, records, load_write_settings())
    auditing = AuditService(records.ledger, shelf, stores.documents, seconds=settings.api_seconds)

    sampling = Sampling(holder, live, lookups)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as cleanups:
            app.state.registry = await run_in_threadpool(load_registry, settings.kpis_dir)
            await cleanups.enter_async_context(access.running())
            await cleanups.enter_async_context(overrides.running())
            await cleanups.enter_async_context(holder.running())
            await cleanups.enter_async_context(lookups.running())
            await cleanups.enter_async_context(live.running(holder))
            await cleanups.enter_async_context(rates.running())
            await cleanups.enter_async_context(writing.running())
            cleanups.callback(auditing.close)
            await cleanups.enter_async_context(sampling.running())
            # What is there by now stays: to look through it again and again for garbage costs long pauses.
            gc.collect()
            gc.freeze()
            cleanups.callback(gc.unfreeze)
            yield

    app = FastAPI(
        title="Marketing personalization platform",
        version=__version__,
        summary="Recommendations that say why, from releases that passed their gates.",
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        lifespan=lifespan,
        redirect_slashes=False,
        # FastAPI's own would write paths, which name users, into spans; see observability/tracing.py.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    parts = {
        **{"access": access, "audit": auditing, "holder": holder, "live": live, "load": Load()},
        **{"lookups": lookups, "overrides": overrides, "rates": rates, "sampling": sampling},
        **{"questions": Questions(settings.kpis_dir), "settings": settings, "writes": writing},
    }
    for name, part in parts.items():
        setattr(app.state, name, part)
    _add_middleware(app, limits)
    for router in _ROUTERS:
        app.include_router(router)
    app.include_router(probes, include_in_schema=False)
    errors.install(app, (*_ROUTERS, probes))
    openapi.install(app, _ROUTERS)
    return app


def _add_middleware(app: FastAPI, limits: LimitSettings) -> None:
    """The last one added is the first to see a request."""
    app.add_middleware(HeadAsGet)
    app.add_middleware(DirectAnswers, lookups=app.state.lookups, overrides=app.state.overrides)
    app.add_middleware(RateLimits, rates=app.state.rates)
    app.add_middleware(AccessMiddleware, gatekeeper=app.state.access)
    app.add_middleware(Shedding, settings=limits, load=app.state.load)
    app.add_middleware(Caps, settings=limits)
    app.add_middleware(RequestMiddleware)
