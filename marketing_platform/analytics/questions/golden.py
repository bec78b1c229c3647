"""Golden questions: those of a workspace whose answers are known (`kpis/golden.yaml`), and do they hold?

When they are asked, and what a failure stops, belongs to the graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from marketing_platform.analytics.kpis import Registry
from marketing_platform.analytics.kpis.answering import Ask
from marketing_platform.analytics.kpis.spec import Name
from marketing_platform.analytics.questions.answers import Asked, ask
from marketing_platform.analytics.questions.facts import known_facts
from marketing_platform.analytics.questions.parsing import Reader
from marketing_platform.declarations import Choice, Declaration, Declared, KeyPath, Problem, load_declaration
from marketing_platform.errors import KpiError

GOLDEN = "golden.yaml"


class GoldenQuestion(Declared):
    """A question, and between which bounds its figure lies."""

    question: str = Field(min_length=1)
    kpi: Name | None = None  # whose figure; the first that is asked for
    at_least: float | None = None
    at_most: float | None = None
    declined: bool = False
    may_lack_data: bool = False  # holds, too, while there is nothing to answer it with


class Golden(Declared):
    """`kpis/golden.yaml`."""

    questions: tuple[GoldenQuestion, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """Whether a golden question holds, and in words what came of it."""

    question: str
    right: bool
    expected: str
    observed: str


def load_golden(directory: Path) -> Golden:
    """The golden questions of a workspace; none without the file.

    Raises:
        KpiError: Something is wrong; one line per problem: `file:line: key path: expected …, found …`.
    """
    path = directory / GOLDEN
    return load_declaration(path, _DECLARATION) if path.exists() else Golden()


def judge_golden(
    golden: Golden, registry: Registry, run: Ask, *, today: date | None = None
) -> tuple[Judgement, ...]:
    """Asks every golden question, by the rules alone: a model could answer otherwise tomorrow."""
    reader = Reader(registry, known_facts(registry, run))
    return tuple(
        _judged(one, ask(registry, reader, one.question, run, today=today)) for one in golden.questions
    )


def right_share(judged: Sequence[Judgement]) -> float:
    """The share of golden questions that hold, 0 to 1; 1 when there are none."""
    return sum(one.right for one in judged) / len(judged) if judged else 1.0


def _judged(golden: GoldenQuestion, asked: Asked) -> Judgement:
    expected = _expected(golden)
    if asked.declined is not None:
        right = golden.declined or (golden.may_lack_data and asked.declined.lacks_data)
        return Judgement(golden.question, right, expected, f"declined: {asked.declined.reason}")
    assert asked.found is not None and asked.intent is not None  # noqa: S101, PT018 -- it is answered
    name = golden.kpi or asked.intent.metrics[0]
    if name not in asked.found.total.values:
        return Judgement(golden.question, right=False, expected=expected, observed=f"not about {name}")
    found = asked.found.total.values[name]
    if found.value is None:
        return Judgement(golden.question, golden.may_lack_data, expected, f"no figure: {found.reason}")
    low = golden.at_least is None or found.value >= golden.at_least
    high = golden.at_most is None or found.value <= golden.at_most
    return Judgement(golden.question, low and high and not golden.declined, expected, f"{found.value:.6g}")


def _expected(golden: GoldenQuestion) -> str:
    if golden.declined:
        return "declined"
    bounds = [(golden.at_least, "at least"), (golden.at_most, "at most")]
    return ", ".join(f"{words} {bound:g}" for bound, words in bounds if bound is not None)


def _part_at(path: KeyPath) -> Choice | type[BaseModel] | None:
    return GoldenQuestion if len(path) == 2 else None  # noqa: PLR2004 -- an entry of the list


def _problems(_: Mapping[str, Any], found: Golden | None) -> Iterator[Problem]:
    for index, one in enumerate(found.questions if found else ()):
        bounded = one.at_least is not None or one.at_most is not None
        if one.declined == bounded:
            yield Problem(
                ("questions", index), "at_least, at_most or both, or `declined: true`", repr(one.question)
            )


_DECLARATION = Declaration(Golden, KpiError, _part_at, _problems)
