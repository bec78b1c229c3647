"""Artwork where there is no image: patterns of circles and polygons, the same for the same item.

What a pattern is made of comes from a hash of the item, its main colour from the item's category. PNG and
SVG draw the shapes alike; what is outside of the box is cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import cos, pi, sin

from marketing_platform.content.board.colours import between
from marketing_platform.content.board.document import Box, Circle, Polygon, Shape
from marketing_platform.content.board.spec import Theme

Point = tuple[float, float]


@dataclass(frozen=True)
class Artwork:
    """A pattern in a box."""

    background: str
    shapes: tuple[Shape, ...]


class _Dice:
    """Numbers from a hash, one after another."""

    def __init__(self, seed: str) -> None:
        self._bytes = blake2b(seed.encode("utf-8", "surrogatepass")).digest()
        self._place = 0

    def share(self) -> float:
        """From 0 to 1."""
        value = self._bytes[self._place % len(self._bytes)]
        self._place += 1
        return value / 255

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.share()

    def one_of(self, number: int) -> int:
        return min(number - 1, int(self.share() * number))


@dataclass(frozen=True)
class _Canvas:
    box: Box
    colours: Sequence[str]  # from the main one to the faintest
    dice: _Dice

    def circle(self, x: float, y: float, radius: float, colour: int) -> Circle:
        return Circle(
            x=round(self.box.x + x, 1),
            y=round(self.box.y + y, 1),
            radius=round(radius, 1),
            fill=self.colours[colour % len(self.colours)],
        )

    def polygon(self, points: Sequence[Point], colour: int) -> Polygon:
        placed = tuple((round(self.box.x + x, 1), round(self.box.y + y, 1)) for x, y in points)
        return Polygon(points=placed, fill=self.colours[colour % len(self.colours)])


def artwork(item: str, category: str | None, theme: Theme, box: Box) -> Artwork:
    """The pattern of an item, in the colour of its category."""
    dice = _Dice(item)
    palette = theme.artwork
    main = _Dice(category or item).one_of(len(palette))
    other = (main + 1 + dice.one_of(len(palette) - 1)) % len(palette)
    background = between(palette[main], theme.surface, 0.72)
    colours = (
        palette[main],
        palette[other],
        between(palette[main], theme.surface, 0.42),
        between(palette[other], theme.surface, 0.5),
        between(palette[main], theme.text, 0.35),
    )
    pattern = _PATTERNS[dice.one_of(len(_PATTERNS))]
    return Artwork(background, tuple(pattern(_Canvas(box, colours, dice))))


def _hills(on: _Canvas) -> Iterator[Shape]:
    """A sun over three ridges."""
    width, height = on.box.width, on.box.height
    yield on.circle(
        on.dice.between(0.2, 0.8) * width,
        on.dice.between(0.22, 0.42) * height,
        on.dice.between(0.13, 0.2) * min(width, height) * 1.3,
        1,
    )
    for ridge, colour in enumerate((2, 0, 4)):
        level, swing = 0.5 + 0.17 * ridge, on.dice.between(0.05, 0.12)
        phase, waves = on.dice.between(0, 2 * pi), on.dice.between(0.8, 1.7)
        points = [
            (width * step / 20, height * (level - swing * sin(phase + waves * 2 * pi * step / 20)))
            for step in range(21)
        ]
        yield on.polygon([*points, (width, height), (0, height)], colour)


def _arches(on: _Canvas) -> Iterator[Shape]:
    """Rings around two points at the lower edge."""
    width, height = on.box.width, on.box.height
    for place, colours in ((on.dice.between(0.1, 0.4), (0, 2)), (on.dice.between(0.6, 0.95), (1, 3))):
        largest = on.dice.between(0.45, 0.8) * max(width, height) * 0.62
        for ring in range(5):
            shade = colours[ring % 2]
            yield on.circle(place * width, height, largest * (1 - ring / 5), shade)


def _mosaic(on: _Canvas) -> Iterator[Shape]:
    """Squares with a quarter of a circle, a triangle or a dot in each."""
    rows = 2 if on.box.width > on.box.height else 3
    side = on.box.height / rows
    columns = int(on.box.width / side) + 1
    for row in range(rows):
        for column in range(columns):
            x, y, colour = column * side, row * side, on.dice.one_of(5)
            square = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
            if (row + column) % 2:
                yield on.polygon(square, on.dice.one_of(5))
            kind, turn = on.dice.one_of(3), on.dice.one_of(4)
            if kind == 0:
                yield on.polygon(_quarter(square, turn, side), colour)
            elif kind == 1:
                yield on.polygon([square[turn], square[(turn + 1) % 4], square[(turn + 2) % 4]], colour)
            else:
                yield on.circle(x + side / 2, y + side / 2, side * 0.3, colour)


def _quarter(square: Sequence[Point], turn: int, side: float) -> list[Point]:
    x, y = square[turn]
    start = turn * pi / 2
    arc = [start + pi / 2 * step / 10 for step in range(11)]
    return [(x, y), *((x + side * cos(angle), y + side * sin(angle)) for angle in arc)]


def _ribbons(on: _Canvas) -> Iterator[Shape]:
    """Bands across, each a little wavy."""
    width, height = on.box.width, on.box.height
    bands, slant = 6, on.dice.between(-0.5, 0.5)
    swing, phase = on.dice.between(0.03, 0.08) * height, on.dice.between(0, 2 * pi)
    edges = [
        [
            (
                width * step / 24,
                height * (band / bands * 1.5 - 0.25 + slant * (step / 24 - 0.5))
                + swing * sin(phase + band * 0.7 + step * pi / 12),
            )
            for step in range(25)
        ]
        for band in range(bands + 1)
    ]
    order = (0, 2, 1, 3, 4, 2)
    for band in range(bands):
        if band % 2 == 0 or on.dice.share() > 0.35:  # noqa: PLR2004 -- most, not all
            yield on.polygon([*edges[band], *reversed(edges[band + 1])], order[band])


def _bubbles(on: _Canvas) -> Iterator[Shape]:
    """Circles in circles, large ones first."""
    width, height = on.box.width, on.box.height
    largest = 0.42 * min(width, height)
    for number in range(7):
        x, y = on.dice.share() * width, on.dice.share() * height
        radius = largest * (1 - number * 0.11)
        yield on.circle(x, y, radius, number)
        yield on.circle(x, y, radius * 0.55, number + 1 + on.dice.one_of(3))


def _peaks(on: _Canvas) -> Iterator[Shape]:
    """Mountains, each with a lit side and a dark one."""
    width, height = on.box.width, on.box.height
    yield on.circle(on.dice.between(0.15, 0.85) * width, 0.26 * height, 0.13 * height, 1)
    for number, (near, lit, dark) in enumerate(((0.34, 3, 2), (0.5, 2, 0), (0.7, 0, 4))):
        middle = width * (0.18 + 0.32 * number + on.dice.between(-0.1, 0.1))
        top, half = height * near * on.dice.between(0.75, 1.0), width * on.dice.between(0.3, 0.44)
        fold = middle + half * on.dice.between(-0.15, 0.25)
        yield on.polygon([(middle, top), (middle - half, height), (fold, height)], lit)
        yield on.polygon([(middle, top), (middle + half, height), (fold, height)], dark)


_PATTERNS: tuple[Callable[[_Canvas], Iterator[Shape]], ...] = (
    _hills,
    _arches,
    _mosaic,
    _ribbons,
    _bubbles,
    _peaks,
)
