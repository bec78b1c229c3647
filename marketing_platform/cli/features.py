"""`marketing-platform features …`: what is declared, is it right, and training sets of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketing_platform.cli.options import DataDir, settings_of
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_problems, emit_table
from marketing_platform.errors import FeatureError, InputError, UnknownRelease

if TYPE_CHECKING:
    from marketing_platform.features.spec import Entity, Feature, Features

app = typer.Typer(no_args_is_help=True)

FeaturesDir = Annotated[
    Path | None,
    typer.Option(
        "--features-dir",
        help="Folder with users.yaml, campaigns.yaml and products.yaml.",
        envvar="MARKETING_FEATURES_DIR",
        exists=True,
        file_okay=False,
    ),
]
EntityOption = Annotated[str, typer.Option("--entity", help="user, campaign or product.")]


@app.callback()
def features() -> None:
    """Features of users, campaigns and products: list, check, training sets."""


@app.command("list")
def list_features(
    entity: Annotated[
        str | None, typer.Option("--entity", help="Only of a user, campaign or product.")
    ] = None,
    folder: FeaturesDir = None,
    as_json: JsonOption = False,
) -> None:
    """Every feature: its type and unit, what it is made of."""
    declared = _declared(folder)
    wanted: list[Entity] = [_known(entity)] if entity is not None else list(declared)
    rows = [_described(kind, one) for kind in wanted for one in declared[kind].declared]
    if as_json:
        emit_json({"features": rows})
        return
    emit_table(
        f"{len(rows)} features",
        ["entity", "feature", "type", "unit", "description"],
        [(row["entity"], row["name"], row["type"], row["unit"], _said(row)) for row in rows],
    )


@app.command()
def validate(folder: FeaturesDir = None, as_json: JsonOption = False) -> None:
    """Say how many features are declared, or all that is wrong (exit code 1)."""
    errors: list[str] = []
    counts: dict[str, int] = {}
    try:
        counts = {entity: len(found.declared) for entity, found in _declared(folder).items()}
    except FeatureError as error:
        errors = str(error).splitlines()
    if as_json:
        emit_json({"features": counts, "errors": errors})
    elif counts:
        emit_table("features", ["entity", "features"], counts.items())
    emit_problems([] if as_json else errors)
    if errors:
        raise typer.Exit(1)


@app.command("training-set")
def training_set(
    entity: EntityOption,
    at: Annotated[
        Path,
        typer.Option("--at", help="CSV with user_id, campaign_id or product_id, and at (ISO 8601, UTC)."),
    ],
    output: Annotated[Path, typer.Option("--output", help="The Parquet file to write.")],
    only: Annotated[
        str | None, typer.Option("--features", help="Names parted by commas; all features if left out.")
    ] = None,
    folder: FeaturesDir = None,
    data_dir: DataDir = None,
    as_json: JsonOption = False,
) -> None:
    """Values of features at moments of the past, from the release that serves.

    Only what happened before the moment of a row counts. Other columns of the file, such as a label, are
    kept.
    """
    from marketing_platform.features.asking import ask_release
    from marketing_platform.features.files import read_pairs, write_training_set
    from marketing_platform.features.training import training_set as made
    from marketing_platform.releases.records import open_records
    from marketing_platform.stores.registry import open_stores

    declared = _declared(folder)[_known(entity)]
    names = [name.strip() for name in only.split(",")] if only is not None else None
    wanted = declared.only(names)
    pairs = read_pairs(at, declared)
    settings = settings_of(data_dir)
    shelf = open_records(settings).shelf
    current = shelf.current()
    if current is None:
        raise UnknownRelease("nothing was released yet; `marketing-platform run` makes a release")
    ask = ask_release(open_stores(settings).warehouse, shelf.load(current))
    try:
        table = made(ask, declared, pairs, names)
    except InputError as error:
        raise InputError(f"{at}: {error}") from None
    write_training_set(output, table, {"release_id": current, "entity": declared.entity})
    if as_json:
        columns = [_described(declared.entity, one) for one in wanted.declared]
        emit_json({"release_id": current, "rows": table.num_rows, "output": str(output), "features": columns})
        return
    console.print(f"{table.num_rows:,} rows with {len(wanted.declared)} features from {current}: {output}")


def _declared(folder: Path | None) -> dict[Entity, Features]:
    from marketing_platform.features.loading import load_features

    return load_features((folder or settings_of().features_dir).resolve())


def _known(entity: str) -> Entity:
    from marketing_platform.features.spec import ENTITIES

    if entity not in ENTITIES:
        raise InputError(f"--entity {entity!r}: expected one of {', '.join(ENTITIES)}")
    return entity


def _described(entity: Entity, feature: Feature) -> dict[str, Any]:
    return {
        "entity": entity,
        "name": feature.name,
        "type": str(feature.type),
        "unit": feature.unit,
        "from": feature.table,
        "aggregate": feature.aggregate,
        "without_moment": feature.without_moment,
        "description": feature.description,
    }


def _said(row: dict[str, Any]) -> str:
    today = f" ({row['without_moment']} as of today)" if row["without_moment"] else ""
    return f"{row['description']}{today}"
