"""`marketing-platform segments …`: which there are, who belongs to one, and lists for ad platforms."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketing_platform.cli.options import DataDir, settings_of
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_problems, emit_table
from marketing_platform.errors import InputError, SegmentError, UnknownRelease

if TYPE_CHECKING:
    from marketing_platform.content.segments import Segment
    from marketing_platform.releases.manifest import Manifest
    from marketing_platform.settings import Settings

app = typer.Typer(no_args_is_help=True)

SegmentsDir = Annotated[
    Path | None,
    typer.Option(
        "--segments-dir",
        help="Folder with the declared segments.",
        envvar="MARKETING_SEGMENTS_DIR",
        exists=True,
        file_okay=False,
    ),
]
Name = Annotated[str, typer.Argument(help="The segment.")]


@app.callback()
def segments() -> None:
    """Segments of users: list, check, preview, export."""


@app.command("list")
def list_segments(folder: SegmentsDir = None, as_json: JsonOption = False) -> None:
    """Every segment and what it is."""
    rows = [(one.name, one.description) for one in _declared(settings_of(), folder).values()]
    if as_json:
        emit_json({"segments": [{"segment": name, "description": description} for name, description in rows]})
        return
    emit_table(f"{len(rows)} segments", ["segment", "description"], rows)


@app.command()
def validate(folder: SegmentsDir = None, as_json: JsonOption = False) -> None:
    """Say which segments are declared, or all that is wrong (exit code 1)."""
    errors: list[str] = []
    names: list[str] = []
    try:
        names = list(_declared(settings_of(), folder))
    except SegmentError as error:
        errors = str(error).splitlines()
    if as_json:
        emit_json({"segments": names, "errors": errors})
    elif not errors:
        console.print(f"{len(names)} segments: {', '.join(names)}")
    emit_problems([] if as_json else errors)
    if errors:
        raise typer.Exit(1)


@app.command()
def preview(
    name: Name,
    folder: SegmentsDir = None,
    most: Annotated[int, typer.Option("--sample", help="Show so many ids.", min=0, max=1_000)] = 10,
    data_dir: DataDir = None,
    as_json: JsonOption = False,
) -> None:
    """Who would belong to a segment as it is declared now, asked of the release that serves."""
    from marketing_platform.content.segments.previewing import preview as previewed
    from marketing_platform.features.asking import ask_release
    from marketing_platform.features.loading import load_features
    from marketing_platform.stores.registry import open_stores

    settings = settings_of(data_dir)
    segment = _known(name, _declared(settings, folder))
    manifest = _served(settings)
    features = load_features(settings.features_dir)["user"]
    found = previewed(
        ask_release(open_stores(settings).warehouse, manifest), segment.who, features, most=most
    )
    if as_json:
        emit_json({"release_id": manifest.release_id, "segment": name, **asdict(found)})
        return
    console.print(f"{found.users:,} users, {found.consenting:,} of them agreed to marketing: {name}")
    for user_id in found.sample:
        console.print(f"  {user_id}", markup=False, highlight=False)


@app.command()
def export(
    name: Name,
    to: Annotated[str, typer.Option("--platform", help="google_ads, meta or own.")],
    output: Annotated[Path, typer.Option("--output", help="The CSV file to write.")],
    data_dir: DataDir = None,
    as_json: JsonOption = False,
) -> None:
    """Write the members in the release that serves as a list for a platform.

    Only users who agreed to marketing, with hashed addresses; nobody who opted out or is to be forgotten.
    """
    from marketing_platform.content.segments.export import EXPORTED, READS, exported, platform
    from marketing_platform.content.segments.report import SEGMENTS
    from marketing_platform.features.asking import ask_release
    from marketing_platform.stores.registry import open_stores

    settings, wanted = settings_of(data_dir), platform(to)
    stores, manifest = open_stores(settings), _served(settings)
    ask = ask_release(stores.warehouse, manifest)
    if SEGMENTS not in manifest.reports:
        raise UnknownRelease(f"{manifest.release_id} was made before there were segments; run the pipeline")
    known = [one["segment"] for one in stores.reports.read(manifest.reports[SEGMENTS].name)[SEGMENTS]]
    if name not in known:
        raise InputError(f"{manifest.release_id} has no segment {name!r}; it has: {', '.join(known)}")
    rows = ask(EXPORTED, READS, {"segment": name}).to_pylist()
    found = exported(rows, wanted, left_out=_left_out(settings, manifest))
    _write(output, found.content)
    told = {key: value for key, value in asdict(found).items() if key != "content"}
    if as_json:
        emit_json({"release_id": manifest.release_id, "segment": name, "output": str(output), **told})
        return
    console.print(
        f"{found.exported:,} of {found.members:,} members of {name} from {manifest.release_id}: {output}"
    )
    reasons = {
        key.replace("_", " "): n for key, n in told.items() if key not in ("members", "exported") and n
    }
    for reason, number in reasons.items():
        console.print(f"  {number:,} {reason}")


def _left_out(settings: Settings, manifest: Manifest) -> frozenset[str]:
    """Who opted out or is to be forgotten since the release was made."""
    from marketing_platform.releases.overrides import suppressed
    from marketing_platform.releases.records import open_records

    records, now = open_records(settings), datetime.now(UTC)
    erased = records.erasures.masked(manifest.created_at)
    return erased | suppressed(records.overrides.holding(now), "campaign", now=now).opted_out


def _write(path: Path, content: bytes) -> None:
    """For the owner's eyes only, and whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None


def _declared(settings: Settings, folder: Path | None) -> dict[str, Segment]:
    from marketing_platform.content.segments import load_segments
    from marketing_platform.features.loading import load_features

    features = load_features(settings.features_dir)["user"]
    return load_segments((folder or settings.segments_dir).resolve(), features=features)


def _known(name: str, declared: dict[str, Segment]) -> Segment:
    if name not in declared:
        raise InputError(f"no segment {name!r} is declared; there are: {', '.join(declared) or 'none'}")
    return declared[name]


def _served(settings: Settings) -> Manifest:
    from marketing_platform.releases.records import open_records

    shelf = open_records(settings).shelf
    current = shelf.current()
    if current is None:
        raise UnknownRelease("nothing was released yet; `marketing-platform run` makes a release")
    return shelf.load(current)
