"""How good and how fast recommenders are: `python -m benchmarks.recommenders`, or `make bench-recommenders`.

Three parts: MovieLens-100K in the split of the published table, tuned on the training file only; made
interactions with a power law at growing sizes; and similar users beside faiss' exact search. The last
line is one JSON object. Data that is not there is left out with a reason, and its figures are null.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from marketing_platform.recommenders.evaluation.comparison import (
    HYBRID,
    Judged,
    Question,
    compare,
    suitable,
    tuned,
    tuning_splits,
)
from marketing_platform.recommenders.evaluation.memory import MemoryPeak
from marketing_platform.recommenders.evaluation.metrics import later_of
from marketing_platform.recommenders.families import FAMILIES
from marketing_platform.recommenders.neighbours import nearest
from marketing_platform.recommenders.ranking import best_items
from marketing_platform.recommenders.training import Training, training_of

# Ferrari Dacrema et al., TOIS 2021, additional material, table 46: P@10, R@10, NDCG@10.
PUBLISHED = {
    "popular": (0.1907, 0.1180, 0.1361),
    "item_neighbours": (0.3293, 0.2152, 0.2571),
    "rp3beta": (0.3435, 0.2191, 0.2588),
    "user_neighbours": (0.3442, 0.2237, 0.2692),
    "ials": (0.3596, 0.2283, 0.2759),
    "ease": (0.3739, 0.2430, 0.2905),
    "slim": (0.3770, 0.2441, 0.2957),
}
_SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "ml100k"
_K = 10
_SEED = 0
# Families whose cost follows the interactions, not users or items squared.
_AT_SCALE = ("popular", "item_neighbours", "rp3beta", "ease", "ials")
_SIZES = ((10_000, 5_000), (100_000, 20_000), (1_000_000, 50_000))  # users, items
_PER_USER = 15
# A list for everybody costs in proportion; so many tell what one costs.
_MOST_SCORED = 100_000
_STRAYS = 0.2  # share of interactions that are of no taste

console = Console(stderr=True)


@dataclass(frozen=True)
class AtScale:
    """One family at one size."""

    users: int
    items: int
    interactions: int
    scored: int  # users
    family: str
    train_s: float
    score_s: float
    peak_gb: float


def movielens(folder: Path, *, tune_seconds: float) -> list[Judged]:
    """Every family of the published table and the hybrid, on the split of the published table."""
    question = movielens_question(folder)
    offered, _ = suitable(question.training)
    families = {name: family for name, family in offered.items() if name in PUBLISHED}
    if tune_seconds:
        families = tuned(
            families,
            tuning_splits(question.training, seed=_SEED),
            seconds=tune_seconds,
            seed=_SEED,
            on_progress=console.log,
        )
    return compare(question, families, seed=_SEED, on_progress=console.log)


def movielens_question(folder: Path) -> Question:
    """The files as they lie: training lines `user item rating`, test lines a user and then its items."""
    known = np.loadtxt(folder / "ml-100k.train.rating", dtype=str)
    test = [line.split() for line in (folder / "ml-100k.test.rating").read_text().splitlines()]
    pairs = [(line[0], item) for line in test for item in line[1:]]
    users, items = [user for user, _ in pairs], [item for _, item in pairs]
    training = training_of(known[:, 0], known[:, 1], all_users=users, all_items=items)
    later = later_of(*training.places(users, items), shape=training.strength.shape)
    return Question(training, later, (_K,))


def made_interactions(users: int, items: int) -> Training:
    """Interactions whose users and items follow a power law, with neighbourhoods of taste."""
    chance = np.random.default_rng(_SEED)
    per_user = np.minimum(chance.zipf(1.6, users) + 4, 500)
    per_user = np.maximum(1, per_user * _PER_USER // max(1, int(per_user.mean())))
    rows = np.repeat(np.arange(users), per_user)
    drawn = (chance.random(len(rows)) ** 2.5 * items / 20).astype(np.int64)
    tastes = chance.integers(20, size=users)[rows]
    strays = chance.random(len(rows)) < _STRAYS
    columns = (drawn * 20 + np.where(strays, chance.integers(20, size=len(rows)), tastes)) % items
    return training_of(_names("u", users)[rows], _names("i", items)[columns])


def _names(prefix: str, count: int) -> np.ndarray:
    return np.char.add(prefix, np.arange(count).astype(str)).astype(object)


def at_scale(sizes: Sequence[tuple[int, int]]) -> list[AtScale]:
    """Train each family and rank 10 items for every user, or for `_MOST_SCORED` of them."""
    found: list[AtScale] = []
    for users, items in sizes:
        training = made_interactions(users, items)
        asked = np.arange(0, users, max(1, users // _MOST_SCORED))
        console.log(f"{users:,} users, {items:,} items, {training.strength.nnz:,} interactions")
        for name in _AT_SCALE:
            found.append(_family_at_scale(name, training, asked))
            row = found[-1]
            console.log(
                f"{name}: train {row.train_s:.1f} s, score {row.score_s:.1f} s, peak {row.peak_gb:.2f} GB"
            )
    return found


def _family_at_scale(name: str, training: Training, asked: np.ndarray) -> AtScale:
    with MemoryPeak() as peak:
        begun = time.perf_counter()
        model = FAMILIES[name]().fit(training)
        trained = time.perf_counter()
        best_items(model.scores, asked, items=len(training.items), k=_K, leave_out=training.taken)
        scored = time.perf_counter()
    return AtScale(
        users=len(training.users),
        items=len(training.items),
        interactions=int(training.strength.nnz),
        scored=len(asked),
        family=name,
        train_s=trained - begun,
        score_s=scored - trained,
        peak_gb=peak.gigabytes,
    )


def neighbours(users: int, *, dim: int = 384, k: int = 20) -> tuple[float, float]:
    """Our time over that of faiss' exact search in the same run, and our recall against it."""
    import faiss

    chance = np.random.default_rng(_SEED)
    centres = chance.normal(size=(200, dim))
    vectors = centres[chance.integers(200, size=users)] + chance.normal(size=(users, dim))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    begun = time.perf_counter()
    index: Any = faiss.IndexFlatIP(dim)
    index.add(vectors)
    _, theirs = index.search(vectors, k + 1)
    found = time.perf_counter()
    ours, _ = nearest(vectors, k=k)
    done = time.perf_counter()
    # A row may find itself among theirs; whoever is not among ours is not counted.
    same = sum(int(np.isin(row, near).sum()) for row, near in zip(ours, theirs, strict=True))
    return (done - found) / (found - begun), same / ours.size


