"""The figures of `recommenders.py` as tables, on the terminal and in their section of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.page import Section, write
from marketing_platform.recommenders.evaluation.comparison import Judged
from marketing_platform.recommenders.families.limits import EASE_DENSE_ITEMS, too_large
from marketing_platform.recommenders.neighbours import EXACT_UP_TO

K = 10
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

_INTRODUCTION = "Where other work stretches the seconds, CPU seconds say what was computed."


@dataclass(frozen=True)
class AtScale:
    """One family at one size."""

    users: int
    items: int
    interactions: int
    scored: int  # users
    family: str
    train_s: float
    train_cpu_s: float  # of all cores together
    score_s: float
    peak_gb: float

    @property
    def per_user_s(self) -> float:
        """Seconds of the list of one user."""
        return self.score_s / self.scored


@dataclass(frozen=True)
class SimilarUsers:
    """All similar users beside faiss' exact search of the same vectors."""

    users: int
    dim: int
    ratio: float  # our time over theirs
    recall: float  # against theirs
    peak_gb: float

    def __str__(self) -> str:
        how = "everybody compared with everybody" if self.users <= EXACT_UP_TO else "found in lists"
        return (
            f"Similar users, the 20 nearest of each of {self.users:,} (vectors of {self.dim}), {how}:"
            f" {self.ratio:.2f} times the time of faiss' exact search in the same run, recall"
            f" {self.recall:.5f} against it, at most {self.peak_gb:.2f} GB in memory, theirs included."
        )


def write_section(
    judged: Sequence[Judged], scaled: Sequence[AtScale], similar: SimilarUsers | None, *, load: float
) -> None:
    """Write the section anew, and leave the rest of the page as it is."""
    parts = (movielens_table(judged), scale_table(scaled), str(similar or ""))
    write(Section.RECOMMENDERS, _INTRODUCTION, *parts, load=load)


def movielens_table(rows: Sequence[Judged]) -> str:
    """A line per recommender, published figures in brackets; nothing without rows."""
    if not rows:
        return ""
    lines = [f"MovieLens-100K, best {K} of all items, published figures in brackets.\n"]
    lines += _head("recommender", f"P@{K}", f"R@{K}", f"NDCG@{K}", "train s", "score s", "peak GB")
    for row in rows:
        found = row.quality[K]
        theirs = PUBLISHED.get(row.recommender, ())
        ours = (found.precision, found.recall, found.ndcg)
        cells = [
            f"{own:.4f}" + (f" ({theirs[place]:.4f})" if theirs else "") for place, own in enumerate(ours)
        ]
        figures = (row.train_s, row.score_s, row.peak_gb)
        lines.append(_line(row.recommender, *cells, *(f"{figure:.2f}" for figure in figures)))
    return "\n".join(lines)


def scale_table(rows: Sequence[AtScale]) -> str:
    """A line per family and size, the smallest first; nothing without rows."""
    if not rows:
        return ""
    lines = [
        "Made interactions: users and items follow a power law. Growth is the exponent of the size since"
        " the size before: 1 is in proportion, 2 with the square.\n",
        *_head(
            *("family", "users", "items", "interactions", "train s", "CPU s", "growth with interactions"),
            *("ms per user scored", "growth with items", "peak GB"),
        ),
    ]
    sizes = sorted({(row.users, row.items) for row in rows})
    for family in dict.fromkeys(row.family for row in rows):
        for users, items in sizes:
            lines.append(_scale_line(family, users, items, rows))
    lines.append("")
    lines.append(f"EASE takes its sparse form above {EASE_DENSE_ITEMS:,} items.")
    return "\n".join(lines)


def _scale_line(family: str, users: int, items: int, rows: Sequence[AtScale]) -> str:
    own = sorted((row for row in rows if row.family == family), key=lambda row: row.users)
    row = next((row for row in own if row.users == users), None)
    if row is None:
        why = too_large(family, users=users, items=items)
        return _line(family, f"{users:,}", f"{items:,}", f"left out: {why}", *[""] * 6)
    before = max((one for one in own if one.users < users), key=lambda one: one.users, default=None)
    train = score = ""
    if before:
        train = _exponent(before.train_cpu_s, row.train_cpu_s, before.interactions, row.interactions)
        score = _exponent(before.per_user_s, row.per_user_s, before.items, row.items)
    return _line(
        family,
        *(f"{size:,}" for size in (users, items, row.interactions)),
        *(f"{row.train_s:.2f}", f"{row.train_cpu_s:.2f}", train),
        *(f"{row.per_user_s * 1e3:.3f}", score, f"{row.peak_gb:.2f}"),
    )


def _exponent(before: float, after: float, smaller: float, larger: float) -> str:
    return f"{np.log(after / before) / np.log(larger / smaller):.2f}"


def _head(*columns: str) -> list[str]:
    return [_line(*columns), f"|---|{'---:|' * (len(columns) - 1)}"]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
