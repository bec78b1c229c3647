"""Texts in boxes: at the largest size at which everything fits, and what to leave out when nothing does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from marketing_platform.content.board.document import Box, Line, Run
from marketing_platform.content.board.spec import Lettering, Role
from marketing_platform.content.board.typography import ASCENT, LINE, Fonts, begins_rtl
from marketing_platform.content.board.wrapping import Setting, Wrapped, shortened, wrapped

STEPS = (1.0, 0.92, 0.85, 0.78, 0.7, 0.6, 0.5)  # of the largest sizes, tried from large to small
_BETWEEN = 0.34  # of a size, between two texts


@dataclass(frozen=True)
class Text:
    """A text to be set."""

    role: Role
    text: str
    lettering: Lettering
    fill: str


@dataclass(frozen=True)
class _Set:
    text: Text
    size: float
    lines: Wrapped


@dataclass(frozen=True)
class Block:
    """Texts below each other, set."""

    parts: tuple[_Set, ...]
    left_out: tuple[Role, ...]
    step: float  # of the largest sizes

    @property
    def height(self) -> int:
        """In whole pixels."""
        lines = sum(part.size * LINE * len(part.lines.lines) for part in self.parts)
        between = sum(part.size * _BETWEEN for part in self.parts[1:])
        return round(lines + between + 0.5)

    def placed(self, fonts: Fonts, box: Box, behind: str, *, centred: bool = False) -> tuple[Line, ...]:
        """The lines in a box that is high enough, from its upper edge or around its middle."""
        top = box.y + (max(0, box.height - self.height) / 2 if centred else 0)
        found: list[Line] = []
        for number, part in enumerate(self.parts):
            top += part.size * _BETWEEN if number else 0
            for text in part.lines.lines:
                found.append(_line(fonts, part, text, box, top, behind))
                top += part.size * LINE
        return tuple(found)


def fitted(
    fonts: Fonts, texts: Sequence[Text], box: Box, scale: float, *, largest: float = 1.0
) -> Block | None:
    """The texts as large as they can be in a box; None when not even the first of them fits in a line.

    All at a smaller size come before fewer at a larger one; those that are left out first stand last. The
    first is never left out, but shortened. `largest` is the step of the largest sizes that is tried first.
    """
    for number in range(len(texts), 0, -1):
        left_out: tuple[Role, ...] = tuple(text.role for text in texts[number:])
        for step in (step for step in STEPS if step <= largest):
            parts = _attempt(fonts, texts[:number], box, scale, step)
            if parts is not None and (block := Block(parts, left_out, step)).height <= box.height:
                return block
    return _first_shortened(fonts, texts, box, scale)


def _attempt(
    fonts: Fonts, texts: Sequence[Text], box: Box, scale: float, step: float
) -> tuple[_Set, ...] | None:
    parts: list[_Set] = []
    for text in texts:
        size = _size(text.lettering, step, scale)
        setting = Setting(text.lettering.face, size, text.lettering.lines)
        lines = wrapped(fonts, text.text, setting, box.width)
        if lines is None:
            return None
        parts.append(_Set(text, size, lines))
    return tuple(parts)


def _first_shortened(fonts: Fonts, texts: Sequence[Text], box: Box, scale: float) -> Block | None:
    """All at their smallest, the first with an ellipsis; as many of the others as there is room for."""
    first, *others = texts
    size, smallest = _size(first.lettering, 0.0, scale), STEPS[-1]
    for number in range(len(others), -1, -1):
        rest = _attempt(fonts, others[:number], box, scale, 0.0)
        for most in range(first.lettering.lines, 0, -1) if rest is not None else ():
            lines = shortened(fonts, first.text, Setting(first.lettering.face, size, most), box.width)
            if lines is None:
                return None
            left_out: tuple[Role, ...] = tuple(other.role for other in others[number:])
            block = Block((_Set(first, size, lines), *(rest or ())), left_out, smallest)
            if block.height <= box.height:
                return block
    return None


def _size(lettering: Lettering, step: float, scale: float) -> float:
    """Half pixels, so that few sizes of a font are opened."""
    return round(2 * scale * max(lettering.smallest, lettering.largest * step)) / 2


def _line(fonts: Fonts, part: _Set, text: str, box: Box, top: float, behind: str) -> Line:
    pieces = fonts.pieces(text, part.text.lettering.face)
    widths = [fonts.width(piece.text, piece.face, part.size, piece.rtl) for piece in pieces]
    # A line that begins from right to left stands at the right.
    x = box.x + (box.width - sum(widths) if begins_rtl(text) else 0)
    runs: list[Run] = []
    for piece, width in zip(pieces, widths, strict=True):
        runs.append(
            Run(text=piece.text, face=piece.face, x=round(x, 2), width=round(width, 2), rtl=piece.rtl)
        )
        x += width
    last = text == part.lines.lines[-1]
    return Line(
        role=part.text.role,
        y=round(top + part.size * ASCENT, 2),
        size=part.size,
        fill=part.text.fill,
        behind=behind,
        runs=tuple(runs),
        shortened=part.lines.shortened and last,
    )
