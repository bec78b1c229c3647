"""`releases`: what serves, what served, what changed between two, going back, tidying up."""

from __future__ import annotations

from typing import Annotated

import typer

from marketing_platform.cli.options import DataDir, settings_of, who
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_table
from marketing_platform.errors import UnknownRelease
from marketing_platform.releases.diff import diff_releases
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.records import open_records

app = typer.Typer(no_args_is_help=True)
ReleaseId = Annotated[str, typer.Argument(help="A release's id, `current` or `previous`.")]


@app.command("list")
def list_releases(data_dir: DataDir = None, json: JsonOption = False) -> None:
    """Every release, newest first."""
    shelf = _shelf(data_dir)
    current, pins = shelf.current(), shelf.pins()
    found = shelf.list()
    if json:
        emit_json(
            [
                {
                    "release_id": manifest.release_id,
                    "created_at": manifest.created_at,
                    "current": manifest.release_id == current,
                    "pinned": manifest.release_id in pins,
                    "batches": len(manifest.batches),
                    "held": len(manifest.held),
                    **manifest.totals.model_dump(),
                }
                for manifest in found
            ]
        )
        return
    emit_table(
        "releases",
        [
            "",
            "release",
            "created (UTC)",
            "batches",
            "held",
            "valid rows",
            "users",
            "campaigns",
            "vectors",
            "edges",
        ],
        [
            (
                ("serves" if manifest.release_id == current else "")
                + (" pinned" if manifest.release_id in pins else ""),
                manifest.release_id,
                f"{manifest.created_at:%Y-%m-%d %H:%M:%S}",
                len(manifest.batches),
                len(manifest.held),
                manifest.totals.rows_valid,
                manifest.totals.users,
                manifest.totals.campaigns,
                manifest.totals.vectors,
                manifest.totals.edges,
            )
            for manifest in found
        ],
    )


@app.command()
def show(release_id: ReleaseId = "current", data_dir: DataDir = None, json: JsonOption = False) -> None:
    """What one release consists of: batches, tables, checks."""
    shelf = _shelf(data_dir)
    manifest = shelf.load(_resolve(shelf, release_id))
    if json:
        emit_json(manifest.model_dump(mode="json"))
        return
    console.print(
        f"[bold]{manifest.release_id}[/] of {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC,"
        f" run {manifest.run_id}"
    )
    emit_table(
        "tables",
        ["table", "rows", "parts", "fingerprint"],
        [(name, entry.rows, len(entry.parts), entry.fingerprint) for name, entry in manifest.tables.items()],
    )
    emit_table(
        "batches",
        ["batch", "decision", "landed", "valid", "quarantined"],
        [
            (batch.batch_id, batch.decision, batch.rows_landed, batch.rows_valid, batch.rows_quarantined)
            for batch in (*manifest.batches, *manifest.held)
        ],
    )
    emit_table(
        "checks", ["asset", "check", "passed"], [(c.asset, c.check, str(c.passed)) for c in manifest.checks]
    )


@app.command()
def diff(
    old: ReleaseId = "previous",
    new: ReleaseId = "current",
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """What changed from one release to another: batches, rows, contents of tables."""
    shelf = _shelf(data_dir)
    changes = diff_releases(shelf.load(_resolve(shelf, old)), shelf.load(_resolve(shelf, new)))
    if json:
        emit_json(changes)
        return
    console.print(f"from [bold]{changes['old']}[/] to [bold]{changes['new']}[/]")
    for batch in changes["batches_added"]:
        console.print(f"[green]+[/] {batch}")
    for batch in changes["batches_removed"]:
        console.print(f"[red]-[/] {batch}")
    emit_table(
        "tables",
        ["table", "rows before", "rows after", "content"],
        [
            (name, change["rows_old"], change["rows_new"], "changed" if change["changed"] else "same")
            for name, change in changes["tables"].items()
        ],
    )


@app.command()
def rollback(
    release_id: ReleaseId = "previous",
    why: Annotated[
        str, typer.Option("--why", help="The reason, kept in the history.")
    ] = "rolled back by hand",
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """Let an earlier release serve again; the API follows within a second."""
    shelf = _shelf(data_dir)
    current = shelf.current()
    move = shelf.move(_resolve(shelf, release_id), expected=current, why=why, who=who())
    if json:
        emit_json(move.model_dump(mode="json"))
    else:
        console.print(f"release [bold]{move.to}[/] serves now, instead of {move.previous}")


@app.command()
def collect(
    keep: Annotated[int | None, typer.Option("--keep", min=1, help="Newest releases to keep.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """Delete releases nobody needs, never one that is current, pinned, or one step back."""
    from marketing_platform.defs.execution import open_instance
    from marketing_platform.defs.housekeeping import collect_unneeded
    from marketing_platform.stores.registry import open_stores

    settings = settings_of(data_dir)
    records = open_records(settings)
    with records.writer.held(), open_instance(settings) as instance:
        collected = collect_unneeded(
            instance,
            open_stores(settings),
            records.ledger,
            records.shelf,
            keep=keep or settings.keep_releases,
            dry_run=dry_run,
        )
    if json:
        emit_json({"releases": collected.releases, "names": [list(name) for name in collected.names]})
        return
    verb = "would go" if dry_run else "went"
    console.print(f"{len(collected.releases)} release(s) and {len(collected.names)} stored name(s) {verb}")
    for release in collected.releases:
        console.print(f"  {release}")


@app.command()
def pin(
    release_id: ReleaseId,
    why: Annotated[str, typer.Option("--why", help="The reason.")] = "pinned by hand",
    data_dir: DataDir = None,
) -> None:
    """Keep a release from being collected."""
    shelf = _shelf(data_dir)
    shelf.pin(_resolve(shelf, release_id), why=why, who=who())


@app.command()
def unpin(release_id: ReleaseId, data_dir: DataDir = None) -> None:
    """Let a pinned release be collected again."""
    shelf = _shelf(data_dir)
    shelf.unpin(_resolve(shelf, release_id))


def _shelf(data_dir: object) -> ReleaseShelf:
    from pathlib import Path

    return open_records(settings_of(data_dir if isinstance(data_dir, Path) else None)).shelf


def _resolve(shelf: ReleaseShelf, release_id: str) -> str:
    """`current` and `previous` by their ids: previous is what the current one followed."""
    if release_id not in {"current", "previous"}:
        return release_id
    current = shelf.current()
    if current is None:
        raise UnknownRelease("nothing was released yet; `marketing-platform run` makes a release")
    if release_id == "current":
        return current
    previous = shelf.load(current).previous
    if previous is None:
        raise UnknownRelease(f"{current} is the first release; there is nothing to go back to")
    return previous
