"""`marketing-platform sample`: write the sample data; its content belongs to `marketing_platform.sample`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marketing_platform.cli.output import JsonOption, console, emit_json, emit_table, progress_console
from marketing_platform.sample import write_sample

app = typer.Typer(help="Sample data of a made-up outdoor and home retailer.", no_args_is_help=True)


@app.callback()
def sample() -> None:
    """Sample data of a made-up outdoor and home retailer."""


@app.command()
def write(
    directory: Annotated[
        Path, typer.Argument(help="Folder to write to; files of the same names are replaced.")
    ],
    events: Annotated[int, typer.Option(min=1, help="Events in all; about a third are messages.")] = 8_000,
    users: Annotated[int, typer.Option(min=1, help="Users.")] = 400,
    seed: Annotated[int, typer.Option(min=0, help="Equal arguments give equal bytes.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Write users, campaigns, products, events, conversations, purchases, interests and ad spend."""
    with progress_console.status(f"Writing {events:,} events"):
        summary = write_sample(directory, users=users, events=events, seed=seed)
    if as_json:
        emit_json(summary.document())
        return
    emit_table(
        f"Sample in {directory}",
        ["file", "rows", "dirty"],
        [[file.path, file.rows, sum(file.dirty.values())] for file in summary.files],
    )
    emit_table("Planted errors", ["reason", "rows"], summary.dirty.items())
    console.print(
        f"{summary.users:,} users, {summary.events:,} events ({summary.messages:,} messages), "
        f"{summary.purchases:,} order lines, {summary.ad_spend:,} rows of ad spend"
    )
