"""Reads `boards/*.yaml` and judges what the shape of a file cannot say: contrast, room, hosts, names.

The shapes belong to `spec.py`, files and messages to `marketing_platform/declarations.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Any, TypeVar

from pydantic import BaseModel

from marketing_platform.addresses import host_of
from marketing_platform.content.board.areas import areas, tiles_of
from marketing_platform.content.board.colours import CONTRAST, contrast
from marketing_platform.content.board.spec import (
    ROLES,
    SECTIONS,
    Aspect,
    Aspects,
    Column,
    Design,
    Idea,
    Images,
    Lettering,
    Share,
    Smallest,
    Theme,
    Themes,
    Words,
)
from marketing_platform.declarations import (
    Declaration,
    Declared,
    KeyPath,
    Problem,
    load_declaration,
    one_of,
    repeated,
)
from marketing_platform.errors import BoardError

_COLOUR = re.compile(r"#[0-9a-f]{6}")
_ON: tuple[tuple[str, str], ...] = (
    ("text", "background"),
    ("muted", "background"),
    ("text", "surface"),
    ("muted", "surface"),
    ("on_accent", "accent"),
)
_PLACES: Mapping[str, frozenset[str]] = {
    "title": frozenset({"name"}),
    "title_without_name": frozenset(),
    "tagline": frozenset({"interests"}),
    "tagline_without_interests": frozenset(),
}
_File = TypeVar("_File", bound=Declared)


def load_design(folder: Path) -> Design:
    """What the files of a folder declare about boards.

    Raises:
        BoardError: A file is missing or wrong; a line per problem: `file:line: key: expected …, found …`.
    """
    themes = _load(folder / "themes.yaml", Themes, {("themes", None): Theme}, _themes)
    aspects = _load(folder / "aspects.yaml", Aspects, _ASPECT_PARTS, _aspects)
    words = _load(folder / "words.yaml", Words, {("ideas", None): Idea}, _words)
    return Design(
        themes={theme.name: theme for theme in themes.themes},
        aspects={aspect.name: aspect for aspect in aspects.aspects},
        tile=aspects.tile,
        texts=aspects.texts,
        words=words,
        images=_load(folder / "images.yaml", Images, {}, _images),
    )


_ASPECT_PARTS: Mapping[tuple[str | None, ...], type[BaseModel]] = {
    ("aspects", None): Aspect,
    ("aspects", None, "columns", None): Column,
    ("aspects", None, "columns", None, "sections", None): Share,
    ("tile",): Smallest,
    ("texts", None): Lettering,
}


def _load(
    path: Path,
    model: type[_File],
    parts: Mapping[tuple[str | None, ...], type[BaseModel]],
    judged: Callable[[_File], Iterator[Problem]],
) -> _File:
    """One file; `parts` are the models below its own, None standing for any entry."""

    def part_at(at: KeyPath) -> type[BaseModel] | None:
        for pattern, part in parts.items():
            if len(pattern) == len(at) and all(
                want in (None, have) for want, have in zip(pattern, at, strict=True)
            ):
                return part
        return None

    def problems(_: Mapping[str, Any], found: _File | None) -> Iterator[Problem]:
        if found is not None:
            yield from judged(found)

    return load_declaration(path, Declaration(model, BoardError, part_at, problems))


def _themes(found: Themes) -> Iterator[Problem]:
    yield from repeated("themes", "name", [theme.name for theme in found.themes])
    for index, theme in enumerate(found.themes):
        unreadable = set[str]()
        for key in ("background", "surface", "text", "muted", "accent", "on_accent"):
            if not _COLOUR.fullmatch(getattr(theme, key)):
                unreadable.add(key)
                yield _no_colour(("themes", index, key), getattr(theme, key))
        for number, colour in enumerate(theme.artwork):
            if not _COLOUR.fullmatch(colour):
                yield _no_colour(("themes", index, "artwork", number), colour)
        for front, back in _ON:
            if unreadable.isdisjoint((front, back)):
                yield from _faint(("themes", index, front), theme, front, back)


def _no_colour(path: KeyPath, found: str) -> Problem:
    return Problem(path, "a colour such as #17594f, in lower case", repr(found))


def _faint(path: KeyPath, theme: Theme, front: str, back: str) -> Iterator[Problem]:
    ratio = contrast(getattr(theme, front), getattr(theme, back))
    if ratio < CONTRAST:
        yield Problem(
            path,
            f"a contrast of {CONTRAST}:1 with {back} ({getattr(theme, back)})",
            f"{getattr(theme, front)}, {ratio:.2f}:1",
        )


def _aspects(found: Aspects) -> Iterator[Problem]:
    yield from repeated("aspects", "name", [aspect.name for aspect in found.aspects])
    for role in ROLES:
        if role not in found.texts:
            yield Problem(("texts",), f"the text {role}", "none")
    for role, text in found.texts.items():
        if text.smallest > text.largest:
            expected = f"at most {text.largest:g}, which is the largest"
            yield Problem(("texts", role, "smallest"), expected, f"{text.smallest:g}")
    for role in ("name", "tagline", "heading", "title", "idea"):
        if role in found.texts and not found.texts[role].ellipsis:
            yield Problem(("texts", role, "ellipsis"), "true, since it is never left out", "False")
    for index, aspect in enumerate(found.aspects):
        yield from _unfit(("aspects", index), aspect, found.tile)


def _unfit(path: KeyPath, aspect: Aspect, tile: Smallest) -> Iterator[Problem]:
    across, down = (int(part) for part in aspect.name.split(":"))
    if aspect.width * down != aspect.height * across:
        yield Problem((*path, "name"), f"the aspect of {aspect.width} x {aspect.height}", repr(aspect.name))
    named = [share.section for column in aspect.columns for share in column.sections]
    if sorted(named) != sorted(SECTIONS):
        yield Problem((*path, "columns"), f"each of {', '.join(SECTIONS)} once", ", ".join(named))
        return
    for section, box in areas(aspect, SECTIONS).items():
        room = tiles_of(box, aspect)
        if room.width < aspect.scaled(tile.width) or room.height < aspect.scaled(tile.height):
            expected = f"room for a tile of {aspect.scaled(tile.width)} x {aspect.scaled(tile.height)}"
            yield Problem((*path, "columns"), expected, f"{room.width} x {room.height} for {section}")


def _words(found: Words) -> Iterator[Problem]:
    for key, places in _PLACES.items():
        try:
            named = {name for _, name, _, _ in Formatter().parse(getattr(found, key)) if name is not None}
        except ValueError as error:
            yield Problem((key,), "text with places such as {name}", str(error))
            continue
        for name in sorted(named - places):
            if places:
                yield Problem((key,), *one_of(name, places))
            else:
                yield Problem((key,), "text without places", f"{{{name}}}")
    for section in SECTIONS:
        if section not in found.headings:
            yield Problem(("headings",), f"a heading for {section}", "none")
    if all(idea.about for idea in found.ideas):
        yield Problem(("ideas",), "at least one that is about nothing in particular (about: [])", "none")


def _images(found: Images) -> Iterator[Problem]:
    for part in ("products", "categories"):
        for key, url in getattr(found, part).items():
            try:
                host, _ = host_of(url)
            except ValueError:
                yield Problem((part, key), "a URL such as https://images.example.com/1.jpg", repr(url))
                continue
            if host not in found.hosts:
                yield Problem((part, key), "a URL at a host that `hosts` names", repr(host))
