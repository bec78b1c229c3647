"""Texts are encoded once, whatever is killed or runs beside."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform.encoders import EmbeddingCache, encode_cached
from marketing_platform.encoders import cache as cache_module
from marketing_platform.encoders.cache import hash_texts
from marketing_platform.errors import StoreUnavailable

any_text = st.text(st.characters(exclude_categories=()), max_size=8)


class Counting:
    """An encoder whose vectors are the first bytes of the text's hash, and that counts its texts."""

    name = "counting/1"
    dim = 4

    def __init__(self, killed_after: int | None = None) -> None:
        self.seen: list[str] = []
        self._killed_after = killed_after

    def encode(
        self, texts: Sequence[str], *, arrived: Callable[[np.ndarray, np.ndarray], None] | None = None
    ) -> np.ndarray:
        for row, text in enumerate(texts):
            if len(self.seen) == self._killed_after:
                raise KeyboardInterrupt
            self.seen.append(text)
            if arrived:
                arrived(np.array([row]), vectors_of([text]))
        return vectors_of(texts)


def vectors_of(texts: Sequence[str]) -> np.ndarray:
    return hash_texts(texts)[:, :4].astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(st.lists(any_text, max_size=12), st.lists(any_text, max_size=12))
def test_each_text_is_encoded_once(
    tmp_path_factory: pytest.TempPathFactory, first: list[str], second: list[str]
) -> None:
    cache = EmbeddingCache(tmp_path_factory.mktemp("cache"), Counting.name)
    encoder = Counting()
    for texts in (first, second, first + second):
        vectors, stats = encode_cached(encoder, cache, texts)
        np.testing.assert_array_equal(vectors, vectors_of(texts))
        assert (stats.texts, stats.unique) == (len(texts), len(set(texts)))
        assert stats.cached + stats.encoded == stats.unique
    assert sorted(encoder.seen) == sorted(set(first + second))


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_PORTION", 10)
    texts = [f"text {number}" for number in range(35)]
    cache = EmbeddingCache(tmp_path, Counting.name)
    with pytest.raises(KeyboardInterrupt):
        encode_cached(Counting(killed_after=20), cache, texts)
    _, stats = encode_cached(Counting(), cache, texts)
    assert (stats.cached, stats.encoded) == (20, 15)


def test_vectors_are_kept_while_others_are_still_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "_PORTION", 10)
    texts = [f"text {number}" for number in range(25)]
    cache = EmbeddingCache(tmp_path, Counting.name)
    kept: list[int] = []

    class Looking(Counting):
        def encode(
            self, texts: Sequence[str], *, arrived: Callable[[np.ndarray, np.ndarray], None] | None = None
        ) -> np.ndarray:
            def look(rows: np.ndarray, vectors: np.ndarray) -> None:
                assert arrived is not None
                arrived(rows, vectors)
                kept.append(int(cache.lookup(hash_texts(texts), dim=4)[0].sum()))

            return super().encode(texts, arrived=look)

    encode_cached(Looking(), cache, texts)
    assert kept == [0] * 9 + [10] * 10 + [20] * 6


def test_an_unfinished_segment_is_never_read_and_later_swept(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, Counting.name)
    encode_cached(Counting(), cache, ["one"])
    folder = next(tmp_path.iterdir())
    old, fresh = folder / ".unfinished-old", folder / ".unfinished-fresh"
    for path in (old, fresh):
        path.write_bytes(b"ARROW1 cut off")
    os.utime(old, (time.time() - 7200,) * 2)
    _, stats = encode_cached(Counting(), cache, ["one", "two"])
    assert stats.cached == 1
    assert (old.exists(), fresh.exists()) == (False, True)


def test_a_broken_segment_is_named_with_the_remedy(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, Counting.name)
    encode_cached(Counting(), cache, ["one"])
    segment = next(next(tmp_path.iterdir()).glob("*.arrow"))
    segment.write_bytes(segment.read_bytes()[:100])
    with pytest.raises(StoreUnavailable, match=rf"{segment.name}.*delete the file"):
        encode_cached(Counting(), cache, ["one"])


def test_models_do_not_share_vectors(tmp_path: Path) -> None:
    encode_cached(Counting(), EmbeddingCache(tmp_path, "counting/1"), ["one"])
    _, stats = encode_cached(Counting(), EmbeddingCache(tmp_path, "counting/2"), ["one"])
    assert stats.encoded == 1


def _append(folder: Path, texts: list[str]) -> None:
    encode_cached(Counting(), EmbeddingCache(folder, Counting.name), texts)


@pytest.mark.slow
def test_many_processes_append_at_once(tmp_path: Path) -> None:
    parts = [[f"{part}-{number}" for number in range(50)] + ["shared"] for part in range(3)]
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_append, args=(tmp_path, part)) for part in parts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    texts = [text for part in parts for text in part]
    vectors, stats = encode_cached(Counting(), EmbeddingCache(tmp_path, Counting.name), texts)
    assert (stats.encoded, stats.cached) == (0, 151)
    np.testing.assert_array_equal(vectors, vectors_of(texts))
