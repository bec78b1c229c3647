"""Collection of what no release needs, as an op for the schedule and the command line."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import dagster as dg

from marketing_platform.analytics.enrichment import ENRICHED_EVENTS
from marketing_platform.compute import without_jobs
from marketing_platform.defs.io_managers import latest_name, latest_sets
from marketing_platform.errors import UnknownName
from marketing_platform.ingestion.erasing import Landed, erase_rows
from marketing_platform.releases.collection import (
    Collected,
    Shelf,
    collect,
    erasures_due,
    finish_erasures,
    unpin_erased,
)
from marketing_platform.releases.erasures import Erasures
from marketing_platform.releases.ledger import Ledger
from marketing_platform.releases.mail import MailLedger
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.writer import LockSession
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Warehouse
from marketing_platform.stores.registry import Stores


@dg.op(description="Deletes releases beyond the kept ones, never one that is current or pinned.")
def collect_old_releases_op(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[Settings],
    stores: dg.ResourceParam[Stores],
    ledger: dg.ResourceParam[Ledger],
    shelf: dg.ResourceParam[ReleaseShelf],
    erasures: dg.ResourceParam[Erasures],
    writer: dg.ResourceParam[object],
) -> None:
    """Run the collection and log what went."""
    unpin_erased(shelf, erasures, days=settings.erasure_days, now=datetime.now(UTC))
    collected = collect_unneeded(
        context.instance,
        stores,
        ledger,
        shelf,
        keep=settings.keep_releases,
        due=erasures_due(erasures, days=settings.erasure_days, now=datetime.now(UTC)),
    )
    finish_erasures(shelf, erasures, now=datetime.now(UTC))
    context.log.info(f"collected {len(collected.releases)} release(s), {len(collected.names)} stored name(s)")


@dg.op(description="Takes the rows of erased users out of everything that was landed.")
def erase_users_op(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[Settings],
    stores: dg.ResourceParam[Stores],
    ledger: dg.ResourceParam[Ledger],
    erasures: dg.ResourceParam[Erasures],
    mail: dg.ResourceParam[MailLedger],
    writer: dg.ResourceParam[LockSession],
) -> None:
    """Rewrite what knows them; the next release is made without."""
    now = datetime.now(UTC)
    for one in erasures.waiting():
        if sends := mail.forget(one.user_id):
            erasures.note(one.erasure_id, "mail", "sends", records=sends, now=now)
    erased = erase_rows(
        Landed(stores.objects, stores.documents, without_jobs(stores.warehouse), ledger),
        erasures,
        now=now,
        chunk_rows=settings.chunk_rows,
        confirm=writer.confirm,
    )
    context.log.info(f"{erased} user(s) erased")


@dg.graph
def erase_users() -> None:
    """One op; a graph so that it can become a job."""
    erase_users_op()


@dg.graph
def collect_old_releases() -> None:
    """One op; a graph so that it can become a job."""
    collect_old_releases_op()


def collect_unneeded(
    instance: dg.DagsterInstance,
    stores: Stores,
    ledger: Ledger,
    shelf: ReleaseShelf,
    *,
    keep: int,
    due: datetime | None = None,
    dry_run: bool = False,
) -> Collected:
    """Collect from every store that keeps versions; the caller holds the writer lock.

    Releases made before `due` hold users whose time to be erased has come: only the current one stays.
    """
    shelves = [
        Shelf("warehouse", stores.warehouse.names, stores.warehouse.drop),
        Shelf("enriched documents", stores.enriched.names, stores.enriched.drop),
        Shelf("vectors", stores.vectors.names, stores.vectors.drop),
        Shelf("graphs", stores.graphs.names, stores.graphs.drop),
        Shelf("answers", stores.answers.names, stores.answers.drop),
        Shelf("reports", stores.reports.names, stores.reports.drop),
    ]
    in_use = [*_latest_names(instance, stores.warehouse), *_latest_sets(instance)]
    return collect(shelf, ledger, shelves, keep=keep, in_use=in_use, due=due, dry_run=dry_run)


def _latest_sets(instance: dg.DagsterInstance) -> tuple[str, ...]:
    try:
        return latest_sets(instance, ENRICHED_EVENTS)
    except UnknownName:
        return ()


def _latest_names(instance: dg.DagsterInstance, warehouse: Warehouse) -> Iterator[str]:
    """The names of the latest materializations, and the parts that tables consist of.

    A table may have been made, and never released, before a batch was replayed: the ledger then
    knows nothing of the parts that the table was made of.
    """
    for key in instance.all_asset_keys():
        try:
            name = latest_name(instance, key.path[-1])
        except (UnknownName, KeyError):  # an asset that is not stored under a name
            continue
        yield name
        with suppress(UnknownName):  # no table
            yield from warehouse.open(name).ref.parts
