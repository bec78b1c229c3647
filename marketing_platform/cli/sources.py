"""`marketing-platform sources`: are the declarations right, and what does a file become?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import typer

from marketing_platform.cli.output import JsonOption, console, emit_json, emit_table
from marketing_platform.errors import SourceError
from marketing_platform.settings import load_settings
from marketing_platform.sources import SourceSpec, load_sources, match_source, project, read_rows

app = typer.Typer(
    help="Declared sources: which files are read, and what becomes of them.", no_args_is_help=True
)

SourcesOption = Annotated[
    Path | None,
    typer.Option("--sources", metavar="DIR", help="Folder of declarations; the settings' unless given."),
]


@app.command()
def validate(sources: SourcesOption = None, as_json: JsonOption = False) -> None:
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
    sources: SourcesOption = None,
    source: Annotated[
        str | None, typer.Option(help="Read it with this source, whatever its path says.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, max=1000, help="How many records to read.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Show which source reads a file, and the rows and problems of its first records."""
    spec = _choose(_load(sources, as_json), file, source, as_json)
    with file.open("rb") as stream:
        chunks = read_rows(stream, spec, chunk_rows=rows, max_cell_bytes=load_settings().max_cell_bytes)
        raw = next(chunks, None)
    if raw is None:
        _show({"source": spec.name, "records": 0, "tables": {}, "problems": []}, as_json)
        return
    projection = project(raw, spec, f"{spec.name}@preview")
    tables = {name: _json_rows(table) for name, table in projection.tables.items()}
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
    try:
        return load_sources(folder or load_settings().sources_dir)
    except SourceError as error:
        raise _failure(str(error).splitlines(), as_json) from None


def _choose(specs: tuple[SourceSpec, ...], file: Path, name: str | None, as_json: bool) -> SourceSpec:
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
        for error in errors:
            console.print(error, style="red", markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(1)


def _json_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows with decimals as exact text; dates and moments are JSON's business."""
    plain = [
        column.cast(pa.string()) if pa.types.is_decimal(column.type) else column for column in table.columns
    ]
    return pa.table(plain, names=table.column_names).to_pylist()


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
