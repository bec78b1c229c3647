"""From what is known of a person to the bytes of their board: what the API and the command line use.

To import it takes some tenths of a second (Pillow, fontTools): who must start fast imports it late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from marketing_platform import __version__
from marketing_platform.content.board.composing import Content, Recommended, compose
from marketing_platform.content.board.document import Board
from marketing_platform.content.board.layout import laid_out
from marketing_platform.content.board.loading import load_design
from marketing_platform.content.board.looks import Look
from marketing_platform.content.board.page import to_page
from marketing_platform.content.board.pictures import Pictures
from marketing_platform.content.board.png import to_png
from marketing_platform.content.board.spec import Design
from marketing_platform.content.board.svg import to_svg
from marketing_platform.content.board.typography import Fonts, open_fonts
from marketing_platform.content.people import Interest, Person


@dataclass(frozen=True)
class Studio:
    """Draws boards; safe to use from several threads."""

    design: Design
    fonts: Fonts

    @cached_property
    def identity(self) -> bytes:
        """Stands for what pictures depend on besides the person: the design and the version of the code."""
        return blake2b(f"{__version__}\n{self.design!r}".encode(), digest_size=16).digest()

    @classmethod
    def open(cls, folder: Path) -> Studio:
        """A studio with what a folder declares, warm: the first board takes no longer than others.

        Raises:
            BoardError: Something is declared wrongly.
        """
        studio = cls(load_design(folder), open_fonts())
        interests = tuple(Interest(name, 1.0, "stated", 1.0) for name in ("Camping", "Hiking", "Kitchen"))
        nobody = Person("", "Anna", None, None, None, None, (), interests)
        pictures = Pictures(lambda _: None)
        for theme in studio.design.themes:
            for aspect in studio.design.aspects:
                studio.draw(nobody, [], pictures, Look("svg", theme, aspect))
        studio.draw(nobody, [], pictures, Look("png", *studio.design.defaults))
        return studio

    def draw(self, person: Person, products: Sequence[Recommended], pictures: Pictures, look: Look) -> bytes:
        """The board of a person; the same bytes for the same arguments."""
        content = self._content(person, products, pictures)
        board = self._board(content, look.theme, look.aspect)
        match look.format:
            case "json":
                return orjson.dumps(board.model_dump(mode="json"))
            case "png":
                return to_png(board, self.fonts, pictures.bytes_of)
            case "svg":
                return to_svg(board, self.fonts, pictures.bytes_of)
            case "page":
                themes = [name for name in self.design.themes if name != look.theme]
                aspects = [name for name in self.design.aspects if name != look.aspect]
                return to_page(
                    board,
                    [self._board(content, theme, look.aspect) for theme in themes],
                    [self._board(content, look.theme, aspect) for aspect in aspects],
                    self.fonts,
                    pictures.bytes_of,
                )

    def _content(self, person: Person, products: Sequence[Recommended], pictures: Pictures) -> Content:
        content = compose(person, products, self.design.words, pictures.of)
        return replace(content, notes=tuple(pictures.problems))

    def _board(self, content: Content, theme: str, aspect: str) -> Board:
        return laid_out(
            content, self.design, self.design.themes[theme], self.design.aspects[aspect], self.fonts
        )


def recommended(items: Sequence[Mapping[str, Any]], categories: Sequence[str | None]) -> list[Recommended]:
    """Products of an answer, with the category of each."""
    return [
        Recommended(item["product_id"], item["name"], category, item["already_bought"], item["path"])
        for item, category in zip(items, categories, strict=True)
    ]
