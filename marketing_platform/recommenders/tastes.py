"""What users wrote as directions in the space of meanings, for the users who are asked about.

For millions of messages and users there is one number per message and one vector per text; an array
of a vector per user would take gigabytes, several times in an evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.neighbours import SMALLEST_NORM
from marketing_platform.recommenders.training import Matrix


@dataclass(frozen=True)
class Tastes:
    """The mean direction of what each user wrote: of unit length, or zero."""

    written: Matrix  # users x texts, CSR: how often
    vectors: np.ndarray  # texts x dim

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Vectors of the users in these rows, float32."""
        sums = np.asarray(self.written[rows] @ self.vectors, np.float32)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        return np.divide(sums, norms, out=np.zeros_like(sums), where=norms > SMALLEST_NORM)


@dataclass(frozen=True)
class Messages:
    """What users wrote, as vectors; a vector serves all who wrote the same text."""

    users: np.ndarray  # rows of the training
    texts: np.ndarray  # rows of `vectors`
    days_ago: np.ndarray  # before the newest occurrence; below zero after it
    vectors: np.ndarray

    def tastes(self, users: int, days: float) -> Tastes:
        """Of so many users, by what they wrote until `days` before now."""
        known = self.days_ago >= days
        written = sparse.csr_matrix(
            (np.ones(int(known.sum()), np.float32), (self.users[known], self.texts[known])),
            shape=(users, len(self.vectors)),
        )
        return Tastes(written, self.vectors)
