"""How good and how fast recommenders are: `python -m benchmarks.recommenders`, or `make bench-recommenders`.

Three parts: MovieLens-100K in the split of the published table, tuned on the training file only; made
interactions with a power law at growing sizes; and similar users beside faiss' exact search. The last
line is one JSON object. Data that is not there is left out with a reason, and its figures are null.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.recommenders_page import (
    PUBLISHED,
    AtScale,
    K,
    SimilarUsers,
    movielens_table,
    scale_table,
    write_section,
)
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
from marketing_platform.recommenders.families.limits import too_large
from marketing_platform.recommenders.neighbours import nearest
from marketing_platform.recommenders.ranking import best_items
from marketing_platform.recommenders.training import Training, training_of

_SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "ml100k"
_SEED = 0
_SIZES = ((10_000, 3_000), (100_000, 20_000), (1_000_000, 50_000))  # users, items
_PER_USER = 15
# A list for everybody costs in proportion; so many tell what one costs.
_MOST_SCORED = 20_000
_STRAYS = 0.2  # share of interactions that are of no taste

console = Console(stderr=True)


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
    return Question(training, later, (K,))


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
    """Train each family within its limits and rank 10 items for every user, or for `_MOST_SCORED` of them."""
    found: list[AtScale] = []
    for users, items in sizes:
        training = made_interactions(users, items)
        asked = np.arange(0, users, max(1, users // _MOST_SCORED))
        console.log(f"{users:,} users, {items:,} items, {training.strength.nnz:,} interactions")
        for name in PUBLISHED:
            refused = too_large(name, users=users, items=items)
            if refused:
                console.log(f"{name} left out: it {refused}")
                continue
            found.append(_family_at_scale(name, training, asked))
            row = found[-1]
            console.log(
                f"{name}: train {row.train_s:.1f} s (CPU {row.train_cpu_s:.1f} s),"
                f" score {row.score_s:.1f} s, peak {row.peak_gb:.2f} GB"
            )
    return found


def _family_at_scale(name: str, training: Training, asked: np.ndarray) -> AtScale:
    with MemoryPeak() as peak:
        begun, begun_cpu = time.perf_counter(), time.process_time()
        model = FAMILIES[name]().fit(training)
        trained, trained_cpu = time.perf_counter(), time.process_time()
        best_items(model.scores, asked, items=len(training.items), k=K, leave_out=training.taken)
        scored = time.perf_counter()
    return AtScale(
        users=len(training.users),
        items=len(training.items),
        interactions=int(training.strength.nnz),
        scored=len(asked),
        family=name,
        train_s=trained - begun,
        train_cpu_s=trained_cpu - begun_cpu,
        score_s=scored - trained,
        peak_gb=peak.gigabytes,
    )


def similar_users(users: int, *, dim: int = 384, k: int = 20) -> SimilarUsers:
    """All similar users, and faiss' exact search of the same vectors right before."""
    import faiss

    chance = np.random.default_rng(_SEED)
    centres = chance.normal(size=(200, dim)).astype(np.float32)
    vectors = centres[chance.integers(200, size=users)]
    vectors += chance.normal(size=(users, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with MemoryPeak() as peak:
        begun = time.perf_counter()
        index: Any = faiss.IndexFlatIP(dim)
        index.add(vectors)
        _, theirs = index.search(vectors, k + 1)
        found = time.perf_counter()
        ours = nearest(vectors, k=k).indices
        done = time.perf_counter()
    # A row may find itself among theirs; whoever is not among ours is not counted.
    same = sum(int(np.isin(row, near).sum()) for row, near in zip(ours, theirs, strict=True))
    return SimilarUsers(users, dim, (done - found) / (found - begun), same / ours.size, peak.gigabytes)


def document(
    judged: Sequence[Judged], scaled: Sequence[AtScale], similar: SimilarUsers | None
) -> dict[str, Any]:
    """The figures as one flat object; null is what was left out. Seconds are of the largest size."""
    ndcg = {row.recommender: row.quality[K].ndcg for row in judged}
    largest = [row for row in scaled if row.users == max(row.users for row in scaled)]
    return {
        "ml100k_ndcg10": ndcg.pop(HYBRID, None),
        "ml100k_best_single_ndcg10": max(ndcg.values(), default=None),
        "neighbours_ratio": similar and similar.ratio,
        "neighbours_recall": similar and similar.recall,
        "train_s": sum(row.train_s for row in largest) if largest else None,
        "score_s": sum(row.score_s for row in largest) if largest else None,
        "peak_gb": max((row.peak_gb for row in scaled), default=None),
    }


def main() -> None:
    """Run the parts, print their tables, end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--movielens", type=Path, default=_SHARED, help="folder with ml-100k.*.rating")
    parser.add_argument("--tune", type=float, default=90, help="seconds of tuning on MovieLens (90)")
    parser.add_argument("--sizes", type=int, default=len(_SIZES), help="how many sizes, smallest first (3)")
    parser.add_argument("--neighbours", type=int, default=100_000, help="users with vectors (100000)")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md as well")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    judged: list[Judged] = []
    if given.movielens.is_dir():
        judged = movielens(given.movielens, tune_seconds=given.tune)
        print(f"{movielens_table(judged)}\n", flush=True)
    else:
        console.print(f"MovieLens-100K left out: {given.movielens} is not there")
    scaled = at_scale(_SIZES[: given.sizes])
    print(f"{scale_table(scaled)}\n", flush=True)
    similar = None
    if given.neighbours:
        console.log(f"similar users among {given.neighbours:,}: faiss, then here")
        similar = similar_users(given.neighbours)
        print(f"{similar}\n", flush=True)
    if given.write_docs:
        write_section(judged, scaled, similar, load=load)
    print(json.dumps(document(judged, scaled, similar)))


if __name__ == "__main__":
    main()
