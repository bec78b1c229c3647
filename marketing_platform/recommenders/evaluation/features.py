"""What a file says of items, as the parts of a training that content and discovery need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from marketing_platform.recommenders.training import Training

_MOST_TAGS = 4_096


def with_texts(training: Training, items: Sequence[str], vectors: np.ndarray) -> Training:
    """The training with a vector (of unit length or zero) for each of `items`; others have none."""
    features = np.zeros((len(training.items), vectors.shape[1]), np.float32)
    places, known = _known(training, items)
    features[places] = vectors[known]
    return replace(training, features=features)


def with_tags(training: Training, items: Sequence[str], tags: Sequence[Sequence[str]]) -> Training:
    """The training with a dimension per tag (the most frequent), and an item's first tag as its category."""
    counts: Counter[str] = Counter(tag for of_item in tags for tag in set(of_item))
    number = {tag: place for place, (tag, _) in enumerate(counts.most_common(_MOST_TAGS))}
    vectors = np.zeros((len(items), max(1, len(number))), np.float32)
    for row, of_item in enumerate(tags):
        vectors[row, [number[tag] for tag in of_item if tag in number]] = 1
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    described = with_texts(training, items, vectors / np.maximum(norms, 1))
    categories = np.full(len(training.items), -1)
    firsts: dict[str, int] = {
        tag: n for n, tag in enumerate(sorted({of_item[0] for of_item in tags if of_item}))
    }
    places, known = _known(training, items)
    for place, row in zip(places, map(int, known), strict=True):
        if tags[row]:
            categories[place] = firsts[tags[row][0]]
    return replace(described, categories=categories)


def _known(training: Training, items: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Places in the training of the items that are in it, and their rows in `items`."""
    place = {item: number for number, item in enumerate(training.items)}
    rows = [row for row, item in enumerate(items) if item in place]
    return np.asarray([place[items[row]] for row in rows], np.int64), np.asarray(rows, np.int64)
