"""`marketing-platform board` and `marketing-platform boards …`: boards as files, and how they look."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from marketing_platform.cli.options import DataDir, settings_of
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_problems, emit_table
from marketing_platform.content.board.looks import Format, Look
from marketing_platform.errors import BoardError, InputError, UnknownRelease
from marketing_platform.releases.records import open_records

if TYPE_CHECKING:
    from marketing_platform.content.board.composing import Recommended
    from marketing_platform.content.board.studio import Studio
    from marketing_platform.content.people import Person
    from marketing_platform.releases.manifest import Manifest
    from marketing_platform.releases.records import Records
    from marketing_platform.settings import Settings
    from marketing_platform.stores.registry import Stores

app = typer.Typer(help="Designs of vision boards: check them.", no_args_is_help=True)
_FORMATS: dict[str, Format] = {".png": "png", ".svg": "svg", ".json": "json", ".html": "page"}

BoardsDir = Annotated[
    Path | None,
    typer.Option(
        "--boards",
        help="Folder with themes, aspects, words and images.",
        envvar="MARKETING_BOARDS_DIR",
        exists=True,
        file_okay=False,
    ),
]


def board(
    user: Annotated[str, typer.Argument(help="Identifier of the user.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="A file that ends in .png, .svg, .html or .json.", dir_okay=False
        ),
    ] = Path("board.png"),
    theme: Annotated[str | None, typer.Option(help="The first that is declared if left out.")] = None,
    aspect: Annotated[str | None, typer.Option(help="Such as 9:16; the first if left out.")] = None,
    folder: BoardsDir = None,
    data_dir: DataDir = None,
    as_json: JsonOption = False,
) -> None:
    """Write the vision board of a user, from the release that serves."""
    from marketing_platform.content.board.pictures import BOARD_IMAGES, Pictures
    from marketing_platform.content.board.studio import Studio
    from marketing_platform.stores.registry import open_stores

    form = _FORMATS.get(output.suffix.lower())
    if form is None:
        raise InputError(f"{output}: expected a name that ends in {', '.join(_FORMATS)}")
    settings = settings_of(data_dir)
    studio = Studio.open((folder or settings.boards_dir).resolve())
    look = _look(studio, form, theme, aspect)
    records = open_records(settings)
    current = records.shelf.current()
    if current is None:
        raise UnknownRelease("no release is there to be shown; `marketing-platform run` makes one")
    manifest, stores = records.shelf.load(current), open_stores(settings)
    person, products = _known(settings, records, stores, manifest, user)
    with closing(stores.answers.open(_entry(manifest, BOARD_IMAGES))) as images:
        drawn = studio.draw(person, products, Pictures(images.get), look)
    output.write_bytes(drawn)
    if as_json:
        emit_json(
            {
                "release_id": current,
                "file": str(output),
                "bytes": len(drawn),
                "theme": look.theme,
                "aspect": look.aspect,
            }
        )
    else:
        said = f"{output}: {look.theme}, {look.aspect}, {len(drawn):,} bytes, from {current}"
        console.print(said, markup=False, highlight=False, soft_wrap=True)


@app.callback()
def boards() -> None:
    """Designs of vision boards: check them."""


@app.command()
def validate(folder: BoardsDir = None, as_json: JsonOption = False) -> None:
    """List themes and aspects, or all that is wrong with them (exit code 1)."""
    from marketing_platform.content.board.colours import contrast
    from marketing_platform.content.board.loading import load_design

    try:
        design = load_design((folder or settings_of().boards_dir).resolve())
    except BoardError as error:
        problems = str(error).splitlines()
        if as_json:
            emit_json({"themes": [], "aspects": [], "errors": problems})
        emit_problems(() if as_json else problems)
        raise typer.Exit(1) from None
    themes = [
        (one.name, round(contrast(one.muted, one.surface), 2), round(contrast(one.on_accent, one.accent), 2))
        for one in design.themes.values()
    ]
    aspects = [(one.name, one.width, one.height) for one in design.aspects.values()]
    if as_json:
        emit_json({"themes": list(design.themes), "aspects": list(design.aspects), "errors": []})
        return
    emit_table("Themes", ["theme", "contrast of small texts", "contrast of ideas"], themes)
    emit_table("Aspects", ["aspect", "width", "height"], aspects)


def _look(studio: Studio, form: Format, theme: str | None, aspect: str | None) -> Look:
    usual = studio.design.defaults
    look = Look(form, theme or usual[0], aspect or usual[1])
    for what, name, known in (
        ("theme", look.theme, studio.design.themes),
        ("aspect", look.aspect, studio.design.aspects),
    ):
        if name not in known:
            raise InputError(f"--{what}: expected one of {', '.join(known)}, found {name!r}")
    return look


def _known(
    settings: Settings, records: Records, stores: Stores, manifest: Manifest, user: str
) -> tuple[Person, list[Recommended]]:
    """The person, and the products that may be shown to them now."""
    from marketing_platform.content.board.studio import recommended
    from marketing_platform.content.people import PEOPLE, Person
    from marketing_platform.recommenders.prepared import PRODUCT_LISTS, StoredList
    from marketing_platform.recommenders.rules import LiveFacts, leaving, load_rules, rules_of_answers

    with (
        closing(stores.answers.open(_entry(manifest, PEOPLE))) as people,
        closing(stores.answers.open(_entry(manifest, PRODUCT_LISTS))) as lists,
    ):
        found, listed = people.get(user), lists.get(user)
    if found is None or listed is None or user in records.erasures.masked(manifest.created_at):
        raise InputError(f"{user}: the release {manifest.release_id} knows no such user")
    stored, now = StoredList.read(listed), datetime.now(UTC)
    facts = LiveFacts.now(records.overrides, "product", now)
    rules = rules_of_answers(load_rules(settings.rules_dir).products)
    kept = leaving(rules, user, stored.ids, facts, limit=stored.shown).kept
    items = [orjson.loads(stored.items[place]) for place in kept]
    categories = [stored.categories[place] if stored.categories else None for place in kept]
    return Person.read(found), recommended(items, categories)


def _entry(manifest: Manifest, name: str) -> str:
    if name not in manifest.answers:
        raise UnknownRelease(
            f"{manifest.release_id} is older than boards; `marketing-platform run` makes one"
        )
    return manifest.answers[name].name
