"""Centroids of what was written before moments of the past, by the function that makes `user_vectors`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from marketing_platform.encoders.messages import VECTORS, vector_matrix
from marketing_platform.features.asking import Ask
from marketing_platform.features.queries import GIVEN_PAIRS, texts_sql
from marketing_platform.features.spec import Centroid, Features
from marketing_platform.recommenders.neighbours import user_vectors_of


class Texts:
    """The vectors of all texts of the release."""

    def __init__(self, ask: Ask) -> None:
        found = ask(VECTORS, ["text_embeddings"], {})
        self._ask = ask
        self._vectors = matrix_of(found["text_embedding"])
        self._row_of = {text: row for row, text in enumerate(found["text"].to_pylist())}

    def centroids(self, features: Features, feature: Centroid, given: list[str]) -> pa.Array:
        """The centroid of each pair, null for one without."""
        sql = texts_sql(features, feature.table, feature.column, GIVEN_PAIRS)
        written = self._ask(sql, [feature.table], {"pairs": given})
        rows = np.fromiter(
            (self._row_of[text] for text in written["text"].to_pylist()), np.int64, len(written)
        )
        # By number as text of one length: in this order it comes back.
        numbers = [f"{pair:09d}" for pair in written["pair"].to_pylist()]
        pairs, found = user_vectors_of(numbers, rows, written["times"].to_numpy(), self._vectors)
        dim = self._vectors.shape[1]
        vectors = np.zeros((len(given), dim), np.float32)
        missing = np.ones(len(given), np.bool_)
        places = [int(pair) for pair in pairs]
        vectors[places], missing[places] = found, False
        return pa.FixedSizeListArray.from_arrays(
            pa.array(vectors.reshape(-1)), dim, mask=pa.array(missing, pa.bool_())
        )


def matrix_of(column: pa.ChunkedArray) -> np.ndarray:
    """A column of vectors as a matrix (n x dim float32), whatever list type an engine makes of them."""
    floats = len(column.combine_chunks().flatten())
    return vector_matrix(column, dim=floats // len(column) if len(column) else 0)
