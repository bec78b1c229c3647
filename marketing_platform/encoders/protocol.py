"""What an encoder promises, whatever model and runtime stand behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np


class Encoder(Protocol):
    """Texts to vectors whose cosine tells how much alike two texts mean."""

    @property
    def name(self) -> str:
        """Model, precision and version: equal names give equal vectors for equal texts."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def encode(
        self, texts: Sequence[str], *, arrived: Callable[[np.ndarray, np.ndarray], None] | None = None
    ) -> np.ndarray:
        """Vectors of unit length, len(texts) x dim float32, in the order of the texts.

        A text without a single token (empty, white space, control characters) gives the zero
        vector. Any string is accepted, lone surrogates too; what exceeds the model's length is
        cut off. A text's vector does not depend on the texts beside it. `arrived` is called
        with the positions of texts that are done (n int64) and their vectors (n x dim), each text once,
        so that nothing of it is lost when a later one fails.
        """
        ...
