"""Lines: where a text may break (UAX #14), and at which size it fits.

What the letters measure is in `typography.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from uniseg.graphemecluster import grapheme_clusters
from uniseg.linebreak import line_break_units

from marketing_platform.content.board.document import Face
from marketing_platform.content.board.typography import Fonts

ELLIPSIS = "…"
_NARROWER = (0.6, 0.7, 0.8, 0.9)  # of the width, tried to have lines of one length
# Words that have no place to break in: letters or digits of European scripts, with signs around them. To ask
# the library takes a millisecond a word.
_WHOLE = re.compile(
    r"""[("'“‘]?[^\W_\d\u0590-\u08ff\u0e00-\uffff\U00010000-\U0010ffff]+(?:['’][^\W_\d\u0590-\U0010ffff]+)?"""
    r"""[)"'”’]?[,.;:!?]*|\d+(?:[.,]\d+)*"""
)
# Signs before which no line ends, spaces between or not: UAX #14, LB13.
_CLINGING = re.compile(r"[!?)\]},.;:/]")


@dataclass(frozen=True)
class Setting:
    """How a text is set."""

    face: Face
    size: float
    lines: int  # at most


@dataclass(frozen=True)
class Wrapped:
    """A text in lines that fit."""

    lines: tuple[str, ...]
    shortened: bool = False


def wrapped(fonts: Fonts, text: str, setting: Setting, width: float) -> Wrapped | None:
    """The whole text in lines no longer than `width`; None when it does not fit.

    Words are not broken. Lines are about as long as each other, rather than the last one short.
    """
    lines = list(_lines(fonts, text, setting, width))
    if len(lines) > setting.lines or _longest(fonts, lines, setting) > width:
        return None
    for share in _NARROWER if len(lines) > 1 else ():
        balanced = list(_lines(fonts, text, setting, width * share))
        if len(balanced) == len(lines) and _longest(fonts, balanced, setting) <= width:
            return Wrapped(tuple(balanced))
    return Wrapped(tuple(lines))


def shortened(fonts: Fonts, text: str, setting: Setting, width: float) -> Wrapped | None:
    """As much of the text as fits, with an ellipsis at its end where that is not all of it.

    Words that are longer than a line are broken. None when not even the ellipsis fits.
    """
    whole = list(_lines(fonts, text, setting, width, breaking=True))
    if _longest(fonts, whole, setting) > width:
        return None
    if len(whole) <= setting.lines:
        return Wrapped(tuple(whole))
    *before, last = whole[: setting.lines]
    kept = list(grapheme_clusters(last))
    while kept and fonts.length("".join(kept).rstrip() + ELLIPSIS, setting.face, setting.size) > width:
        kept.pop()
    return Wrapped((*before, "".join(kept).rstrip() + ELLIPSIS), shortened=True)


def _longest(fonts: Fonts, lines: Sequence[str], setting: Setting) -> float:
    return max((fonts.length(line, setting.face, setting.size) for line in lines), default=0.0)


def _lines(
    fonts: Fonts, text: str, setting: Setting, width: float, *, breaking: bool = False
) -> Iterator[str]:
    """Each line as long as it can be; words longer than a line stand alone, or in parts if `breaking`."""
    line = ""
    for unit in _units(text):
        if not line or fonts.length((line + unit).rstrip(), setting.face, setting.size) <= width:
            line += unit
        else:
            yield line.rstrip()
            line = unit
        if breaking and fonts.length(line.rstrip(), setting.face, setting.size) > width:
            *full, line = _broken(fonts, line, setting, width)
            yield from full
    if line.strip():
        yield line.rstrip()


def _broken(fonts: Fonts, word: str, setting: Setting, width: float) -> list[str]:
    """A word in parts that fit, at least one letter each."""
    parts = [""]
    for cluster in grapheme_clusters(word):
        longer = parts[-1] + cluster
        if parts[-1] and fonts.length(longer.rstrip(), setting.face, setting.size) > width:
            parts.append(cluster)
        else:
            parts[-1] = longer
    return parts


@lru_cache(maxsize=8_192)
def _units(text: str) -> Sequence[str]:
    """The text in parts behind which a line may end, spaces included."""
    units: list[str] = []
    for word in text.split(" "):
        parts = [word] if _WHOLE.fullmatch(word) else list(_library_units(word))
        if units and word and _CLINGING.match(word):
            parts[0] = units.pop() + parts[0]
        parts[-1:] = [f"{parts[-1]} "] if parts else []
        units += parts
    return tuple(units)


@lru_cache(maxsize=8_192)
def _library_units(word: str) -> tuple[str, ...]:
    return tuple(line_break_units(word))
