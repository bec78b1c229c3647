"""`marketing-platform rules …`: are the rules about recommendations right?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from marketing_platform.cli.options import settings_of
from marketing_platform.cli.output import JsonOption, emit_json, emit_problems, emit_table
from marketing_platform.errors import RuleError

app = typer.Typer(help="Rules about recommendations: check them.", no_args_is_help=True)

RulesDir = Annotated[
    Path | None,
    typer.Option(
        "--rules",
        help="Folder with recommendations.yaml.",
        envvar="MARKETING_RULES_DIR",
        exists=True,
        file_okay=False,
    ),
]


@app.callback()
def rules() -> None:
    """Rules about recommendations: check them."""


@app.command()
def validate(folder: RulesDir = None, as_json: JsonOption = False) -> None:
    """List the rules in the order in which they are looked at, or all that is wrong (exit code 1)."""
    from marketing_platform.recommenders.rules import Exclude, Kind, in_order, load_rules

    try:
        book = load_rules((folder or settings_of().rules_dir).resolve())
    except RuleError as error:
        _complain(str(error).splitlines(), as_json)
        raise typer.Exit(1) from None
    rows = [
        (kind, rule.label, isinstance(rule, Exclude) and rule.leaves_when_served)
        for kind in get_args(Kind)
        for rule in in_order(book.of(kind))
    ]
    if as_json:
        columns = ("kind", "rule", "looked_at_again_when_served")
        emit_json({"rules": [dict(zip(columns, row, strict=True)) for row in rows], "errors": []})
        return
    shown = [(kind, label, "again when served" if again else "") for kind, label, again in rows]
    emit_table(f"{len(rows)} rules", ["kind", "rule", ""], shown)


def _complain(errors: list[str], as_json: bool) -> None:
    if as_json:
        emit_json({"rules": [], "errors": errors})
        return
    emit_problems(errors)
