"""`batches`: what landed, what became of it, and taking a held batch on purpose."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from marketing_platform.cli.options import DataDir, settings_of, who
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_table, progress_console
from marketing_platform.releases.ledger import Batch, Ledger
from marketing_platform.releases.records import open_records

app = typer.Typer(no_args_is_help=False)
BatchId = Annotated[str, typer.Argument(help="The batch's id, or the 12 digits after its @.")]


@app.callback(invoke_without_command=True)
def batches(context: typer.Context, data_dir: DataDir = None, json: JsonOption = False) -> None:
    """List every batch: one version of one landed object."""
    if context.invoked_subcommand is not None:
        return
    ledger = _ledger(data_dir)
    found = ledger.batches()
    if json:
        emit_json([as_dict(batch) for batch in found])
        return
    emit_table(
        "batches",
        ["batch", "source", "state", "landed", "valid", "quarantined", "share", "failed"],
        [
            (
                batch.batch_id,
                batch.source,
                batch.state.value,
                batch.rows_landed,
                batch.rows_valid,
                batch.rows_quarantined,
                f"{batch.share_valid:.1%}",
                ", ".join(batch.failed),
            )
            for batch in found
        ],
    )


@app.command()
def show(batch_id: BatchId, data_dir: DataDir = None, json: JsonOption = False) -> None:
    """One batch: why rows were refused, and its audit trail."""
    ledger = _ledger(data_dir)
    batch = ledger.batch(batch_id)
    history = ledger.history(batch.batch_id)
    if json:
        events = [
            {
                "at": event.at,
                "action": event.action,
                "who": event.who,
                "why": event.why,
                "details": event.details,
            }
            for event in history
        ]
        emit_json({**as_dict(batch), "history": events})
        return
    console.print(f"[bold]{batch.batch_id}[/] from {batch.object} ({batch.source}): {batch.state.value}")
    emit_table("refused rows by reason", ["reason", "rows"], batch.reasons.items())
    emit_table(
        "audit trail",
        ["at", "action", "who", "why"],
        [(f"{event.at:%Y-%m-%d %H:%M:%S}", event.action, event.who, event.why) for event in history],
    )


@app.command()
def accept(
    batch_id: BatchId,
    why: Annotated[str, typer.Option("--why", help="The reason, kept in the audit trail.")],
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """Take a held batch as it is and publish a release with its valid rows."""
    from marketing_platform.cli.run import run_pipeline, show_summary

    if not why.strip():
        raise typer.BadParameter("say why in a few words; it is kept in the audit trail", param_hint="--why")
    settings = settings_of(data_dir)
    # Not while a run is under way: its release would name a batch whose rows it does not have.
    records = open_records(settings)
    with records.writer.held(on_wait=progress_console.print):
        records.ledger.accept(batch_id, why=why, who=who(), now=datetime.now(UTC))
    summary = run_pipeline(settings, quiet=json)
    if json:
        emit_json(summary)
    else:
        show_summary(settings, summary)


def as_dict(batch: Batch) -> dict[str, Any]:
    """A batch as commands print it under --json."""
    return {
        "batch_id": batch.batch_id,
        "source": batch.source,
        "object": batch.object,
        "state": batch.state.value,
        "landed_at": batch.landed_at,
        "content_hash": batch.content_hash,
        "rows_landed": batch.rows_landed,
        "rows_valid": batch.rows_valid,
        "rows_quarantined": batch.rows_quarantined,
        "reasons": dict(batch.reasons),
        "failed": list(batch.failed),
        "why": batch.why,
    }


def _ledger(data_dir: Any) -> Ledger:
    return open_records(settings_of(data_dir)).ledger
