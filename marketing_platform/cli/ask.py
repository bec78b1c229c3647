"""`marketing-platform ask "…"`: a question about KPIs to the release that serves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from marketing_platform.cli.options import DataDir, settings_of
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_table
from marketing_platform.errors import InputError, UnknownRelease
from marketing_platform.releases.records import open_records

if TYPE_CHECKING:
    from marketing_platform.analytics.questions import Asked, Intent


def ask(
    question: Annotated[str, typer.Argument(help="In plain English, such as “CAC by country last month”.")],
    context: Annotated[
        Path | None,
        typer.Option(
            help="Where the question before is remembered, for “and on mobile?”; written anew each time.",
            dir_okay=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question, or say why not and what could be asked instead (exit code 1)."""
    from marketing_platform.analytics.kpis import load_registry
    from marketing_platform.analytics.kpis.reading import asking
    from marketing_platform.analytics.questions import ask as put
    from marketing_platform.analytics.questions import known_facts
    from marketing_platform.analytics.questions.models import configured_model
    from marketing_platform.stores.registry import open_stores

    settings = settings_of(data_dir)
    shelf = open_records(settings).shelf
    current = shelf.current()
    if current is None:
        raise UnknownRelease("no release is there to be asked; `marketing-platform run` makes one")
    registry = load_registry(settings.kpis_dir)
    run = asking(shelf.load(current), open_stores(settings).warehouse)
    asked = put(
        registry,
        known_facts(registry, run),
        question,
        run,
        context=_remembered(context),
        model=configured_model(),
    )
    if context is not None and asked.intent is not None:
        context.write_text(asked.intent.model_dump_json(indent=2), encoding="utf-8")
    if as_json:
        emit_json({"release_id": current, **asked.document()})
    else:
        _show(asked)
    if asked.declined is not None:
        raise typer.Exit(1)


def _remembered(path: Path | None) -> Intent | None:
    from marketing_platform.analytics.questions import Intent

    if path is None or not path.exists():
        return None
    try:
        return Intent.model_validate_json(path.read_bytes())
    except (ValidationError, OSError):
        raise InputError(f"{path}: no question that was asked before; remove it") from None


def _show(asked: Asked) -> None:
    def say(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    if asked.declined is not None:
        say(f"Declined: {asked.declined.reason}", "red")
        for suggestion in asked.declined.suggestions:
            say(f"  {suggestion}")
        return
    say(asked.sentence, "bold")
    say(asked.interpretation, "dim")
    for note in asked.notes:
        say(note, "dim")
    if asked.intent is not None and (asked.intent.by or asked.intent.why):
        columns: list[str] = list(dict.fromkeys(name for row in asked.rows for name in row))
        rows: list[list[Any]] = [[row.get(name) for name in columns] for row in asked.rows]
        emit_table("", columns, rows)
