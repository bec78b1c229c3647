"""Rows fill their box, keep the order, and are as even as they can be."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from marketing_platform.content.board.document import Box
from marketing_platform.content.board.rows import justified

RATIOS = st.lists(st.floats(0.3, 4), min_size=1, max_size=9)


@given(RATIOS, st.integers(300, 2000), st.integers(300, 2000), st.integers(0, 12))
def test_rows_fill_the_box_without_overlap(ratios: list[float], width: int, height: int, gap: int) -> None:
    box = Box(x=7, y=11, width=width, height=height)
    tiles = justified(ratios, box, gap)
    assert len(tiles) == len(ratios)
    rows = [[tile for tile in tiles if tile.y == y] for y in sorted({tile.y for tile in tiles})]
    assert [tile for row in rows for tile in row] == tiles  # in their order
    for row in rows:
        assert len({tile.height for tile in row}) == 1
        assert (row[0].x, row[-1].right) == (box.x, box.right)
        assert all(left.right + gap == right.x for left, right in pairwise(row))
    assert (rows[0][0].y, rows[-1][0].bottom) == (box.y, box.bottom)
    assert all(above[0].bottom + gap == below[0].y for above, below in pairwise(rows))


@given(st.integers(1, 3), st.integers(1, 3), st.integers(80, 300))
def test_tiles_of_one_shape_make_the_grid_that_suits_them(rows: int, columns: int, side: int) -> None:
    assume(rows * columns > 1)
    box = Box(x=0, y=0, width=columns * side, height=rows * side)
    tiles = justified([1.0] * (rows * columns), box, 0)
    assert {(tile.width, tile.height) for tile in tiles} == {(side, side)}


def test_a_wide_tile_gets_a_row_of_its_own() -> None:
    tiles = justified([1.0, 1.0, 2.0, 1.0, 1.0], Box(x=0, y=0, width=200, height=300), 0)
    assert [(tile.x, tile.y, tile.width) for tile in tiles] == [
        (0, 0, 100),
        (100, 0, 100),
        (0, 100, 200),
        (0, 200, 100),
        (100, 200, 100),
    ]


def test_nothing_fills_nothing() -> None:
    assert justified([], Box(x=0, y=0, width=10, height=10), 1) == []
