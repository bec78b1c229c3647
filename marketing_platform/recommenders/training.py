"""What a recommender learns from: who took what, how much, how long ago, and what items are like.

Items are products or campaigns alike. Rows and columns of every matrix are users and items in
ascending order of id; ids meet numbers here and nowhere else. Where the interactions come from
(a table, a CSV file) is not decided here, nor what is made of them (`families`, `evaluation`).
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from marketing_platform.errors import InputError

# CSR, or an array where a text says so; scipy's own types do not say what their parts are.
Matrix = Any

# Of users or items; many of them are best given as an array of strings.
Ids = Sequence[str] | np.ndarray | pa.Array | pa.ChunkedArray

_SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True)
class Links:
    """A way from users to items over nodes of one kind (a category, an interest, a campaign)."""

    nodes: Sequence[str]  # names, in order of the columns of `of_users`
    of_users: Matrix  # users x nodes, weights above zero
    of_items: Matrix  # nodes x items, weights above zero


@dataclass(frozen=True)
class Training:
    """Known interactions; build it with `training_of`."""

    users: np.ndarray  # ids, ascending
    items: np.ndarray  # ids, ascending
    strength: Matrix  # users x items; an entry above zero for every pair that counts
    # The occurrences behind `strength`, one entry each: row, column and days before the newest of all.
    occurrences: Occurrences | None = None
    features: np.ndarray | None = None  # items x dim, of unit length or zero
    tastes: Matrix | None = None  # users x dim in the same space, by rows: what they wrote
    categories: np.ndarray | None = None  # number of the category per item, -1 when unknown
    links: Mapping[str, Links] = field(default_factory=dict)

    @cached_property
    def taken(self) -> Matrix:
        """`strength` with every entry 1: who took what."""
        taken = self.strength.astype(np.float32)
        taken.data = np.ones_like(taken.data)
        return taken

    @cached_property
    def popularity(self) -> np.ndarray:
        """How many users took each item."""
        return np.bincount(self.strength.indices, minlength=len(self.items)).astype(np.float64)

    @property
    def offers(self) -> frozenset[str]:
        """What there is beside who took what; families say what they need of it."""
        given = {
            "times": self.occurrences,
            "features": self.features,
            "categories": self.categories,
            "links": self.links or None,
        }
        return frozenset(name for name, part in given.items() if part is not None)

    def places(self, users: Sequence[str], items: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of each pair of known ids."""
        return places_of(users, self.users), places_of(items, self.items)

    def only(self, kept: np.ndarray) -> Training:
        """The same users and items with only some entries of `strength` (a mask in its order)."""
        strength = self.strength.copy()
        strength.data = np.where(kept, strength.data, 0)
        strength.eliminate_zeros()
        occurrences = self.occurrences.of_pairs(strength) if self.occurrences else None
        return replace(self, strength=strength, occurrences=occurrences)

    def before(self, days: float) -> Training:
        """What was known `days` before the newest occurrence; the ages count from then."""
        given = self.occurrences
        if given is None:
            raise InputError("only interactions with times can be split in time")
        known = given.days_ago >= days
        strength = _strength(given.row[known], given.column[known], given.amount[known], self.strength.shape)
        earlier = Occurrences(
            given.row[known], given.column[known], given.amount[known], given.days_ago[known] - days
        )
        return replace(self, strength=strength, occurrences=earlier.of_pairs(strength))


@dataclass(frozen=True)
class Occurrences:
    """Every single interaction of the pairs that count, for what depends on when and how often."""

    row: np.ndarray  # user
    column: np.ndarray  # item
    amount: np.ndarray  # below zero for what takes back
    days_ago: np.ndarray  # before the newest occurrence; 0 or more

    def of_pairs(self, strength: Matrix) -> Occurrences:
        """Those of pairs that have an entry in `strength`."""
        pairs = self.row.astype(np.int64) * strength.shape[1] + self.column
        kept = np.isin(pairs, pairs_of(strength))
        return Occurrences(self.row[kept], self.column[kept], self.amount[kept], self.days_ago[kept])


def pairs_of(matrix: Matrix) -> np.ndarray:
    """A number for each entry of a CSR matrix, in its order: row x width + column."""
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    return rows * matrix.shape[1] + matrix.indices


def training_of(
    users: Ids,
    items: Ids,
    values: Sequence[float] | np.ndarray | None = None,
    seconds: Sequence[float] | np.ndarray | None = None,
    *,
    all_users: Ids = (),
    all_items: Ids = (),
) -> Training:
    """From one entry per interaction: who, what, how much (1 unless given) and when (Unix time).

    The values of a pair add up, and a pair whose sum is not above zero does not count (what was
    bought and returned, a dislike). `all_users` and `all_items` have a row and a column even if
    nothing is known of them. Raises InputError when a figure is not finite or lengths differ.
    """
    known_users, rows = _numbered(users, all_users)
    known_items, columns = _numbered(items, all_items)
    amounts = np.ones(len(rows)) if values is None else np.asarray(values, np.float64)
    _require_finite("value", amounts, len(rows))
    strength = _strength(rows, columns, amounts, (len(known_users), len(known_items)))
    if seconds is None:
        return Training(known_users, known_items, strength)
    moments = np.asarray(seconds, np.float64)
    _require_finite("timestamp", moments, len(rows))
    newest = moments.max() if len(moments) else 0.0
    every = Occurrences(rows, columns, amounts, (newest - moments) / _SECONDS_PER_DAY)
    return Training(known_users, known_items, strength, every.of_pairs(strength))


def _strength(rows: np.ndarray, columns: np.ndarray, amounts: np.ndarray, shape: tuple[int, int]) -> Matrix:
    strength = sparse.csr_matrix((amounts, (rows, columns)), shape=shape)
    strength.sum_duplicates()
    strength.data = np.maximum(strength.data, 0)
    strength.eliminate_zeros()
    strength.sort_indices()
    return strength


def _numbered(named: Ids, known: Ids) -> tuple[np.ndarray, np.ndarray]:
    """All ids in ascending order, and the place of each of `named` among them."""
    given = pa.concat_arrays([_strings(ids) for ids in (named, known)])
    coded = given.dictionary_encode()
    order = pc.array_sort_indices(coded.dictionary).to_numpy()
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    ids = np.empty(len(order), object)
    ids[:] = coded.dictionary.take(pa.array(order)).to_pylist()
    return ids, ranks[coded.indices.to_numpy()[: len(named)]]


def places_of(named: Ids, known: Ids) -> np.ndarray:
    """The place of each of `named` among `known`, -1 where it is not among them."""
    places = pc.index_in(_strings(named), value_set=_strings(known))
    return pc.fill_null(places, -1).to_numpy(zero_copy_only=False).astype(np.int64)


def _strings(ids: Ids) -> pa.Array:
    if isinstance(ids, pa.ChunkedArray):
        return ids.cast(pa.large_string()).combine_chunks()
    return pa.array(ids, pa.large_string())


def _require_finite(what: str, figures: np.ndarray, expected: int) -> None:
    if len(figures) != expected:
        raise InputError(f"{len(figures)} {what}s for {expected} interactions; each needs one")
    bad = np.flatnonzero(~np.isfinite(figures))
    if len(bad):
        raise InputError(f"interaction {bad[0] + 1}: its {what} is {figures[bad[0]]}, not a finite number")
