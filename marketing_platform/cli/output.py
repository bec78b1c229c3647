"""How commands speak: rich tables and progress for people, one JSON document for machines."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
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
    """Print rows as a table; numbers stand right, nothing shows as an empty cell."""
    table = Table(title=title, title_justify="left", header_style="bold")
    body = [["" if cell is None else cell for cell in row] for row in rows]
    for position, column in enumerate(columns):
        numeric = bool(body) and all(isinstance(row[position], int | float) for row in body)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in body:
        table.add_row(
            *(
                f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)
                for cell in row
            )
        )
    console.print(table)
