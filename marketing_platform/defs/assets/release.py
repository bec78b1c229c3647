"""The last asset: verifies the candidate, writes its manifest and moves the pointer."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from marketing_platform.analytics import aggregates
from marketing_platform.analytics.enrichment import ENRICHED_EVENTS
from marketing_platform.analytics.kpis.reading import ANOMALIES, FORECASTS
from marketing_platform.catalog import tables
from marketing_platform.content.board.pictures import BOARD_IMAGES
from marketing_platform.content.people import PEOPLE
from marketing_platform.content.segments.queries import MEMBERS
from marketing_platform.content.segments.report import SEGMENTS
from marketing_platform.defs import evidence
from marketing_platform.defs.assets.features import LOOKUP, table_of
from marketing_platform.defs.assets.graph import MESSAGE_INTERESTS
from marketing_platform.defs.assets.ingestion import NO_RELEASE
from marketing_platform.defs.assets.items import EVALUATION, RECOMMENDATIONS
from marketing_platform.defs.assets.product_lists import PRODUCT_LISTS
from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import latest_figure, latest_metadata, latest_name, latest_sets
from marketing_platform.errors import ReleaseRefused
from marketing_platform.experiments.released import ARMS, DAYS, RESULTS
from marketing_platform.features.spec import ENTITIES
from marketing_platform.gates import DeclaredCheck, declared_checks, load_suites
from marketing_platform.recommenders.item_kinds import KINDS
from marketing_platform.releases.ledger import Batch, Ledger
from marketing_platform.releases.manifest import (
    AnswersEntry,
    BatchEntry,
    CheckEntry,
    CollectionEntry,
    DocumentsEntry,
    GraphEntry,
    Manifest,
    ReportEntry,
    TableEntry,
    Totals,
)
from marketing_platform.releases.notices import Notices
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.verification import Evidence, verify
from marketing_platform.releases.version import code_version, made_of
from marketing_platform.releases.writer import LockSession
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select
from marketing_platform.stores.registry import Stores

GROUP = "release"

FEATURES = tuple(table_of(entity) for entity in ENTITIES)
# The vectors of texts are kept too: training sets make centroids of earlier moments of them.
VECTORS = ("text_embeddings", "user_vectors", "similar_users")
TABLES = (*tables(), *aggregates(), DAYS, *FEATURES, *VECTORS, MESSAGE_INTERESTS, MEMBERS)
# Answers for every user.
ANSWERS = (
    "recommendations",
    *(RECOMMENDATIONS.format(kind.words.noun) for kind in KINDS),
    *PRODUCT_LISTS,
    "similar_users_lookup",
    LOOKUP,
    PEOPLE,
)
# Answers about some.
LOOKED_UP = (*ANSWERS, BOARD_IMAGES, ARMS)
REPORTS = (
    "analytics_report",
    ANOMALIES,
    FORECASTS,
    RESULTS,
    *(EVALUATION.format(kind.words.noun) for kind in KINDS),
    SEGMENTS,
)
# Not `validated_records`: which batches were judged, and how, says the ledger that `admitted_batches` read,
# while runs side by side leave checks whose latest one is of another run.
CONSISTS_OF = (
    "admitted_batches",
    *TABLES,
    "message_embeddings",
    "knowledge_graph",
    ENRICHED_EVENTS,
    *REPORTS,
    *LOOKED_UP,
)
# What nothing of it is computed from: everything else of a release lies above these.
LAST = (
    "message_embeddings",
    "knowledge_graph",
    ENRICHED_EVENTS,
    "analytics_report",
    ANOMALIES,
    FORECASTS,
    MEMBERS,
    RESULTS,
    "item_feedback",
    *(table_of(entity) for entity in ("campaign", "product")),
    *LOOKED_UP,
)


def release_asset(checks: Sequence[dg.AssetChecksDefinition]) -> dg.AssetsDefinition:
    """The asset `release`, which knows the checks that the graph was built with."""
    defined = frozenset(
        (key.asset_key.path[-1], key.name) for definition in checks for key in definition.check_keys
    )

    @dg.asset(
        name="release",
        group_name=GROUP,
        deps=list(LAST),
        kinds={"json"},
        owners=["team:data-platform"],
        tags={"layer": "release"},
        automation_condition=follow_upstream(),
    )
    def release(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        stores: dg.ResourceParam[Stores],
        ledger: dg.ResourceParam[Ledger],
        shelf: dg.ResourceParam[ReleaseShelf],
        notices: dg.ResourceParam[Notices],
        writer: dg.ResourceParam[LockSession],
    ) -> dg.MaterializeResult[Any]:
        """Everything that is served, as one immutable manifest; `current` points to it."""
        instance = context.instance
        declared = declared_checks(load_suites(settings.expectations_dir))
        found = _evidence(instance, stores, ledger, declared, defined)
        verify(found)
        manifest = _manifest(context, settings, stores, ledger, shelf, found)
        if evidence.materialized(instance, CONSISTS_OF) != found.materialized:
            raise ReleaseRefused("an asset was materialized while its release was written; publish again")
        writer.confirm()
        shelf.publish(manifest, expected=_expected(instance, ledger, shelf))
        notices.add(_serves(manifest), release=manifest.release_id)
        return dg.MaterializeResult(
            metadata={
                "release_id": manifest.release_id,
                "previous": manifest.previous or NO_RELEASE,
                "held_batches": len(manifest.held),
                "checks": len(manifest.checks),
                **manifest.totals.model_dump(),
            }
        )

    return release


def _expected(instance: dg.DagsterInstance, ledger: Ledger, shelf: ReleaseShelf) -> str | None:
    """The release this one may replace: what was current when its batches were chosen.

    Or what is current now, if it is made of the same batches: then a person asked for one asset
    of it anew.
    """
    current = shelf.current()
    if current is not None and made_of(shelf.load(current), ledger.admitted()):
        return current
    base = str(latest_metadata(instance, "admitted_batches")["base_release"].value)
    return None if base == NO_RELEASE else base


def _serves(manifest: Manifest) -> str:
    totals = manifest.totals
    return (
        f"release {manifest.release_id} serves {totals.users:,} users and {totals.campaigns:,} campaigns"
        f" from {len(manifest.batches)} batch(es); {len(manifest.held)} held"
    )


def _evidence(
    instance: dg.DagsterInstance,
    stores: Stores,
    ledger: Ledger,
    declared: Sequence[DeclaredCheck],
    defined: frozenset[tuple[str, str]],
) -> Evidence:
    names = frozenset((check.asset, check.check) for check in declared)
    blocking = frozenset((check.asset, check.check) for check in declared if check.blocking)
    built = evidence.materialized(instance, CONSISTS_OF)
    complete = all(asset in built for asset in CONSISTS_OF)
    return Evidence(
        assets=CONSISTS_OF,
        materialized=built,
        declared=names,
        defined=defined,
        judged=evidence.judged(instance, names, blocking=blocking),
        counts=evidence.counts(instance, stores, ANSWERS) if complete else [],
        rows=evidence.rows(ledger.admitted()),
    )


def _manifest(
    context: dg.AssetExecutionContext,
    settings: Settings,
    stores: Stores,
    ledger: Ledger,
    shelf: ReleaseShelf,
    found: Evidence,
) -> Manifest:
    instance = context.instance
    now = datetime.now(UTC)
    held, current = ledger.held(), ledger.current()
    entries = {asset: _table(instance, stores, asset) for asset in TABLES}
    graph_name = latest_name(instance, "knowledge_graph")
    graph = stores.graphs.count(graph_name)
    messages = _collection(instance, stores)
    return Manifest(
        release_id=shelf.next_release_id(now),
        created_at=now,
        previous=shelf.current(),
        run_id=context.run_id,
        code_version=code_version(settings),
        profile=settings.profile,
        totals=Totals(
            rows_landed=sum(batch.rows_landed for batch in current),
            rows_valid=sum(batch.rows_valid for batch in current),
            rows_quarantined=sum(batch.rows_quarantined for batch in current),
            users=entries["users"].rows,
            campaigns=entries["campaigns"].rows,
            vectors=messages.rows,
            edges=sum(graph.relations.values()),
        ),
        batches=_admitted(instance, stores),
        held=tuple(_held(batch) for batch in held),
        tables=entries,
        vectors={"message_embeddings": messages},
        graphs={
            "knowledge_graph": GraphEntry(
                name=graph_name, nodes=dict(graph.nodes), relations=dict(graph.relations)
            )
        },
        answers={asset: _answers(instance, stores, asset) for asset in LOOKED_UP},
        documents={ENRICHED_EVENTS: _documents(instance, stores)},
        reports={asset: ReportEntry(name=latest_name(instance, asset)) for asset in REPORTS},
        checks=tuple(
            CheckEntry(asset=check.asset, check=check.check, passed=check.passed, blocking=check.blocking)
            for _, check in sorted(found.judged.items())
        ),
        figures=_figures(instance, settings),
    )


def _table(instance: dg.DagsterInstance, stores: Stores, asset: str) -> TableEntry:
    stored = stores.warehouse.open(latest_name(instance, asset))
    return TableEntry(
        parts=stored.ref.parts,
        columns={field.name: str(field.type) for field in stored.ref.schema},
        rows=stored.rows,
        fingerprint=stored.fingerprint,
    )


def _collection(instance: dg.DagsterInstance, stores: Stores) -> CollectionEntry:
    metadata = latest_metadata(instance, "message_embeddings")
    name = str(metadata["name"].value)
    return CollectionEntry(
        name=name,
        rows=stores.vectors.count(name),
        dim=int(str(metadata["dim"].value)),
        model=str(metadata["model"].value),
    )


def _answers(instance: dg.DagsterInstance, stores: Stores, asset: str) -> AnswersEntry:
    name = latest_name(instance, asset)
    return AnswersEntry(name=name, rows=stores.answers.count(name))


def _documents(instance: dg.DagsterInstance, stores: Stores) -> DocumentsEntry:
    sets = latest_sets(instance, ENRICHED_EVENTS)
    return DocumentsEntry(sets=sets, rows=sum(stores.enriched.count(name) for name in sets))


def _figures(instance: dg.DagsterInstance, settings: Settings) -> dict[str, float]:
    """What the measured checks judged; a figure that could not be measured is not there."""
    measures = load_suites(settings.expectations_dir).measures
    found = {one.name: latest_figure(instance, one.asset, one.figure) for one in measures}
    return {name: value for name, value in found.items() if value is not None}


def _admitted(instance: dg.DagsterInstance, stores: Stores) -> tuple[BatchEntry, ...]:
    """The batches the tables were made of; the ledger may have admitted others since."""
    columns = ", ".join(field for field in BatchEntry.model_fields)
    admitted = stores.warehouse.open(latest_name(instance, "admitted_batches")).ref
    select = Select(f"SELECT {columns} FROM admitted_batches ORDER BY sequence", [admitted])  # noqa: S608
    return tuple(BatchEntry.model_validate(row) for row in stores.warehouse.query(select).to_pylist())


def _held(batch: Batch) -> BatchEntry:
    return BatchEntry(
        batch_id=batch.batch_id,
        source=batch.source,
        object=batch.object,
        content_hash=batch.content_hash,
        rows_landed=batch.rows_landed,
        rows_valid=batch.rows_valid,
        rows_quarantined=batch.rows_quarantined,
        decision="held",
    )
