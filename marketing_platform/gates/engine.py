"""The one door to Great Expectations: rules and a data frame in, what each rule found out.

Only here is the library imported, and only when something is judged: the import takes 5-7 s and
offers no lighter entry (`great_expectations/__init__` loads scipy, altair and SQLAlchemy). Which
rows or tables are judged, and what follows, belongs to `rows.py` and `verdicts.py`.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from marketing_platform.errors import ExpectationError
from marketing_platform.gates.suites import Rule

if TYPE_CHECKING:
    import pandas as pd

# Every failing row by its position, and no query text to find it again.
_RESULT_FORMAT = {"result_format": "COMPLETE", "return_unexpected_index_query": False}


@dataclass(frozen=True)
class Outcome:
    """What one rule found in one frame."""

    passed: bool
    failing: tuple[int, ...]  # positions of the rows that break the rule
    error: str | None  # why the rule could not be evaluated; it has then not passed


class Judge:
    """Rules made ready once, for any number of frames. Not for use by several threads at once."""

    def __init__(self, rules: Iterable[Rule]):
        """Raises ExpectationError when Great Expectations refuses a rule's arguments."""
        self._rules = {rule.rule: rule for rule in rules}
        self._suite = _suite(tuple(self._rules.values()))

    def outcomes(self, frame: pd.DataFrame, parameters: Mapping[str, Any]) -> dict[str, Outcome]:
        """What each rule says about `frame` (index 0, 1, …), by rule id.

        `parameters` fill `{"$PARAMETER": name}`. Raises ExpectationError unless every rule has
        exactly one outcome.
        """
        if not self._rules:
            return {}
        batch = _gx().door.get_batch({"dataframe": frame})
        try:
            report = batch.validate(
                self._suite, result_format=_RESULT_FORMAT, expectation_parameters=dict(parameters)
            )
        except _gx().refusal as error:
            raise ExpectationError(f"rules {', '.join(self._rules)}: {error}") from error
        outcomes: dict[str, Outcome] = {}
        for result in report.results:
            rule = (result.expectation_config.meta or {})["rule"]
            if rule in outcomes:
                raise ExpectationError(f"{rule}: Great Expectations judged it twice")
            outcomes[rule] = _outcome(result, rows=len(frame))
        if silent := sorted(self._rules.keys() - outcomes.keys()):
            raise ExpectationError(f"{', '.join(silent)}: Great Expectations gave no verdict")
        return outcomes


def _outcome(result: Any, *, rows: int) -> Outcome:
    if error := _raised(result.exception_info):
        return Outcome(passed=False, failing=(), error=error)
    found: Mapping[str, Any] = result.result
    failing = tuple(found.get("unexpected_index_list") or ())
    # The library's own figures must agree before a row is let through on their strength.
    if found.get("element_count") != rows or found.get("unexpected_count") != len(failing):
        figures = f"{found.get('element_count')} rows seen of {rows}, {found.get('unexpected_count')} failing"
        return Outcome(
            passed=False, failing=(), error=f"the result is not whole: {figures}, {len(failing)} named"
        )
    if result.success != (not failing):
        return Outcome(passed=False, failing=(), error="success and failing rows contradict each other")
    return Outcome(passed=not failing, failing=failing, error=None)


def _raised(info: Mapping[str, Any] | None) -> str | None:
    """The message of the exception inside the library, if there was one.

    The mapping is either one report or, when a metric failed, one report per metric.
    """
    if not info:
        return None
    reports = [info] if "raised_exception" in info else list(info.values())
    messages = [str(report.get("exception_message")) for report in reports if report.get("raised_exception")]
    return "; ".join(sorted(set(messages))) or None


@dataclass(frozen=True)
class _Library:
    suite: Any
    configuration: Any
    per_row: tuple[type, ...]  # expectations that say which rows fail
    invalid: tuple[type[Exception], ...]  # raised for arguments that an expectation does not take
    refusal: type[Exception]
    door: Any  # takes a data frame, gives something that can be validated


@cache
def _gx() -> _Library:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    shown = warnings.showwarning
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.exceptions.exceptions import GreatExpectationsError
    from great_expectations.expectations import expectation
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    # The library sends the warnings of the whole process to its log; they go back where they were.
    if warnings.showwarning is not shown:
        logging.captureWarnings(False)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("gates").add_dataframe_asset("rows")
    return _Library(
        suite=gx.ExpectationSuite,
        configuration=ExpectationConfiguration,
        per_row=(
            expectation.ColumnMapExpectation,
            expectation.ColumnPairMapExpectation,
            expectation.MulticolumnMapExpectation,
        ),
        invalid=(ValueError, TypeError, GreatExpectationsError),
        refusal=GreatExpectationsError,
        door=asset.add_batch_definition_whole_dataframe("chunk"),
    )


def _suite(rules: tuple[Rule, ...]) -> Any:
    expectations = [_expectation(rule) for rule in rules]
    return _gx().suite(name="gate", expectations=expectations)


def _expectation(rule: Rule) -> Any:
    configuration = _gx().configuration(type=rule.type, kwargs=dict(rule.kwargs), meta={"rule": rule.rule})
    try:
        built = configuration.to_domain_obj()
    except _gx().invalid as error:
        raise ExpectationError(f"{rule.table}.json: {rule.rule}: kwargs: {error}") from None
    if not isinstance(built, _gx().per_row):
        raise ExpectationError(
            f"{rule.table}.json: {rule.rule}: type: {rule.type} does not say which rows fail"
        )
    return built
