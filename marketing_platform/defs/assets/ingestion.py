"""Batches: from landed bytes to raw records, valid rows and quarantine, each judged by its gate."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg
import orjson
import pyarrow as pa

from marketing_platform.compute import Compute
from marketing_platform.defs.io_managers import RawBatches
from marketing_platform.defs.metadata import bars, markdown_table
from marketing_platform.defs.partitions import BATCHES
from marketing_platform.defs.pools import stored_in
from marketing_platform.errors import SourceError
from marketing_platform.gates import Suites, load_suites
from marketing_platform.ingestion.validation import Validated, validate
from marketing_platform.releases.ledger import Batch, Ledger, State
from marketing_platform.releases.notices import Notices
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.writer import LockSession
from marketing_platform.settings import Settings
from marketing_platform.sources import SourceSpec, load_sources, read_rows
from marketing_platform.stores.protocols import Documents
from marketing_platform.stores.registry import Stores

GROUP = "ingestion"
NO_RELEASE = "(none)"
_SAMPLED_BATCHES = 3
_SAMPLE_ROWS = 5
_WHAT_TO_DO = (
    "Land a mended version of the object; or mend the source declaration and replay the batch"
    " (marketing-platform quarantine replay BATCH); or take it as it is"
    " (marketing-platform batches accept BATCH --why TEXT)."
)
_RETRY = dg.RetryPolicy(max_retries=2, delay=1, backoff=dg.Backoff.EXPONENTIAL)


@dg.asset(
    group_name=GROUP,
    partitions_def=BATCHES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    **stored_in("documents"),
    kinds={"sqlite"},
    owners=["team:data-platform"],
    tags={"layer": "raw"},
    retry_policy=_RETRY,
)
def raw_records(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    stores: dg.ResourceParam[Stores],
    ledger: dg.ResourceParam[Ledger],
    writer: dg.ResourceParam[object],
) -> RawBatches:
    """Every landed record as it came, read as text, with its batch, ordinal and time of ingestion."""
    specs = {spec.source: spec for spec in load_sources(settings.sources_dir)}

    def reader(batch: Batch) -> Callable[[], Iterator[pa.Table]]:
        spec = _source_of(batch, specs)

        def read() -> Iterator[pa.Table]:
            with stores.objects.open(batch.content_hash) as content:
                yield from read_rows(
                    content, spec, chunk_rows=settings.chunk_rows, max_cell_bytes=settings.max_cell_bytes
                )

        return read

    return RawBatches({batch_id: reader(ledger.batch(batch_id)) for batch_id in context.partition_keys})


def batch_gate(suites: Suites) -> dg.AssetsDefinition:
    """`validated_records` and `quarantined_records`, with one check per rule of `batches.json`.

    The checks do not stop the run: the gate of a batch is admission, and a held batch keeps
    nothing but itself out of the release.
    """

    @dg.multi_asset(
        name="validate_batches",
        group_name=GROUP,
        partitions_def=BATCHES,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="warehouse",
        ins={"raw_records": dg.AssetIn(input_manager_key="documents_io")},
        outs={
            "validated_records": dg.AssetOut(
                dagster_type=dg.Nothing,
                description="Typed rows that broke no rule, one part per batch and table.",
                kinds={"duckdb", "parquet", "greatexpectations"},
                owners=["team:data-platform"],
                tags={"layer": "validated"},
            ),
            "quarantined_records": dg.AssetOut(
                dagster_type=dg.Nothing,
                description="Records that could not be typed or broke a row rule, with every reason.",
                kinds={"sqlite"},
                owners=["team:data-platform"],
                tags={"layer": "quarantine"},
            ),
        },
        check_specs=[
            dg.AssetCheckSpec(
                rule.rule,
                asset="validated_records",
                description=f"{rule.description} A batch that breaks this rule is held, the others go on.",
            )
            for rule in suites.batch_rules()
        ],
        retry_policy=_RETRY,
    )
    def validate_batches(
        context: dg.AssetExecutionContext,
        raw_records: RawBatches,
        settings: dg.ResourceParam[Settings],
        stores: dg.ResourceParam[Stores],
        ledger: dg.ResourceParam[Ledger],
        notices: dg.ResourceParam[Notices],
        writer: dg.ResourceParam[LockSession],
        compute: dg.ResourceParam[Compute],
    ):
        specs = {spec.source: spec for spec in load_sources(settings.sources_dir)}
        current = load_suites(settings.expectations_dir)
        for batch_id, read in raw_records.readers.items():
            batch = ledger.batch(batch_id)
            validated = validate(
                batch_id,
                read(),
                _source_of(batch, specs),
                current,
                warehouse=stores.warehouse,
                documents=stores.documents,
                version=context.run_id[:8],
                landed_at=batch.landed_at,
                sifting=compute.sift,
            )
            writer.confirm()  # else the parts may have been collected meanwhile
            state = ledger.judge(batch_id, validated.outcome, now=datetime.now(UTC))
            _describe(context, batch_id, validated)
            context.log.info(f"{batch_id}: {state.value}")
            if state is State.HELD:
                notices.add(_held_notice(ledger.batch(batch_id)), batch=batch_id)
        yield dg.Output(None, output_name="validated_records")
        yield dg.Output(None, output_name="quarantined_records")
        yield from _verdicts(current, ledger.held(), stores.documents)

    return validate_batches


@dg.asset(
    group_name=GROUP,
    deps=["validated_records"],
    **stored_in("warehouse"),
    kinds={"duckdb", "parquet"},
    owners=["team:data-platform"],
    tags={"layer": "validated"},
)
def admitted_batches(
    context: dg.AssetExecutionContext,
    ledger: dg.ResourceParam[Ledger],
    shelf: dg.ResourceParam[ReleaseShelf],
    writer: dg.ResourceParam[object],
) -> pa.Table:
    """For each landed object its newest admitted batch: exactly what the next release is made of."""
    admitted, held = ledger.admitted(), ledger.held()
    context.add_output_metadata(
        {
            "base_release": shelf.current() or NO_RELEASE,
            "held": len(held),
            "held_batches": markdown_table(
                ["batch", "failed", "valid"],
                [(b.batch_id, ", ".join(b.failed), f"{b.share_valid:.1%}") for b in held],
            ),
        }
    )
    return pa.table(
        {
            "batch_id": pa.array([batch.batch_id for batch in admitted], pa.string()),
            "sequence": pa.array([batch.sequence for batch in admitted], pa.int64()),
            "source": pa.array([batch.source for batch in admitted], pa.string()),
            "object": pa.array([batch.object for batch in admitted], pa.string()),
            "content_hash": pa.array([batch.content_hash for batch in admitted], pa.string()),
            "landed_at": pa.array([batch.landed_at for batch in admitted], pa.timestamp("us", tz="UTC")),
            "decision": pa.array([batch.state.value for batch in admitted], pa.string()),
            "why": pa.array([batch.why for batch in admitted], pa.string()),
            "rows_landed": pa.array([batch.rows_landed for batch in admitted], pa.int64()),
            "rows_valid": pa.array([batch.rows_valid for batch in admitted], pa.int64()),
            "rows_quarantined": pa.array([batch.rows_quarantined for batch in admitted], pa.int64()),
            "parts": pa.array(
                [list(batch.parts.items()) for batch in admitted], pa.map_(pa.string(), pa.string())
            ),
        }
    )


def _source_of(batch: Batch, specs: dict[str, SourceSpec]) -> SourceSpec:
    try:
        return specs[batch.source]
    except KeyError:
        raise SourceError(
            f"batch {batch.batch_id} was landed by the source {batch.source!r}, which is no longer declared;"
            " put its YAML file back"
        ) from None


def _held_notice(batch: Batch) -> str:
    return (
        f"batch {batch.batch_id} is held, {batch.share_valid:.1%} of its rows are valid: it is in no release"
        f" until it is replaced, replayed or accepted on purpose; failed {', '.join(batch.failed)}"
    )


def _describe(context: dg.AssetExecutionContext, batch_id: str, validated: Validated) -> None:
    outcome = validated.outcome
    context.add_asset_metadata(
        {
            "dagster/partition_row_count": outcome.rows_valid,
            "rows_landed": outcome.rows_landed,
            "share_valid": outcome.rows_valid / outcome.rows_landed if outcome.rows_landed else 1.0,
            "tables": dg.MetadataValue.json(dict(outcome.parts)),
        },
        asset_key="validated_records",
        partition_key=batch_id,
    )
    reasons: dict[str, dg.MetadataValue] = {}
    if outcome.reasons:
        reasons["reasons"] = bars(
            "Rows in quarantine by reason", list(outcome.reasons), list(outcome.reasons.values())
        )
        reasons["samples"] = dg.MetadataValue.json(list(validated.samples))
    context.add_asset_metadata(
        {"dagster/partition_row_count": outcome.rows_quarantined, **reasons},
        asset_key="quarantined_records",
        partition_key=batch_id,
    )


def _verdicts(suites: Suites, held: Sequence[Batch], documents: Documents) -> Iterator[dg.AssetCheckResult]:
    """One result per rule: it fails as long as any batch is held for it, in this run or before.

    Everything a person needs is text, which the UI shows without a click, in order of its keys.
    """
    for rule in suites.batch_rules():
        failing = [batch for batch in held if rule.rule in batch.failed]
        metadata: dict[str, dg.MetadataValue] = {"held_batches": dg.MetadataValue.int(len(failing))}
        for batch in failing:
            metadata[f"batch {batch.batch_id}"] = dg.MetadataValue.text(_why_held(batch))
        for batch in failing[:_SAMPLED_BATCHES]:
            for number, row in enumerate(_samples(batch, documents), start=1):
                metadata[f"sample of {batch.object} {number}"] = dg.MetadataValue.text(row)
        if failing:
            metadata["what to do"] = dg.MetadataValue.text(_WHAT_TO_DO)
        yield dg.AssetCheckResult(
            check_name=rule.rule,
            asset_key="validated_records",
            passed=not failing,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{len(failing)} batch(es) held: {rule.reason}" if failing else rule.description,
            metadata=metadata,
        )


def _why_held(batch: Batch) -> str:
    reasons = ", ".join(f"{reason} ({rows:,})" for reason, rows in batch.reasons.items())
    return f"{batch.share_valid:.1%} of {batch.rows_landed:,} rows are valid; in quarantine for: {reasons}"


def _samples(batch: Batch, documents: Documents) -> Iterator[str]:
    """The first quarantined rows of a batch: where each stood, why it is refused, its content."""
    for chunk in documents.read_quarantine(batch.batch_id, limit=_SAMPLE_ROWS):
        for row in chunk.to_pylist():
            reasons = ", ".join(orjson.loads(row["reasons"]))
            yield f"row {row['ordinal']:,}: {reasons}: {row['document']}"
