"""Letters: which font has which, how long a text is, and what cannot be shown.

Fonts are files beside this module, so that every machine measures and draws alike. Letters stand one after
another without kerning: Pillow's basic layout is part of every Pillow, while the other needs a library
(FriBiDi) that not every machine has. Right-to-left scripts need it all the same, to join and order letters;
where it is missing they come letter by letter, and `Fonts.shapes` says so. Where lines break is in
`wrapping.py`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fontTools.ttLib import TTFont
from PIL import ImageFont, features

from marketing_platform.content.board.document import Face

FOLDER = Path(__file__).parent / "fonts"
FILES: Mapping[Face, str] = MappingProxyType(
    {
        "regular": "Inter-Regular.otf",
        "strong": "Inter-SemiBold.otf",
        "display": "InterDisplay-Bold.otf",
        "arabic": "NotoSansArabic-Regular.ttf",
        "hebrew": "NotoSansHebrew-Regular.ttf",
    }
)
# Lines of text, in sizes of their letters: the fonts' own extents fit in.
LINE = 1.34
ASCENT = 1.02
# Stands for what no font has.
REPLACEMENT = "□"
# Letters are measured and drawn at twice their size and made smaller with the picture: smoother, and widths
# are rounded to half a pixel instead of a whole.
FINER = 2
_FALLBACKS: tuple[Face, ...] = ("arabic", "hebrew")
_MOST = 2_000  # letters of a text; longer ones are cut
# Classes of Unicode's bidirectional algorithm (UAX #9) that read from right to left.
_RTL = frozenset({"R", "AL"})
_LTR = frozenset({"L", "EN"})
# What has no shape of its own: joiners and variation selectors belong to what is before them.
_SHAPELESS = frozenset({"\u200c", "\u200d", "\u00ad", "\u2060", "\ufe0e", "\ufe0f"})
# Categories of what no line may hold: controls, formats such as changes of direction, halves of pairs.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_SKIN = range(0x1F3FB, 0x1F400)  # changes the colour of the emoji before it
_TAGS = range(0xE0000, 0xE0080)


@dataclass(frozen=True)
class Piece:
    """A part of a text that one face shows."""

    text: str
    face: Face
    rtl: bool


class Fonts:
    """The open fonts; safe to use from several threads."""

    def __init__(self) -> None:
        self._letters = {face: _letters_of(FOLDER / file) for face, file in FILES.items()}
        self.shapes: bool = bool(features.check("raqm")) and bool(features.check("fribidi"))
        self.at = lru_cache(maxsize=512)(self._at)
        self.width = lru_cache(maxsize=65_536)(self._width)
        self.pieces = lru_cache(maxsize=8_192)(self._pieces)

    def has(self, letter: str, face: Face) -> bool:
        """Whether a face has a letter."""
        return ord(letter) in self._letters[face]

    def missing(self, text: str) -> str:
        """The letters of a clean text that no face has, each once."""
        return "".join(dict.fromkeys(letter for letter in text if self._face_of(letter, "regular") is None))

    def shown(self, text: str) -> str:
        """A clean text with a box in place of every run of letters that no face has."""
        found: list[str] = []
        for letter in text:
            if self._face_of(letter, "regular") is not None:
                found.append(letter)
            elif not found or found[-1] != REPLACEMENT:
                found.append(REPLACEMENT)
        return "".join(found)

    def length(self, text: str, face: Face, size: float) -> float:
        """How long a shown text is, in pixels."""
        return sum(self.width(piece.text, piece.face, size, piece.rtl) for piece in self.pieces(text, face))

    def _pieces(self, text: str, face: Face) -> tuple[Piece, ...]:
        """The parts of a shown text from left to right.

        A text that begins from right to left has its parts ordered so; directions nested deeper than that
        are not resolved.
        """
        parts = list(self._in_order(text, face))
        return tuple(reversed(parts)) if begins_rtl(text) else tuple(parts)

    def _in_order(self, text: str, face: Face) -> Iterator[Piece]:
        start, current, rtl = 0, face, begins_rtl(text)
        for place, letter in enumerate(text):
            kind = unicodedata.bidirectional(letter)
            if not (kind in _RTL or kind in _LTR or not self.has(letter, current)):
                continue  # spaces and signs stay with what is before them
            wanted, direction = self._face_of(letter, face) or face, kind in _RTL
            if (wanted, direction) != (current, rtl):
                if place > start:
                    yield Piece(text[start:place], current, rtl)
                start, current, rtl = place, wanted, direction
        if start < len(text):
            yield Piece(text[start:], current, rtl)

    def _face_of(self, letter: str, face: Face) -> Face | None:
        return next((one for one in (face, *_FALLBACKS) if ord(letter) in self._letters[one]), None)

    def _at(self, face: Face, size: float, rtl: bool) -> Any:
        shaped = rtl and self.shapes
        layout = ImageFont.Layout.RAQM if shaped else ImageFont.Layout.BASIC
        return ImageFont.truetype(FOLDER / FILES[face], size * FINER, layout_engine=layout)

    def _width(self, text: str, face: Face, size: float, rtl: bool) -> float:
        return self.at(face, size, rtl).getlength(text, direction=self.direction(rtl)) / FINER

    def direction(self, rtl: bool) -> str | None:
        """What Pillow has to be told about the direction of a text."""
        return "rtl" if rtl and self.shapes else None


def clean(text: str) -> str:
    """A text of one line: composed (NFC), no controls, no changes of direction, single spaces.

    Of an emoji that consists of several the first is left, as no font shows them joined.
    """
    composed = unicodedata.normalize("NFC", text[:_MOST])
    kept = (letter if _printable(letter) else " " if letter.isspace() else "" for letter in composed)
    return " ".join("".join(kept).split())


@lru_cache(maxsize=1)
def open_fonts() -> Fonts:
    """The fonts, opened once in a process; takes some tenths of a second."""
    return Fonts()


def _printable(letter: str) -> bool:
    if letter in _SHAPELESS or ord(letter) in _SKIN or ord(letter) in _TAGS:
        return False
    return unicodedata.category(letter) not in _UNPRINTABLE and unicodedata.category(letter) not in (
        "Zl",
        "Zp",
    )


def begins_rtl(text: str) -> bool:
    """Whether a line is read from the right: by its first letter with a direction (UAX #9, P2 and P3)."""
    kinds = (unicodedata.bidirectional(letter) for letter in text)
    return next((kind in _RTL for kind in kinds if kind in _RTL or kind == "L"), False)


def _letters_of(path: Path) -> frozenset[int]:
    with TTFont(path, lazy=True) as font:
        return frozenset(font.getBestCmap() or {})
