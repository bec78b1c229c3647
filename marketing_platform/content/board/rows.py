"""Justified rows: tiles in their order, in rows that fill a box, each tile near the shape it should have.

The tiles are divided into rows as a whole, not row by row: of all divisions the one whose rows come closest
to the height they should have, found by dynamic programming. It is the linear partition problem (Skiena, The
Algorithm Design Manual, 2nd ed., 2008, section 8.5), with rows judged as Knuth and Plass judge lines of a
paragraph (Breaking Paragraphs into Lines, Software: Practice and Experience 11, 1981).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log

from marketing_platform.content.board.document import Box


def justified(ratios: Sequence[float], box: Box, gap: int) -> list[Box]:
    """A box for each tile, row by row, that together fill `box` but for the gaps between them.

    Args:
        ratios: Width by height that each tile would like to have, above 0.
        box: What is filled.
        gap: Pixels between tiles.
    """
    if not ratios:
        return []
    divisions = (_division(ratios, rows, box, gap) for rows in range(1, len(ratios) + 1))
    _, ends = min(divisions, key=lambda found: found[0])
    rows = [ratios[start:end] for start, end in zip((0, *ends), ends, strict=False)]
    heights = shared(box.y, box.height, [_height(row, box, gap) for row in rows], gap)
    return [
        Box(x=x, y=y, width=width, height=height)
        for (y, height), row in zip(heights, rows, strict=True)
        for x, width in shared(box.x, box.width, row, gap)
    ]


def _division(ratios: Sequence[float], rows: int, box: Box, gap: int) -> tuple[float, tuple[int, ...]]:
    """The badness of the best division into so many rows, and where its rows end."""
    wanted = (box.height - gap * (rows - 1)) / rows
    if wanted <= 0:
        return inf, (len(ratios),)
    # By the number of tiles that are placed: the least badness, and where the rows end.
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for row in range(1, rows + 1):
        reached: dict[int, tuple[float, tuple[int, ...]]] = {}
        for start, (badness, ends) in best.items():
            for end in range(start + 1, len(ratios) - (rows - row) + 1):
                height = _height(ratios[start:end], box, gap)
                if height <= 0:
                    continue
                total = badness + (end - start) * log(height / wanted) ** 2
                if total < reached.get(end, (inf, ()))[0]:
                    reached[end] = (total, (*ends, end))
        best = reached
    return best.get(len(ratios), (inf, (len(ratios),)))


def _height(row: Sequence[float], box: Box, gap: int) -> float:
    """How high a row is whose tiles have the shapes they like and fill its width."""
    return (box.width - gap * (len(row) - 1)) / sum(row)


def shared(start: int, length: int, weights: Sequence[float], gap: int) -> list[tuple[int, int]]:
    """Start and length of parts in proportion to weights, with gaps between, in whole pixels."""
    room, total, before = max(0, length - gap * (len(weights) - 1)), sum(weights), 0.0
    found: list[tuple[int, int]] = []
    for number, weight in enumerate(weights):
        first = round(room * before / total)
        before += weight
        found.append((start + first + gap * number, round(room * before / total) - first))
    return found
