"""Experiments as a release holds them: one report, and the arms of users whom the hash would draw elsewhere.

Whoever shows an arm takes experiments from here, so that what one release declares and decides holds for
everything that is shown from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from marketing_platform.experiments.assigning import Decision, Experiments, drawn
from marketing_platform.experiments.spec import Declarations, Experiment, Holdout
from marketing_platform.recommenders.answers import ANSWER_SCHEMA
from marketing_platform.releases.manifest import Manifest
from marketing_platform.stores.registry import Stores

if TYPE_CHECKING:  # the API reads reports, and needs nothing that judges
    from marketing_platform.experiments.judging import Result

# Names of the assets, and of their places in a manifest.
DAYS, RESULTS, ARMS = "experiment_days", "experiment_results", "experiment_arms"


def report_of(declared: Declarations, results: Sequence[Result]) -> dict[str, Any]:
    """The report `experiment_results`, of values that JSON has."""
    document = {
        "declared": [one.model_dump(mode="json", by_alias=True) for one in declared.experiments],
        "holdout": declared.holdout.model_dump(mode="json") if declared.holdout else None,
        "metrics": {name: metric.says for name, metric in declared.metrics.items()},
        "results": [one.document() for one in results],
    }
    return orjson.loads(orjson.dumps(document))


def experiments_of(report: Mapping[str, Any]) -> Experiments:
    """What `report_of` told, to assign by."""
    holdout = report["holdout"]
    declared = Declarations(
        tuple(Experiment.model_validate(one) for one in report["declared"]),
        Holdout.model_validate(holdout) if holdout else None,
    )
    decisions = {
        one["experiment"]: _decision(one["decision"]) for one in report["results"] if one["decision"]
    }
    return Experiments(declared, decisions)


def open_experiments(manifest: Manifest, stores: Stores, closing: ExitStack) -> Experiments:
    """The experiments of a release; none for a release that is older than them.

    Args:
        manifest: The release.
        stores: Where it is.
        closing: Closes what was opened.
    """
    if RESULTS not in manifest.reports:
        return Experiments(Declarations(), {})
    found = experiments_of(stores.reports.read(manifest.reports[RESULTS].name))
    entry = manifest.answers[ARMS]
    if not entry.rows:  # nobody is in another arm than the hash draws: nothing has to be looked up
        return found
    reader = stores.answers.open(entry.name)
    closing.callback(reader.close)

    def first_arm(experiment: str, user_id: str) -> str | None:
        known = reader.get(user_id)
        return orjson.loads(known).get(experiment) if known is not None else None

    return Experiments(found.declared, found.decisions, first_arm)


def _decision(told: Mapping[str, Any]) -> Decision:
    return Decision(told["outcome"], told["arm"], date.fromisoformat(told["day"]), told["reason"])


def moved_arms(declared: Declarations, firsts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Of users whose first arm the hash would not draw now, the arms, as rows of ANSWER_SCHEMA.

    Args:
        declared: The experiments as they are now.
        firsts: Of `first_arms_sql`, in order of `user_id`.
    """
    experiments = {one.name: one for one in declared.experiments}
    user, arms = "", dict[str, str]()
    for chunk in firsts:
        keys, answers = list[str](), list[bytes]()
        for row in chunk.to_pylist():
            if row["user_id"] != user:
                if arms:
                    keys.append(user)
                    answers.append(orjson.dumps(arms))
                user, arms = row["user_id"], {}
            now = drawn(experiments[row["experiment"]], user)
            if now is None or now.arm != row["arm"]:
                arms[row["experiment"]] = row["arm"]
        yield pa.table({"key": keys, "answer": answers}, schema=ANSWER_SCHEMA)
    if arms:
        yield pa.table({"key": [user], "answer": [orjson.dumps(arms)]}, schema=ANSWER_SCHEMA)
