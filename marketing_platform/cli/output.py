"""How commands speak: rich tables and progress for people, one JSON document for machines."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import orjson
import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines instead.")]

# People read on stderr what goes on, and on stdout what came of it.
console = Console()
progress_console = Console(stderr=True)


def emit_json(document: Any) -> None:
    """Print `document` as one line of JSON."""
    sys.stdout.buffer.write(
        orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY)
    )
    sys.stdout.flush()


def emit_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows as a table; numbers stand right and are rounded, nothing shows as an empty cell."""
    table = Table(title=title or None, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD)
    body = [list(row) for row in rows]
    for position, column in enumerate(columns):
        numeric = bool(body) and all(_is_number(row[position]) for row in body)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in body:
        table.add_row(*(_cell(cell) for cell in row))
    console.print(table)


def emit_problems(problems: Iterable[str]) -> None:
    """Print what is wrong, a line each, word for word."""
    for problem in problems:
        console.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)


def _is_number(cell: Any) -> bool:
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))


def _cell(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:,.4g}" if abs(cell) < 1000 else f"{cell:,.0f}"  # noqa: PLR2004 -- four digits say enough
    return escape(str(cell))
