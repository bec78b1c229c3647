"""The local encoder on every executor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from marketing_platform.compute.jobs import TEXTS_SCHEMA, Encoding, Run, results
from marketing_platform.compute.staging import stage
from marketing_platform.encoders import Encoder
from marketing_platform.encoders.messages import vector_matrix
from marketing_platform.stores.named_folders import NamedFolders

# Fewer texts are encoded here before a job has begun.
WORTH_A_JOB = 10_000
# Texts of one task.
_CHUNK = 2_048


class SparkEncoder:
    """Implements `Encoder` by a job; what is not worth one is encoded in this process."""

    def __init__(
        self,
        here: Callable[[], Encoder],
        run: Run,
        folders: NamedFolders,
        models_dir: Path,
        *,
        worth_a_job: int = WORTH_A_JOB,
    ) -> None:
        self._open = here
        self._run = run
        self._folders = folders
        self._models_dir = models_dir
        self._worth_a_job = worth_a_job

    @cached_property
    def _here(self) -> Encoder:
        return self._open()

    @property
    def name(self) -> str:
        return self._here.name

    @property
    def dim(self) -> int:
        return self._here.dim

    def encode(
        self, texts: Sequence[str], *, arrived: Callable[[np.ndarray, np.ndarray], None] | None = None
    ) -> np.ndarray:
        """See `Encoder.encode`; vectors arrive when the job has ended."""
        if len(texts) < self._worth_a_job:
            return self._here.encode(texts, arrived=arrived)
        vectors = np.zeros((len(texts), self.dim), np.float32)
        with self._folders.private() as folder:
            staged, output = stage(_chunks(texts), TEXTS_SCHEMA, folder / "texts"), folder / "vectors"
            self._run(Encoding(texts=staged, models_dir=self._models_dir, output=output))
            for encoded in results(output):
                rows = encoded["row"].to_numpy()
                vectors[rows] = vector_matrix(encoded["vector"], dim=self.dim)
                if arrived:
                    arrived(rows, vectors[rows])
        return vectors


def _chunks(texts: Sequence[str]) -> Iterator[pa.Table]:
    """The texts with their places, longest first: texts of a task are alike, and no long ones come last."""
    order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
    for start in range(0, len(order), _CHUNK):
        rows = order[start : start + _CHUNK]
        # Parquet holds UTF-8; half a surrogate pair becomes the question mark that the tokenizer makes of it.
        readable = [texts[row].encode("utf-8", "replace").decode("utf-8") for row in rows]
        yield pa.table([pa.array(rows, pa.int64()), pa.array(readable, pa.string())], schema=TEXTS_SCHEMA)
