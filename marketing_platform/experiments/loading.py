"""Reads `experiments/*.yaml`: a file per experiment, `metrics.yaml` and `holdout.yaml`.

The shape belongs to `spec.py`, files and messages to `marketing_platform/declarations.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from marketing_platform.catalog import tables
from marketing_platform.declarations import (
    Choice,
    Declaration,
    KeyPath,
    Problem,
    load_declaration,
    one_of,
    repeated,
)
from marketing_platform.errors import ExperimentError
from marketing_platform.experiments.assigning import Experiments
from marketing_platform.experiments.spec import (
    LISTS,
    Arm,
    Declarations,
    Experiment,
    Guardrail,
    Holdout,
    Metric,
    MetricFile,
    Namespace,
)
from marketing_platform.recommenders.rules.loading import unfit_values
from marketing_platform.recommenders.rules.spec import Condition

METRICS, HOLDOUT = "metrics.yaml", "holdout.yaml"


def load_experiments(directory: Path) -> Experiments:
    """What the files of the folder declare, before any release has decided anything.

    Raises:
        ExperimentError: Something is wrong; one line per problem: `file:line: key path: expected …, found …`.
    """
    return Experiments(load_declarations(directory), {})


def load_declarations(directory: Path) -> Declarations:
    """The declarations alone; none without the folder. Raises ExperimentError."""
    wrong: list[str] = []
    metrics, holdout = MetricFile(), None
    loaded: list[Experiment] = []
    if (directory / METRICS).exists():  # where it is wrong, every experiment would seem so too
        metrics = load_declaration(directory / METRICS, _METRICS)
    try:
        if (directory / HOLDOUT).exists():
            holdout = load_declaration(directory / HOLDOUT, _HOLDOUT)
    except ExperimentError as error:
        wrong.append(str(error))
    named = {one.metric: one for one in metrics.metrics}
    for path in sorted(directory.glob("*.y*ml")):
        if path.name not in (METRICS, HOLDOUT):
            try:
                loaded.append(load_declaration(path, _of(path.stem, named, tuple(loaded))))
            except ExperimentError as error:
                wrong.append(str(error))
    if wrong:
        raise ExperimentError("\n".join(wrong))
    return Declarations(tuple(loaded), holdout, named)


def _of(stem: str, metrics: Mapping[str, Metric], before: Sequence[Experiment]) -> Declaration[Experiment]:
    def problems(_: Mapping[str, Any], found: Experiment | None) -> Iterator[Problem]:
        if found is not None:
            yield from _unfit(found, stem, metrics)
            yield from _in_the_way(found, before)

    return Declaration(Experiment, ExperimentError, _part_at, problems)


def _part_at(path: KeyPath) -> Choice | type[BaseModel] | None:
    parts: dict[object, type[BaseModel]] = {"arms": Arm, "guardrails": Guardrail}
    return Namespace if path == ("namespace",) else parts.get(path[0]) if len(path) == 2 else None  # noqa: PLR2004 -- an entry of a list


def _unfit(found: Experiment, stem: str, metrics: Mapping[str, Metric]) -> Iterator[Problem]:
    if found.experiment != stem:
        yield Problem(("experiment",), f"{stem!r}, as the file is called", repr(found.experiment))
    if found.ends is not None and found.ends < found.starts:
        yield Problem(("ends",), f"no day before {found.starts}", str(found.ends))
    part = found.namespace
    if part is not None and part.end <= part.start:
        yield Problem(("namespace", "to"), f"more than {part.start:g}", f"{part.end:g}")
    names = [arm.arm for arm in found.arms]
    yield from repeated("arms", "arm", names)
    if found.control not in names:
        yield Problem(("control",), *one_of(found.control, names))
    yield from _unfit_lists(found)
    if found.metric not in metrics:
        yield Problem(("metric",), *one_of(found.metric, metrics))
    yield from repeated("guardrails", "metric", [one.metric for one in found.guardrails])
    for index, guardrail in enumerate(found.guardrails):
        if guardrail.metric not in metrics:
            yield Problem(("guardrails", index, "metric"), *one_of(guardrail.metric, metrics))
        elif metrics[guardrail.metric].better == "higher" and guardrail.worse_by >= 1:
            expected = "less than 1, as what is good when it is high cannot fall by more than all"
            yield Problem(("guardrails", index, "worse_by"), expected, f"{guardrail.worse_by:g}")


def _unfit_lists(found: Experiment) -> Iterator[Problem]:
    if found.surface == "email":
        for index, arm in enumerate(found.arms):
            if arm.list is not None:
                yield Problem(("arms", index, "list"), "no list: templates say what arms look like", arm.list)
        return
    if found.about not in LISTS:
        yield Problem(("about",), *one_of(found.about, LISTS))
    for index, arm in enumerate(found.arms):
        if arm.list is None:
            yield Problem(("arms", index, "list"), f"one of {', '.join(LISTS)}", "nothing")
        elif arm.list not in LISTS:
            yield Problem(("arms", index, "list"), *one_of(arm.list, LISTS))


def _in_the_way(found: Experiment, before: Sequence[Experiment]) -> Iterator[Problem]:
    """Of two experiments about one thing at one time, a user may be in one only."""
    for other in before:
        same = (other.surface, other.about) == (found.surface, found.about)
        if same and _at_one_time(other, found) and not _apart(other, found):
            expected = f"a part of a namespace that {other.experiment} has no part of, or other days"
            yield Problem(("namespace",), expected, f"{found.surface} {found.about} in both")


def _at_one_time(one: Experiment, other: Experiment) -> bool:
    return one.starts <= (other.ends or date.max) and other.starts <= (one.ends or date.max)


def _apart(one: Experiment, other: Experiment) -> bool:
    if one.namespace is None or other.namespace is None or one.namespace.id != other.namespace.id:
        return False
    return one.namespace.end <= other.namespace.start or other.namespace.end <= one.namespace.start


def _metric_at(path: KeyPath) -> Choice | type[BaseModel] | None:
    return {2: Metric, 4: Condition}.get(len(path))


def _metric_problems(data: Mapping[str, Any], found: MetricFile | None) -> Iterator[Problem]:
    if found is None:
        return
    yield from repeated("metrics", "metric", [one.metric for one in found.metrics])
    sources = [one.name for one in tables().values() if one.time and "user_id" in one.column_names]
    for index, metric in enumerate(found.metrics):
        path: KeyPath = ("metrics", index)
        if metric.table not in sources:
            yield Problem((*path, "from"), *one_of(metric.table, sources))
            continue
        source = tables()[metric.table]
        for name, condition in (metric.where or {}).items():
            if name not in source.column_names:
                yield Problem((*path, "where", name), *one_of(name, source.column_names))
            else:
                written = data["metrics"][index]["where"][name]
                yield from unfit_values((*path, "where", name), source.column(name), condition, written)


_METRICS = Declaration(MetricFile, ExperimentError, _metric_at, _metric_problems)
_HOLDOUT = Declaration(Holdout, ExperimentError, lambda _: None, lambda _, __: ())
