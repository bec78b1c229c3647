"""What works behind the routes: built once per application, opened and closed with it.

Building does no I/O. Endpoints find each part under its name in `request.app.state`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from marketing_platform.encoders import Encoder, configured_encoder
from marketing_platform.ingestion.write_settings import load_write_settings
from marketing_platform.recommenders.rules import load_rules
from marketing_platform.releases.manifest import Manifest
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import Stores, open_counters
from serving.access.gatekeeper import Gatekeeper, gatekeeper
from serving.audit.service import AuditService
from serving.boards.service import Boards
from serving.emails.service import EmailService
from serving.experiments.exposing import Exposures
from serving.files.service import FileService
from serving.hooks.service import HookService
from serving.limits.rates import Rates
from serving.limits.settings import LimitSettings
from serving.limits.shedding import Load
from serving.live import LivePath
from serving.lookups import Lookups
from serving.observability import tracing
from serving.observability.sampling import Sampling
from serving.observability.traced_stores import traced, traced_encoder
from serving.overrides import LiveOverrides
from serving.questions.service import Questions
from serving.releases import OpenRelease, ReleaseHolder
from serving.writes.service import WriteService


@dataclass(frozen=True)
class Parts:
    """One of each."""

    settings: Settings
    limits: LimitSettings
    access: Gatekeeper
    audit: AuditService
    boards: Boards
    emails: EmailService
    exposures: Exposures
    files: FileService
    holder: ReleaseHolder
    hooks: HookService
    live: LivePath
    load: Load
    lookups: Lookups
    overrides: LiveOverrides
    questions: Questions
    rates: Rates
    sampling: Sampling
    writes: WriteService

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Everything opened, in the order in which one needs another; closed in reverse."""
        async with AsyncExitStack() as cleanups:
            await cleanups.enter_async_context(self.access.running())
            await cleanups.enter_async_context(self.overrides.running())
            await cleanups.enter_async_context(self.boards.running())
            await cleanups.enter_async_context(self.holder.running())
            await cleanups.enter_async_context(self.lookups.running())
            await cleanups.enter_async_context(self.live.running(self.holder))
            await cleanups.enter_async_context(self.rates.running())
            await cleanups.enter_async_context(self.writes.running())
            await cleanups.enter_async_context(self.exposures.running())
            await cleanups.enter_async_context(self.hooks.running())
            await cleanups.enter_async_context(self.emails.running())
            cleanups.callback(self.audit.close)
            cleanups.callback(self.files.close)
            await cleanups.enter_async_context(self.sampling.running())
            yield


def assemble(
    settings: Settings,
    stores: Stores,
    limits: LimitSettings,
    *,
    shelf: ReleaseShelf | None,
    encoder: Callable[[], Encoder] | None,
    poll_seconds: float,
) -> Parts:
    """The parts over the releases of `settings`, or of `shelf` when one is given."""
    records = open_records(settings)
    shelf = shelf or records.shelf
    open_encoder = encoder or partial(configured_encoder, settings, live=True)
    if tracing.on():
        stores, open_encoder = traced(stores), _traced(open_encoder)
    live = LivePath(open_encoder, neighbours=settings.similar_users, items=settings.recommendations)
    writing = load_write_settings()
    writes = WriteService(settings, stores, records, writing)
    exposures = Exposures(writes.append, every_seconds=writing.exposure_seconds)
    holder = _holder(shelf, stores, live, exposures, poll_seconds)
    overrides = LiveOverrides(
        records.overrides, records.erasures, load_rules(settings.rules_dir), poll_seconds=poll_seconds
    )
    embedded = settings.profile == "embedded"
    lookups = Lookups(
        holder,
        seconds=settings.api_seconds,
        masked=overrides.masked,
        at_once=["recommendations", "features"] if embedded else [],
        worked_out=["boards", "analytics"] if embedded else ["boards"],
    )
    return Parts(
        settings=settings,
        limits=limits,
        access=gatekeeper(settings, records.keys),
        audit=AuditService(records.ledger, shelf, stores.documents, seconds=settings.api_seconds),
        emails=EmailService(settings, records.mail, writes, overrides, holder),
        exposures=exposures,
        boards=Boards(settings.boards_dir, lookups, overrides),
        files=FileService(settings, stores.objects, writing),
        holder=holder,
        hooks=HookService(settings, records.calls, stores.objects),
        live=live,
        load=Load(),
        lookups=lookups,
        overrides=overrides,
        questions=Questions(settings.kpis_dir),
        rates=Rates(limits, open_counters(settings)),
        sampling=Sampling(holder, live, lookups),
        writes=writes,
    )


def _traced(open_encoder: Callable[[], Encoder]) -> Callable[[], Encoder]:
    return lambda: traced_encoder(open_encoder())


def _holder(
    shelf: ReleaseShelf, stores: Stores, live: LivePath, exposures: Exposures, poll_seconds: float
) -> ReleaseHolder:
    def open_release(manifest: Manifest, *, with_vectors: bool | None = None) -> OpenRelease:
        release = OpenRelease(manifest, stores, shown=exposures.shown)
        # The first release does not wait for the live path; those after it are opened whole.
        release.initialize(with_vectors=live.state == "ready" if with_vectors is None else with_vectors)
        return release

    # The live path is hardly ever asked of the past.
    open_past = partial(open_release, with_vectors=False)
    return ReleaseHolder(shelf, open_release, open_past=open_past, poll_seconds=poll_seconds)
