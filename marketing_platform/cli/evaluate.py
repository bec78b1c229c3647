"""`marketing-platform evaluate`: which recommender is best on anybody's interactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketing_platform.cli.output import JsonOption, emit_json, emit_table, progress_console
from marketing_platform.errors import InputError

if TYPE_CHECKING:
    from marketing_platform.recommenders.evaluation.comparison import Judged, Question
    from marketing_platform.recommenders.training import Training

_COLUMNS = ("P", "R", "NDCG", "HR", "MAP", "coverage", "novelty", "Gini")
_SEED = 0
_DIGITS = 3  # of seconds
_LONGEST = 1_000  # all lists are held at once


def evaluate(
    train: Annotated[Path, typer.Option(help="CSV with user_id, item_id and maybe value and timestamp.")],
    test: Annotated[Path, typer.Option(help="CSV with user_id and item_id: what is to be found.")],
    candidates: Annotated[
        Path | None, typer.Option(help="CSV with user_id and item_id: rank only these for each user.")
    ] = None,
    features: Annotated[
        Path | None, typer.Option(help="CSV with item_id and text or tags (parted by | ; or comma).")
    ] = None,
    k: Annotated[str, typer.Option(help="Lengths of the lists to judge, parted by commas.")] = "5,10,50",
    tune: Annotated[
        int,
        typer.Option(min=0, help="Seconds to search for parameters, on splits of the training file only."),
    ] = 0,
    repeats: Annotated[
        bool, typer.Option("--repeats", help="Items of the training file may be found again.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare every recommender and the hybrid on two CSV files; the test file is only judged by.

    Values of a pair add up, and a pair whose sum is not above zero does not count. The ranking is over
    all items of both files. Users of the test who are absent from the training get what is popular. The
    ideal of NDCG is the best order of all test items of a user.
    """
    from marketing_platform.recommenders.evaluation.comparison import (
        compare,
        suitable,
        tuned,
        tuning_splits,
    )

    question = _question(train, test, candidates, features, _lengths(k), repeats=repeats)
    families, left_out = suitable(question.training)

    with progress_console.status("reading", spinner="dots") as status:
        if tune:
            splits = tuning_splits(question.training, seed=_SEED, repeats=repeats)
            families = tuned(
                families,
                splits,
                seconds=tune,
                seed=_SEED,
                on_progress=status.update,
                repeats=repeats,
            )
        rows = compare(question, families, seed=_SEED, on_progress=status.update)
    if as_json:
        emit_json(_document(question, rows, left_out))
        return
    for length in question.ks:
        emit_table(
            f"best {length}",
            ("recommender", *_COLUMNS, "train s", "score s", "peak GB"),
            (
                (
                    row.recommender,
                    *list(asdict(row.quality[length]).values())[1:],
                    round(row.train_s, _DIGITS),
                    round(row.score_s, _DIGITS),
                    row.peak_gb,
                )
                for row in rows
            ),
        )
    for name, why in left_out.items():
        progress_console.print(f"left out: {name} ({why})", highlight=False)


def _lengths(given: str) -> tuple[int, ...]:
    try:
        lengths = tuple(sorted({int(part) for part in given.split(",")}))
    except ValueError:
        raise InputError(f"--k {given!r}: give whole numbers parted by commas, such as 5,10,50") from None
    if lengths[0] < 1:
        raise InputError(f"--k {given!r}: a list has at least one item")
    if lengths[-1] > _LONGEST:
        raise InputError(f"--k {given!r}: a list has at most {_LONGEST:,} items")
    return lengths


def _question(
    train: Path,
    test: Path,
    candidates: Path | None,
    features: Path | None,
    ks: tuple[int, ...],
    *,
    repeats: bool,
) -> Question:
    from marketing_platform.recommenders.evaluation.comparison import Question
    from marketing_platform.recommenders.evaluation.files import read_interactions
    from marketing_platform.recommenders.training import training_of

    learned, wanted = read_interactions(train), read_interactions(test)
    offered = read_interactions(candidates) if candidates else None
    training = training_of(
        learned.users,
        learned.items,
        learned.values,
        learned.seconds,
        all_users=[*wanted.users, *(offered.users if offered else ())],
        all_items=[*wanted.items, *(offered.items if offered else ())],
    )
    if features:
        training = _with_features(training, features)
    later = _pairs(training, wanted.users, wanted.items)
    among = _pairs(training, offered.users, offered.items) if offered else None
    question = Question(training, later, ks, among=among, repeats=repeats)
    if among is not None and not among[question.users].nnz:
        raise InputError(f"{candidates}: has no candidate for any user of {test}: nothing can be ranked")
    return question


def _pairs(training: Training, users: Sequence[str], items: Sequence[str]) -> Any:
    from marketing_platform.recommenders.evaluation.metrics import later_of

    return later_of(*training.places(users, items), shape=training.strength.shape)


def _with_features(training: Training, path: Path) -> Training:
    import numpy as np

    from marketing_platform.cli.options import settings_of
    from marketing_platform.encoders import open_encoder
    from marketing_platform.recommenders.evaluation.features import with_tags, with_texts
    from marketing_platform.recommenders.evaluation.files import read_features

    given = read_features(path)
    if not np.isin(np.asarray(given.items, dtype=object), training.items).any():
        raise InputError(f"{path}: describes no item of the other files")
    if given.tags is not None:
        return with_tags(training, given.items, given.tags)
    encoder = open_encoder(settings_of().data_dir / "models")
    return with_texts(training, given.items, encoder.encode(given.texts or []))


def _document(question: Question, rows: Sequence[Judged], left_out: dict[str, str]) -> dict[str, Any]:
    return {
        "users": len(question.training.users),
        "items": len(question.training.items),
        "interactions": int(question.training.strength.nnz),
        "recommenders": [
            {
                "recommender": row.recommender,
                "parameters": asdict(row.family) if row.family else {},  # pyright: ignore[reportArgumentType]
                "weights": row.hybrid.blend.weights if row.hybrid else {},
                "quality": {str(length): asdict(found) for length, found in row.quality.items()},
                "train_s": row.train_s,
                "score_s": row.score_s,
                "peak_gb": row.peak_gb,
            }
            for row in rows
        ],
        "left_out": left_out,
    }
