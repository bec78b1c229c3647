"""What scores come from, for many users and items at once.

Each family says it as arrays, since lists of objects for everybody would cost more than the ranking.
What is made of it for a person to read is in `recommenders/reasons.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from marketing_platform.recommenders.training import Matrix

CauseKind = Literal["item", "user", "node", "taste", "everyone"]
# `Evidence.place` of what there is only one of: a taste, everyone.
NOWHERE = -1
# Vectors that are multiplied at once, in bytes.
_BLOCK_BYTES = 32 << 20
# How many products of a matrix take as long as one of two rows that are looked up.
_AS_FAST = 8


@dataclass(frozen=True)
class Evidence:
    """Causes of one kind. Without one the score of its pair would be lower by its weight, above zero."""

    kind: CauseKind
    pair: np.ndarray  # place of the user and item that were asked about
    place: np.ndarray  # row of the user, column of the item, number of the node, or NOWHERE
    weight: np.ndarray
    of: str = ""  # the kind of node, as `Training.links` names it


def evidence(
    kind: CauseKind, pair: np.ndarray, place: np.ndarray, weight: np.ndarray, of: str = ""
) -> Evidence:
    """What raises a score; what does not is no cause and is left out."""
    raises = weight > 0
    return Evidence(kind, pair[raises], place[raises], weight[raises].astype(np.float64), of)


def of_entries(kind: CauseKind, weights: Matrix, of: str = "") -> Evidence:
    """From a CSR matrix, pairs x places."""
    return evidence(kind, pairs_of_entries(weights), weights.indices, weights.data, of)


def pairs_of_entries(matrix: Matrix) -> np.ndarray:
    """The row of each entry of a CSR matrix."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def dots(left: np.ndarray, at: np.ndarray, right: np.ndarray, by: np.ndarray) -> np.ndarray:
    """left[at[i]] times right[by[i]] for every i; only a block of the vectors is copied at a time."""
    if len(left) * len(right) <= _AS_FAST * len(at):
        return (left @ right.T)[at, by].astype(np.float64)
    size = max(1, _BLOCK_BYTES // max(1, left.shape[1] * left.itemsize))
    found = np.empty(len(at), np.float64)
    for start in range(0, len(at), size):
        span = slice(start, start + size)
        found[span] = np.einsum("if,if->i", left[at[span]], right[by[span]])
    return found