def _movielens_table(rows: Sequence[Judged]) -> Table:
    table = Table(title="MovieLens-100K, best 10, published in brackets", title_justify="left")
    for column in ("recommender", "P@10", "R@10", "NDCG@10", "train s", "score s", "peak GB"):
        table.add_column(column, justify="left" if column == "recommender" else "right")
    for row in rows:
        found = row.quality[_K]
        ours = (found.precision, found.recall, found.ndcg)
        theirs = PUBLISHED.get(row.recommender, ())
        cells = [
            f"{own:.4f}" + (f" ({theirs[place]:.4f})" if theirs else "") for place, own in enumerate(ours)
        ]
        figures = (row.train_s, row.score_s, row.peak_gb)
        table.add_row(row.recommender, *cells, *(f"{figure:.2f}" for figure in figures))
    return table


def _scale_table(rows: Sequence[AtScale]) -> Table:
    title = "Made interactions; growth is the exponent of the size since the size before"
    table = Table(title=title, title_justify="left")
    for column in ("family", "users", "items", "interactions", "train s", "growth with interactions"):
        table.add_column(column, justify="left" if column == "family" else "right")
    for column in ("ms per user scored", "growth with items", "peak GB"):
        table.add_column(column, justify="right")
    for row in sorted(rows, key=lambda row: (_AT_SCALE.index(row.family), row.users)):
        smaller = [one for one in rows if one.family == row.family and one.users < row.users]
        before = max(smaller, key=lambda one: one.users, default=None)
        train = score = "-"
        if before:
            train = _exponent(before.train_s, row.train_s, before.interactions, row.interactions)
            score = _exponent(_per_user(before), _per_user(row), before.items, row.items)
        sizes = (f"{size:,}" for size in (row.users, row.items, row.interactions))
        scored = f"{_per_user(row) * 1e3:.3f}"
        table.add_row(row.family, *sizes, f"{row.train_s:.2f}", train, scored, score, f"{row.peak_gb:.2f}")
    return table


def _per_user(row: AtScale) -> float:
    return row.score_s / row.scored


def _exponent(before: float, after: float, smaller: float, larger: float) -> str:
    return f"{np.log(after / before) / np.log(larger / smaller):.2f}"


def main() -> None:
    """Run the parts, print their tables, end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--movielens", type=Path, default=_SHARED, help="folder with ml-100k.*.rating")
    parser.add_argument("--tune", type=float, default=90, help="seconds of tuning on MovieLens (90)")
    parser.add_argument("--sizes", type=int, default=len(_SIZES), help="how many sizes, smallest first (3)")
    parser.add_argument("--neighbours", type=int, default=100_000, help="users with vectors (100000)")
    given = parser.parse_args()
    judged: list[Judged] = []
    if given.movielens.is_dir():
        judged = movielens(given.movielens, tune_seconds=given.tune)
        console.print(_movielens_table(judged))
    else:
        console.print(f"MovieLens-100K left out: {given.movielens} is not there")
    scaled = at_scale(_SIZES[: given.sizes])
    console.print(_scale_table(scaled))
    ratio = recall = None
    if given.neighbours:
        console.log(f"similar users among {given.neighbours:,}: faiss, then here")
        with MemoryPeak() as peak:
            ratio, recall = neighbours(given.neighbours)
        console.log(f"{ratio:.2f} times the time of faiss, recall {recall:.5f}, peak {peak.gigabytes:.2f} GB")
    ndcg = {row.recommender: row.quality[_K].ndcg for row in judged}
    largest = [row for row in scaled if row.users == max(row.users for row in scaled)] if scaled else []
    print(
        json.dumps(
            {
                "ml100k_ndcg10": ndcg.pop(HYBRID, None),
                "ml100k_best_single_ndcg10": max(ndcg.values(), default=None),
                "neighbours_ratio": ratio,
                "neighbours_recall": recall,
                "train_s": sum(row.train_s for row in largest),
                "score_s": sum(row.score_s for row in largest),
                "peak_gb": max((row.peak_gb for row in scaled), default=None),
            }
        )
    )


if __name__ == "__main__":
    main()
