"""`documents`: events of the release that serves, as the documents that people open."""

from __future__ import annotations

from typing import Annotated

import typer

from marketing_platform.analytics.enrichment import ENRICHED_EVENTS
from marketing_platform.cli.options import DataDir, settings_of
from marketing_platform.cli.output import JsonOption, emit_json, emit_table
from marketing_platform.errors import UnknownRelease
from marketing_platform.releases.records import open_records

_SHOWN = ("event_type", "user_id", "campaign_name", "channel", "message")


def documents(
    user: Annotated[str | None, typer.Option("--user", help="Only of this user.")] = None,
    campaign: Annotated[
        str | None, typer.Option("--campaign", help="Only of this campaign, by its id.")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, max=10_000, help="Documents shown.")] = 10,
    data_dir: DataDir = None,
    json: JsonOption = False,
) -> None:
    """The newest events with what is known of their campaigns; --json shows whole documents."""
    from marketing_platform.stores.registry import open_stores

    settings = settings_of(data_dir)
    shelf = open_records(settings).shelf
    current = shelf.current()
    entry = shelf.load(current).documents.get(ENRICHED_EVENTS) if current is not None else None
    if entry is None:
        raise UnknownRelease("no release with documents serves; `marketing-platform run` makes one")
    found = open_stores(settings).enriched.read(entry.sets, user_id=user, campaign_id=campaign, limit=rows)
    if json:
        emit_json(found)
    else:
        emit_table(
            f"events of {current}",
            ["at (UTC)", *_SHOWN],
            [
                (f"{document['timestamp']:%Y-%m-%d %H:%M}", *(document.get(column) for column in _SHOWN))
                for document in found
            ],
        )
