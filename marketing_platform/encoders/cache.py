"""Texts are encoded once: vectors are kept by model and hash of the text.

The cache is a folder of immutable Arrow files (segments), each written under a hidden name and
then renamed. A kill leaves whole segments, and any number of processes may append and look up at
the same time; two that encode the same text store it twice, which does no harm. Which texts
are encoded is not decided here.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa

from marketing_platform.encoders.protocol import Encoder
from marketing_platform.errors import StoreUnavailable

_HASH_BYTES = 32
_SUFFIX = ".arrow"
# What an unfinished segment is called, and when nobody can still be writing it.
_UNFINISHED = ".unfinished-"
_ABANDONED_SECONDS = 3600
# A segment holds so many vectors, or those of so many seconds: a kill loses no more.
_PORTION = 5_000
_PORTION_SECONDS = 10.0


@dataclass(frozen=True)
class EncodeStats:
    """What a call of `encode_cached` did."""

    texts: int
    unique: int
    cached: int  # unique texts found in the cache
    encoded: int  # unique texts encoded now
    seconds: float


def hash_texts(texts: Sequence[str]) -> np.ndarray:
    """SHA-256 of each text, n x 32 uint8. Lone surrogates are hashed as they are."""
    digests = b"".join(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts)
    return np.frombuffer(digests, np.uint8).reshape(-1, _HASH_BYTES)


class EmbeddingCache:
    """Vectors of one model by hash of the text."""

    def __init__(self, folder: Path, model_name: str) -> None:
        self._folder = folder / _folder_name(model_name)
        self._model = model_name

    def lookup(self, hashes: np.ndarray, *, dim: int) -> tuple[np.ndarray, np.ndarray]:
        """Which of these distinct hashes (n x 32 uint8) are here (n bool), and vectors (n x dim float32).

        The vectors of those not found are zero. Segments are memory-mapped one after the other, so
        besides the result it takes some 50 bytes per hash. Raises StoreUnavailable for a segment
        that cannot be read.
        """
        found = np.zeros(len(hashes), bool)
        vectors = np.zeros((len(hashes), dim), np.float32)
        # 8 of the 32 bytes order and search; the whole hash decides.
        order = np.argsort(_prefixes(hashes), kind="stable")
        wanted = _prefixes(hashes)[order]
        for segment_hashes, segment_vectors in self._segments() if len(hashes) else ():
            slots = np.minimum(np.searchsorted(wanted, _prefixes(segment_hashes)), len(wanted) - 1)
            rows = np.flatnonzero(wanted[slots] == _prefixes(segment_hashes))
            places = order[slots[rows]]
            same = (hashes[places] == segment_hashes[rows]).all(axis=1)
            found[places[same]] = True
            vectors[places[same]] = segment_vectors[rows[same]]
        return found, vectors

    def append(self, hashes: np.ndarray, vectors: np.ndarray) -> None:
        """Keep vectors (n x dim) under their hashes (n x 32 uint8), all or nothing."""
        if not len(hashes):
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        flat = pa.array(np.ascontiguousarray(vectors, np.float32).reshape(-1))
        content = pa.py_buffer(np.ascontiguousarray(hashes, np.uint8).tobytes())
        batch = pa.record_batch(
            {
                "hash": pa.Array.from_buffers(pa.binary(_HASH_BYTES), len(hashes), [None, content]),
                "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
            }
        ).replace_schema_metadata({"model": self._model})
        name = uuid.uuid4().hex
        unfinished = self._folder / f"{_UNFINISHED}{name}"
        with unfinished.open("xb") as file:
            with pa.ipc.new_file(file, batch.schema) as writer:
                writer.write_batch(batch)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._folder / f"{name}{_SUFFIX}")

    def _segments(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            try:
                batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
            except (OSError, pa.ArrowInvalid) as error:
                raise StoreUnavailable(
                    f"{path}: this part of the embedding cache cannot be read ({error}); "
                    "delete the file, its texts are then encoded again"
                ) from error
            hashes = np.frombuffer(cast(pa.Buffer, batch["hash"].buffers()[1]), np.uint8)
            flat = cast(pa.FixedSizeListArray, batch["vector"]).flatten().to_numpy()
            rows = batch.num_rows
            yield hashes[: rows * _HASH_BYTES].reshape(rows, _HASH_BYTES), flat.reshape(rows, -1)

    def _sweep(self) -> None:
        # What a killed process left behind.
        for path in self._folder.glob(f"{_UNFINISHED}*"):
            try:
                if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()
            except FileNotFoundError:
                continue  # renamed or swept by another process


def encode_cached(
    encoder: Encoder, cache: EmbeddingCache, texts: Sequence[str]
) -> tuple[np.ndarray, EncodeStats]:
    """Vectors of the texts (n x dim float32); each distinct text that is not cached is encoded once.

    New vectors are kept as they arrive, some thousand or some seconds' worth at once, and all that
    arrived when the encoder fails: the next run goes on where this one was.
    """
    started = time.monotonic()
    order: dict[str, int] = {}
    inverse = np.fromiter((order.setdefault(text, len(order)) for text in texts), np.int64, len(texts))
    unique = list(order)
    hashes = hash_texts(unique)
    found, vectors = cache.lookup(hashes, dim=encoder.dim)
    missing = np.flatnonzero(~found)
    if missing.size:
        with _Keeper(cache, hashes[missing]) as keeper:
            vectors[missing] = encoder.encode([unique[row] for row in missing], arrived=keeper.add)
    stats = EncodeStats(
        texts=len(texts),
        unique=len(unique),
        cached=len(unique) - len(missing),
        encoded=len(missing),
        seconds=time.monotonic() - started,
    )
    return vectors[inverse], stats


class _Keeper:
    """Gathers vectors as they arrive into segments worth a file, and keeps what is left at the end."""

    def __init__(self, cache: EmbeddingCache, hashes: np.ndarray) -> None:
        self._cache = cache
        self._hashes = hashes
        self._begin()

    def __enter__(self) -> _Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        self._keep()

    def add(self, rows: np.ndarray, vectors: np.ndarray) -> None:
        """Take vectors (n x dim) of the texts at these places."""
        self._rows.append(rows)
        self._vectors.append(vectors)
        self._count += len(rows)
        if self._count >= _PORTION or time.monotonic() - self._since > _PORTION_SECONDS:
            self._keep()

    def _begin(self) -> None:
        self._rows: list[np.ndarray] = []
        self._vectors: list[np.ndarray] = []
        self._count = 0
        self._since = time.monotonic()

    def _keep(self) -> None:
        if self._count:
            self._cache.append(self._hashes[np.concatenate(self._rows)], np.concatenate(self._vectors))
        self._begin()


def _folder_name(model: str) -> str:
    """The model's name as a file's; what had to be replaced tells by a hash, or two would be one."""
    readable = re.sub(r"[^A-Za-z0-9._-]", "_", model)
    return readable if readable == model else f"{readable}-{hashlib.sha256(model.encode()).hexdigest()[:8]}"


def _prefixes(hashes: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(hashes).view(np.uint64)[:, 0]
