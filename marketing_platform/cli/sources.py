"""`marketing-platform sources`: are the declarations right, and what does a file become?"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketing_platform.cli.options import SourcesDir, settings_of
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_problems, emit_table
from marketing_platform.errors import SourceError

if TYPE_CHECKING:
    from marketing_platform.sources import SourceSpec

app = typer.Typer(help="Declared sources: check them, try them on a file.", no_args_is_help=True)


@app.command()
def validate(sources: SourcesDir = None, as_json: JsonOption = False) -> None:
    """List the declared sources, or everything that is wrong with them (exit code 1)."""
    specs = _load(sources, as_json)
    if as_json:
        listed = [
            {"source": spec.name, "path": spec.path, "format": spec.format.type, "tables": list(spec.tables)}
            for spec in specs
        ]
        emit_json({"sources": listed, "errors": []})
        return
    rows = [(spec.name, "\n".join(spec.path), spec.format.type, ", ".join(spec.tables)) for spec in specs]
    emit_table(f"{len(rows)} sources", ["source", "path", "format", "tables"], rows)


@app.command()
def preview(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file as it would be landed.")],
    sources: SourcesDir = None,
    source: Annotated[str | None, typer.Option(help="Read it with this source, whatever its path.")] = None,
    rows: Annotated[int, typer.Option(min=1, max=1000, help="How many records to read.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Show which source reads a file, and the rows and problems of its first records."""
    from marketing_platform.sources import project, read_rows

    spec = _choose(_load(sources, as_json), file, source, as_json)
    with file.open("rb") as stream:
        chunks = read_rows(stream, spec, chunk_rows=rows, max_cell_bytes=settings_of().max_cell_bytes)
        raw = next(chunks, None)
    if raw is None:
        _show({"source": spec.name, "records": 0, "tables": {}, "problems": []}, as_json)
        return
    projection = project(raw, spec, f"{spec.name}@preview")
    tables = {name: _json_rows(table.to_pylist()) for name, table in projection.tables.items()}
    _show(
        {
            "source": spec.name,
            "records": raw.num_rows,
            "tables": tables,
            "problems": projection.problems.to_pylist(),
        },
        as_json,
    )


def _load(folder: Path | None, as_json: bool) -> tuple[SourceSpec, ...]:
    from marketing_platform.sources import load_sources

    try:
        return load_sources(settings_of(sources_dir=folder).sources_dir)
    except SourceError as error:
        raise _failure(str(error).splitlines(), as_json) from None


def _choose(specs: tuple[SourceSpec, ...], file: Path, name: str | None, as_json: bool) -> SourceSpec:
    from marketing_platform.sources import match_source

    if name is not None:
        for spec in specs:
            if spec.name == name:
                return spec
        raise _failure([f"no source {name!r}; there are: {', '.join(spec.name for spec in specs)}"], as_json)
    try:
        spec = match_source(specs, file.resolve().as_posix().lstrip("/"))
    except SourceError as error:
        raise _failure([str(error)], as_json) from None
    if spec is None:
        raise _failure([f"{file}: no source matches; declare one or name one with --source"], as_json)
    return spec


def _failure(errors: list[str], as_json: bool) -> typer.Exit:
    if as_json:
        emit_json({"sources": [], "errors": errors})
    else:
        emit_problems(errors)
    return typer.Exit(1)


def _json_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows with decimals as exact text, which JSON has no type for."""
    return [
        {name: str(value) if isinstance(value, Decimal) else value for name, value in row.items()}
        for row in rows
    ]


def _show(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit_json(document)
        return
    console.print(f"source {document['source']}, {document['records']} records read")
    for name, rows in document["tables"].items():
        filled = (
            [column for column in rows[0] if any(row[column] is not None for row in rows)] if rows else []
        )
        emit_table(name, filled, [[row[column] for column in filled] for row in rows])
    if document["problems"]:
        columns = ["row_ordinal", "table", "column", "reason", "value"]
        emit_table("problems", columns, [[row[c] for c in columns] for row in document["problems"]])
