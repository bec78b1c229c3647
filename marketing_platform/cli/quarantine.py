"""`quarantine`: refused records, with their reasons and raw content."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from marketing_platform.cli.batches import BatchId
from marketing_platform.cli.options import DataDir, SourcesDir, settings_of, who
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_table
from marketing_platform.ingestion.replay import ReplayFrom, replay_from
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.command()
def show(
    batch_id: Annotated[str | None, typer.Argument(help="A batch; all of them unless given.")] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, max=10_000, help="Records shown per batch.")] = 10,
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """Refused records: where they stood in the file, why they were refused, what they said."""
    settings = settings_of(data_dir)
    ledger = open_records(settings).ledger
    found = [ledger.batch(batch_id)] if batch_id else [b for b in ledger.batches() if b.rows_quarantined]
    records = [record for batch in found for record in _records(settings, batch.batch_id, limit=rows)]
    if json:
        emit_json(records)
        return
    emit_table(
        f"quarantine ({sum(batch.rows_quarantined for batch in found):,} records)",
        ["batch", "row", "reasons", "record"],
        [
            (
                record["batch_id"],
                record["ordinal"],
                "; ".join(record["reasons"]),
                orjson.dumps(record["document"]).decode(),
            )
            for record in records
        ],
    )


@app.command()
def export(
    batch_id: BatchId,
    to: Annotated[Path, typer.Option("--to", help="NDJSON file to write.", dir_okay=False)],
    data_dir: DataDir = None,
) -> None:
    """Write the refused records of a batch as NDJSON: to mend them, or to hand them back."""
    settings = settings_of(data_dir)
    batch = open_records(settings).ledger.batch(batch_id)
    written = 0
    try:
        with to.open("wb") as target:
            for record in _records(settings, batch.batch_id, limit=None):
                target.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
                written += 1
    except OSError as error:
        raise typer.BadParameter(f"{to}: {error.strerror}", param_hint="--to") from None
    console.print(f"{written:,} records written to {to}")


@app.command()
def replay(
    batch_id: BatchId,
    source: Annotated[
        ReplayFrom | None,
        typer.Option(
            "--from",
            help="The kept object, or the raw records where a changed format does not matter;"
            " unless given, raw where the object is gone.",
        ),
    ] = None,
    sources_dir: SourcesDir = None,
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """Read and judge a batch again with today's sources and expectations, and publish what follows."""
    from marketing_platform.cli.run import run_pipeline, show_summary
    from marketing_platform.stores.registry import open_stores

    settings = settings_of(data_dir, None, sources_dir)
    ledger = open_records(settings).ledger
    stores = open_stores(settings)
    found = replay_from(ledger.batch(batch_id), stores.objects, stores.documents, asked=source)
    batch = ledger.note_replay(batch_id, who=who(), now=datetime.now(UTC))
    summary = run_pipeline(settings, quiet=json, replay=batch.batch_id, source=found)
    if json:
        emit_json(summary)
    else:
        show_summary(settings, summary)


def _records(settings: Settings, batch_id: str, *, limit: int | None) -> Iterator[dict[str, Any]]:
    from marketing_platform.stores.registry import open_stores

    for chunk in open_stores(settings).documents.read_quarantine(batch_id, limit=limit):
        for row in chunk.to_pylist():
            yield {
                "batch_id": batch_id,
                "ordinal": row["ordinal"],
                "reasons": orjson.loads(row["reasons"]),
                "document": orjson.loads(row["document"]),
            }
