"""`run`: what landed, through the graph, to a release."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import typer

from marketing_platform.cli.options import DataDir, InputDir, SourcesDir, settings_of
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_table, progress_console
from marketing_platform.cli.run_progress import showing
from marketing_platform.ingestion.replay import ReplayFrom
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.full_disk import telling_full_disk

if TYPE_CHECKING:
    from marketing_platform.defs.execution import Pipeline
    from marketing_platform.defs.progress import OnProgress

_SHOWN = 5  # names listed before "…"
_TOTALS = ("rows_landed", "rows_valid", "rows_quarantined", "users", "campaigns", "vectors", "edges")


def run(
    input_dir: InputDir = None,
    sources_dir: SourcesDir = None,
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """Take what landed, judge it, and publish a release of everything admitted.

    Landing the same bytes twice changes nothing. A batch that fails its gate is held and named;
    the others go on. When nothing changed, the release that serves stays.

    What goes on is shown on stderr, with the time that is left by what the steps took in the run
    before; under --json with one JSON object per step.

    Ends with one JSON object under --json: release_id, rows_landed, rows_valid,
    rows_quarantined, users, campaigns, vectors, edges, seconds. Exit code 1: a run failed (the
    release before goes on serving), or there is no release because no batch was admitted.
    """
    settings = settings_of(data_dir, input_dir, sources_dir)
    summary = run_pipeline(settings, quiet=json, lines=json)
    if json:
        emit_json(summary)
    else:
        show_summary(settings, summary)
    if summary["release_id"] is None:
        raise typer.Exit(1)


def run_pipeline(
    settings: Settings,
    *,
    quiet: bool,
    lines: bool = False,
    replay: str | None = None,
    source: ReplayFrom = ReplayFrom.OBJECT,
) -> dict[str, Any]:
    """Take, ingest and publish (with `replay` also judge that batch again); returns the figures.

    How far it is shows as a bar on a terminal, unless `quiet`; or as `lines` for machines.

    Raises RunFailed when batches could not be judged, after everything else was published, or when
    no release could be made; StoreFull when the disk under the embedded stores is.
    """
    from marketing_platform.defs.execution import RunFailed

    started = time.monotonic()
    full_disk = telling_full_disk(settings.data_dir) if settings.profile == "embedded" else nullcontext()
    with full_disk, showing(quiet, lines) as on_progress, _pipeline(settings, on_progress) as pipeline:
        taken = pipeline.take()
        _tell("no source declares", taken.unmatched)
        _tell("still being written; taken next time:", taken.unsettled)
        _tell("could not be taken:", taken.refused)
        waiting = [batch.batch_id for batch in pipeline.ledger.pending()]
        again = replay if source is ReplayFrom.RAW else None
        if replay is not None:
            waiting = [batch for batch in waiting if batch != replay]
            waiting += [replay] if again is None else []
        failure: RunFailed | None = None
        try:
            if waiting:
                pipeline.ingest(waiting)
            if again is not None:
                pipeline.replay(again)
        except RunFailed as error:
            failure = error
        pipeline.publish()
        if failure is not None:
            raise failure
    return figures(settings, seconds=time.monotonic() - started)


def _tell(what: str, names: Sequence[str]) -> None:
    """Say on stderr what was left in the landing zone, also under --json: nobody may miss it."""
    if names:
        shown = "; ".join(names[:_SHOWN]) + ("; …" if len(names) > _SHOWN else "")
        progress_console.print(f"{what} {shown} ({len(names)})", style="yellow", markup=False, soft_wrap=True)


def figures(settings: Settings, *, seconds: float) -> dict[str, Any]:
    """The release that serves and what is in it, plus what landed, as one flat object."""
    records = open_records(settings)
    shelf = records.shelf
    current = shelf.current()
    landed = records.ledger.current()
    nothing: dict[str, Any] = dict.fromkeys(_TOTALS, 0)
    totals = shelf.load(current).totals.model_dump() if current else nothing
    return {
        "release_id": current,
        **totals,
        "rows_landed": sum(batch.rows_landed for batch in landed),
        "rows_valid": sum(batch.rows_valid for batch in landed),
        "rows_quarantined": sum(batch.rows_quarantined for batch in landed),
        "seconds": round(seconds, 2),
    }


def show_summary(settings: Settings, summary: dict[str, Any]) -> None:
    """The figures for a person, and what is held."""
    release = summary["release_id"] or "none: no batch was admitted"
    console.print(f"[bold]release {release}[/] after {summary['seconds']} s")
    emit_table("", [name.removeprefix("rows_") for name in _TOTALS], [[summary[name] for name in _TOTALS]])
    for batch in open_records(settings).ledger.held():
        console.print(
            f"[red]held[/] {batch.batch_id}: {batch.share_valid:.1%} valid, failed {', '.join(batch.failed)};"
            f" `marketing-platform batches show {batch.batch_id}` says more"
        )


@contextmanager
def _pipeline(settings: Settings, on_progress: OnProgress) -> Generator[Pipeline]:
    from marketing_platform.defs.execution import Pipeline, open_instance

    with open_instance(settings) as instance:
        yield Pipeline(settings, instance, on_progress)
