"""Products of sparse matrices that are too large to hold: made in blocks of rows on all cores, and used up.

What models make of them is in `item_weights.py`, `neighbours.py`, `rp3beta.py` and `ease.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np
from scipy import sparse

from marketing_platform.cores import cores
from marketing_platform.recommenders.training import Matrix

# Entries of a product that each core holds at once; some 30 bytes each.
_BLOCK_ENTRIES = 2 << 20

# From entries of a product, their rows and their columns to what they are worth.
Reweigh = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
Made = TypeVar("Made")


def best_of_products(left: Matrix, right: Matrix, reweigh: Reweigh, *, keep: int) -> Matrix:
    """The `keep` largest entries above 0 of each row of left @ right, reweighed, without the diagonal.

    `left` is n x m, `right` m x n, both CSR. Of equal entries the first are kept. Memory is bounded by a
    block of rows of the product per core beside the result, CSR, n x n with ascending indices.
    """
    parts = of_products(left, right, lambda first, product: _largest_of_rows(product, first, reweigh, keep))
    return sparse.vstack(parts, format="csr") if parts else sparse.csr_matrix((left.shape[0],) * 2)


def of_products(left: Matrix, right: Matrix, use: Callable[[int, Matrix], Made]) -> list[Made]:
    """What `use` makes of each block of rows of left @ right, in their order.

    It is given the number of the first row and the rows (CSR, indices in no order), on several cores at a
    time: SciPy multiplies, and NumPy computes, without Python's lock.
    """

    def made(rows: slice) -> Made:
        return use(rows.start, (left[rows] @ right).tocsr())

    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(made, _blocks(left, right)))


def _blocks(left: Matrix, right: Matrix) -> Iterator[slice]:
    # Rows of the product cannot have more entries than there are products to add up.
    products = left.astype(bool).astype(np.float64) @ np.diff(right.indptr)
    most = np.minimum(products, right.shape[1])
    until = np.cumsum(most)
    start = 0
    while start < left.shape[0]:
        held = until[start] - most[start] + _BLOCK_ENTRIES
        stop = max(start + 1, int(np.searchsorted(until, held, side="right")))
        yield slice(start, stop)
        start = stop


def _largest_of_rows(product: Matrix, first: int, reweigh: Reweigh, keep: int) -> Matrix:
    sizes = np.diff(product.indptr)
    rows = np.repeat(np.arange(first, first + len(sizes), dtype=np.int32), sizes)
    values = reweigh(product.data, rows, product.indices).astype(np.float32, copy=False)
    values[product.indices == rows] = 0
    chosen = [
        start + _largest(values[start:end], product.indices[start:end], keep)
        for start, end in pairwise(product.indptr.tolist())
    ]
    starts = np.concatenate([[0], np.cumsum([len(of_row) for of_row in chosen])])
    places = np.concatenate(chosen)
    return sparse.csr_matrix((values[places], product.indices[places], starts), shape=product.shape)


def _largest(values: np.ndarray, columns: np.ndarray, keep: int) -> np.ndarray:
    """Places of the `keep` largest above 0, in order of column; of equal ones those of the first columns."""
    bar = np.finfo(np.float32).tiny
    if len(values) > keep:
        bar = max(np.partition(values, len(values) - keep)[len(values) - keep], bar)
    chosen = np.flatnonzero(values >= bar)
    if len(chosen) > keep:
        chosen = chosen[np.lexsort((columns[chosen], -values[chosen]))[:keep]]
    return chosen[np.argsort(columns[chosen])]
