"""Nearest neighbours among many vectors, nearly all of them, in time that grows with their number.

Vectors are put into lists of their like, and one is compared with those in the lists nearest to it: an
inverted file (Sivic and Zisserman, ICCV 2003; with vectors as here, Jégou, Douze and Schmid, TPAMI 2011). A
library's index answers one vector after the other; here all ask at once, so that a list is one matrix product
with everybody who is near it, which is several times as fast. Comparing everybody is in `neighbours`, and so
is measuring what this misses.

The same vectors give the same answer, with any number of threads: lists are trained with a fixed seed, and a
product is never shared by threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from marketing_platform.cores import cores
from marketing_platform.recommenders.neighbour_hits import Hits, above, bar_behind, best, first_bar, joined
from marketing_platform.recommenders.ranking import rank_within

_LIST_SIZE = 256  # vectors in a list, on average
_PROBED = 32  # lists that one is compared with
_FIRST = 4  # of them, those compared before there is a bar
_TRAINED_BY = 64  # vectors per list
_ROUNDS = 8
_SEED = 20_261_121
_TILE_ROWS = 2_048


@dataclass(frozen=True)
class _Lists:
    """Vectors (n x dim) in order of their list, those of list i from `starts[i]` up to `starts[i + 1]`."""

    vectors: np.ndarray
    places: np.ndarray  # where each was given, n
    starts: np.ndarray
    owner: np.ndarray  # the list of each, n
    probed: np.ndarray  # the lists nearest to each, n x lists compared, nearest first
    first: np.ndarray  # the lists nearest to each list, lists x _FIRST, itself among them

    def members(self, lists: Iterable[int]) -> np.ndarray:
        """The vectors in these lists, by their number here."""
        return np.concatenate([np.arange(self.starts[one], self.starts[one + 1]) for one in lists])


def nearest_in_lists(units: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """For each row (n x dim float32, of unit length) about the k others with the largest cosine, best first.

    Both results are n x k: int64 row numbers and float32 cosines rounded to 6 digits, equal ones in order of
    row number; -1 and 0 where fewer were met. Memory beside the vectors and results: as much as the vectors.
    """
    with ThreadPoolExecutor(cores()) as pool, threadpool_limits(1, user_api="blas"):
        lists = _listed(units, pool)
        numbers = range(len(lists.starts) - 1)
        close = joined(list(pool.map(lambda one: _closest_at_first(lists, one, k), numbers)))
        # Half a step down: what rounds to the bar may still come earlier in order of row number.
        bar = bar_behind(close, len(units), k, half_steps=-1)
        probing = _probing(lists)
        further = joined(list(pool.map(lambda one: _above(lists, one, probing(one), bar), numbers)))
        return _merged(lists, close, further, k, pool)


def _listed(units: np.ndarray, pool: ThreadPoolExecutor) -> _Lists:
    centres = _centres(units)
    starts = range(0, len(units), _TILE_ROWS)
    count = min(_PROBED, len(centres))
    tiles = pool.map(lambda start: _nearest_lists(units[start : start + _TILE_ROWS], centres, count), starts)
    probed = np.concatenate(list(tiles))
    places = np.argsort(probed[:, 0], kind="stable")
    owner = probed[places, 0]
    return _Lists(
        vectors=units[places],
        places=places,
        starts=np.searchsorted(owner, np.arange(len(centres) + 1)),
        owner=owner,
        probed=probed[places],
        first=_nearest_lists(centres, centres, min(_FIRST, len(centres))),
    )


def _centres(units: np.ndarray) -> np.ndarray:
    """Centres of lists (lists x dim float32), by spherical k-means over an evenly spread part of the rows."""
    import faiss  # .1 s, and needed by few

    count = max(1, len(units) // _LIST_SIZE)
    spread = np.linspace(0, len(units) - 1, min(len(units), count * _TRAINED_BY)).astype(np.int64)
    means = faiss.Kmeans(
        units.shape[1],
        count,
        niter=_ROUNDS,
        seed=_SEED,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=_TRAINED_BY + 1,
    )
    means.train(np.ascontiguousarray(units[spread]))
    return np.asarray(means.centroids, np.float32).reshape(count, -1)


def _nearest_lists(vectors: np.ndarray, centres: np.ndarray, count: int) -> np.ndarray:
    """The `count` lists nearest to each vector, nearest first, rows x count int32."""
    cosines = vectors @ centres.T
    found = np.argpartition(cosines, -count, axis=1)[:, -count:]
    order = np.argsort(-np.take_along_axis(cosines, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1).astype(np.int32)


def _closest_at_first(lists: _Lists, one: int, k: int) -> Hits:
    """The nearest of each member of a list, among the lists around it: what others must surpass."""
    columns = lists.members(lists.first[one].tolist())
    found: list[Hits] = []
    for tile in _tiles(lists.members([one])):
        cosines = lists.vectors[tile] @ lists.vectors[columns].T
        cosines[tile[:, None] == columns] = -np.inf
        found.append(best(_placed(above(cosines, first_bar(cosines, k)), lists, tile, columns), k))
    return joined(found)


def _above(lists: _Lists, one: int, rows: np.ndarray, bar: np.ndarray) -> Hits:
    """Those members of a list that are nearer to `rows` than the bar says."""
    columns = lists.members([one])
    return joined(
        [
            _placed(above(lists.vectors[tile] @ lists.vectors[columns].T, bar[tile]), lists, tile, columns)
            for tile in _tiles(rows)
        ]
    )


def _tiles(rows: np.ndarray) -> list[np.ndarray]:
    return np.split(rows, range(_TILE_ROWS, len(rows), _TILE_ROWS))


def _placed(hits: Hits, lists: _Lists, rows: np.ndarray, columns: np.ndarray) -> Hits:
    """Hits in a tile of `rows` and `columns`, the columns by where they were given; none with itself."""
    row, column = rows[hits.rows], columns[hits.columns]
    others = row != column
    return Hits(row[others], lists.places[column[others]], hits.scores[others])


def _probing(lists: _Lists) -> Callable[[int], np.ndarray]:
    """Who is compared with a list and has not been, by the number of the list."""
    asked = lists.probed.copy()
    for first in lists.first.T:
        asked[asked == first[lists.owner][:, None]] = -1
    flat = asked.reshape(-1)
    order = np.argsort(flat, kind="stable")
    bounds = np.searchsorted(flat[order], np.arange(len(lists.starts)))
    rows = order // asked.shape[1]
    return lambda one: rows[bounds[one] : bounds[one + 1]]


def _merged(
    lists: _Lists, close: Hits, further: Hits, k: int, pool: ThreadPoolExecutor
) -> tuple[np.ndarray, np.ndarray]:
    """The best of all hits, by where vectors were given; those of `close` are in order of row."""
    order = np.argsort(further.rows, kind="stable")
    further = Hits(further.rows[order], further.columns[order], further.scores[order])
    indices = np.full((len(lists.vectors), k), -1, np.int64)
    scores = np.zeros((len(lists.vectors), k), np.float32)

    def merge(start: int) -> None:
        found = best(joined([_between(hits, start, start + _TILE_ROWS) for hits in (close, further)]), k)
        rank = rank_within(found.rows)
        rows = lists.places[found.rows]
        indices[rows, rank], scores[rows, rank] = found.columns, found.scores

    for _ in pool.map(merge, range(0, len(lists.vectors), _TILE_ROWS)):
        pass
    return indices, scores


def _between(hits: Hits, start: int, end: int) -> Hits:
    """The hits of these rows, of hits that are in order of row."""
    first, last = np.searchsorted(hits.rows, [start, end])
    return Hits(hits.rows[first:last], hits.columns[first:last], hits.scores[first:last])
