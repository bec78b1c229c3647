"""What is declared about boards: themes, canvases, words and where images come from.

The files are `boards/*.yaml`; they are read and judged across keys by `loading.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field, StringConstraints

from marketing_platform.content.board.document import SectionName
from marketing_platform.declarations import Declared

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
Written = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Role = Literal["name", "tagline", "heading", "title", "subtitle", "why", "idea"]
ROLES: tuple[Role, ...] = get_args(Role)
SECTIONS: tuple[SectionName, ...] = get_args(SectionName)
_Colour = Annotated[str, Field(description="#rrggbb")]


class Theme(Declared):
    """Colours of a board."""

    name: Name
    background: _Colour
    surface: _Colour  # of the tiles of products and interests
    text: _Colour
    muted: _Colour  # of what matters less
    accent: _Colour  # of the tiles of ideas, and of bars
    on_accent: _Colour
    artwork: tuple[_Colour, ...] = Field(min_length=3)


class Themes(Declared):
    """All of `themes.yaml`."""

    themes: tuple[Theme, ...] = Field(min_length=1)


class Share(Declared):
    """A section in a column."""

    section: SectionName
    weight: float = Field(gt=0, allow_inf_nan=False)
    most: int = Field(ge=1, le=12)


class Column(Declared):
    """Sections above each other."""

    share: float = Field(gt=0, allow_inf_nan=False)
    sections: tuple[Share, ...] = Field(min_length=1)


class Aspect(Declared):
    """A canvas."""

    name: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]?:[1-9][0-9]?$")]
    width: int = Field(ge=400, le=4_000)
    height: int = Field(ge=400, le=4_000)
    scale: float = Field(gt=0, le=4)
    columns: tuple[Column, ...] = Field(min_length=1)

    def scaled(self, length: float) -> int:
        """A length of a canvas of scale 1 on this one, in whole pixels."""
        return round(length * self.scale)


class Smallest(Declared):
    """The smallest tile of a canvas of scale 1."""

    width: int = Field(ge=80)
    height: int = Field(ge=80)


class Lettering(Declared):
    """How large a text may be on a canvas of scale 1, and what happens when it does not fit."""

    face: Literal["regular", "strong", "display"]
    largest: float = Field(ge=10, le=200)
    smallest: float = Field(ge=10, le=200)
    lines: int = Field(ge=1, le=12)
    ellipsis: bool


class Aspects(Declared):
    """All of `aspects.yaml`."""

    aspects: tuple[Aspect, ...] = Field(min_length=1)
    tile: Smallest
    texts: dict[Role, Lettering]


class Idea(Declared):
    """Something to do, for whom it fits."""

    title: Written
    text: Written
    about: tuple[Written, ...] = ()


class Words(Declared):
    """All of `words.yaml`."""

    title: Written
    title_without_name: Written
    tagline: Written
    tagline_without_interests: Written
    headings: dict[SectionName, Written]
    ideas: tuple[Idea, ...] = ()


class Images(Declared):
    """All of `images.yaml`."""

    hosts: tuple[str, ...] = ()
    products: dict[str, str] = Field(default_factory=dict[str, str])
    categories: dict[str, str] = Field(default_factory=dict[str, str])

    @property
    def urls(self) -> tuple[str, ...]:
        """Every URL once, in the order of the file."""
        return tuple(dict.fromkeys((*self.products.values(), *self.categories.values())))


@dataclass(frozen=True)
class Design:
    """Everything that is declared about how boards look."""

    themes: Mapping[str, Theme]  # the first is the default
    aspects: Mapping[str, Aspect]  # the first is the default
    tile: Smallest
    texts: Mapping[Role, Lettering]
    words: Words
    images: Images

    @property
    def defaults(self) -> tuple[str, str]:
        """Theme and aspect of who does not say."""
        return next(iter(self.themes)), next(iter(self.aspects))
