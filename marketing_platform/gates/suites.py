"""Reads `expectations/`: one Great Expectations suite per canonical table, one for batches.

A suite is read and checked here without importing Great Expectations (5-7 s); whether it accepts
an expectation's arguments shows when `engine.py` builds it, before the first row is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from marketing_platform import catalog
from marketing_platform.errors import ExpectationError
from marketing_platform.gates.measures import MEASURES, Measure, load_measures
from marketing_platform.gates.plants import BatchPlant, Cells, Plant, TablePlant
from marketing_platform.gates.profile import BATCH_PROFILE, profile_columns

BATCHES = "batches"
RULE_LIST = "rules.txt"

Level = Literal["row", "table", "batch"]

# Where an expectation names the columns it looks at.
_COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list")
# `mostly` lets rows pass that break the rule; the others change which rows are seen or what comes back.
_REFUSED_ARGUMENTS = (
    "mostly",
    "result_format",
    "catch_exceptions",
    "batch_id",
    "row_condition",
    "condition_parser",
)
_PLANTS: dict[Level, TypeAdapter[Plant]] = {
    "row": TypeAdapter(Cells),
    "table": TypeAdapter(TablePlant),
    "batch": TypeAdapter(BatchPlant),
}


@dataclass(frozen=True)
class Rule:
    """One expectation with what people are told about it."""

    rule: str  # unique over all suites; the name of the check in the UI
    table: str  # the suite it stands in; `batches` for the admission of a batch
    level: Level
    reason: str
    description: str
    type: str
    kwargs: Mapping[str, Any]
    plant: Plant

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it looks at, the one that people should look at first."""
        named = [self.kwargs[argument] for argument in _COLUMN_ARGUMENTS if argument in self.kwargs]
        return tuple(column for entry in named for column in ([entry] if isinstance(entry, str) else entry))


@dataclass(frozen=True)
class Suites:
    """Every rule there is."""

    rules: tuple[Rule, ...]
    fingerprint: str  # changes whenever any suite does
    listed: frozenset[str]  # `suite.rule` of every line of `rules.txt`
    measures: tuple[Measure, ...]  # what assets measure about themselves

    def row_rules(self, table: str) -> tuple[Rule, ...]:
        """The rules that send a row of `table` to quarantine."""
        return self._of(table, "row")

    def table_rules(self, table: str) -> tuple[Rule, ...]:
        """The rules that block a release because of the whole of `table`."""
        return self._of(table, "table")

    def batch_rules(self) -> tuple[Rule, ...]:
        """The rules by which a batch is admitted or held."""
        return self._of(BATCHES, "batch")

    def _of(self, table: str, level: Level) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.table == table and rule.level == level)


class _Meta(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rule: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    level: Level
    reason: str = Field(min_length=1)
    description: str = Field(min_length=1)
    plant: dict[str, Any]


class _Expectation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: str
    kwargs: dict[str, Any]
    meta: _Meta


class _Suite(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    expectations: list[_Expectation]
    meta: dict[str, Any] = {}


def load_suites(directory: Path) -> Suites:
    """Every suite in `directory`.

    Raises ExpectationError, with the file, the rule and the key, for anything wrong: a canonical
    table without a suite, a suite without a table, unknown columns or expectation types, missing
    meta, a rule id given twice, a plant that says nothing.
    """
    if not directory.is_dir():
        raise ExpectationError(
            f"{directory}: no such folder; MARKETING_EXPECTATIONS_DIR names the suites' folder"
        )
    expected = {*catalog.tables(), BATCHES}
    paths = {path.stem: path for path in sorted(directory.glob("*.json"))}
    if missing := sorted(expected - paths.keys()):
        raise ExpectationError(f"{directory}: no suite for {', '.join(missing)}; add {missing[0]}.json")
    rules: list[Rule] = []
    seen: dict[str, Path] = {}
    digest = sha256()
    for name, path in paths.items():
        if name not in expected:
            raise ExpectationError(
                f"{path}: no table is called {name!r}; there are: {', '.join(sorted(expected))}"
            )
        suite = _read(path)
        digest.update(orjson.dumps([name, suite.model_dump()], option=orjson.OPT_SORT_KEYS))
        for rule in _rules(path, suite):
            if rule.rule in seen:
                raise ExpectationError(
                    f"{path}: {rule.rule}: meta.rule: {seen[rule.rule]} has a rule of that name"
                )
            seen[rule.rule] = path
            rules.append(rule)
    measures = load_measures(directory)
    named = [MEASURES, *(measure.model_dump() for measure in measures)]
    digest.update(orjson.dumps(named, option=orjson.OPT_SORT_KEYS))
    return Suites(tuple(rules), digest.hexdigest(), _listed(directory / RULE_LIST), measures)


def _read(path: Path) -> _Suite:
    try:
        document = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ExpectationError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    try:
        suite = _Suite.model_validate(document)
    except ValidationError as error:
        raise ExpectationError(f"{path}: {_complaint(error, document)}") from None
    if suite.name != path.stem:
        raise ExpectationError(f"{path}: name: says {suite.name!r}; a suite is named after its file")
    return suite


def _complaint(error: ValidationError, document: Any) -> str:
    """The first thing wrong, as `rule: key: what`."""
    first = error.errors()[0]
    place = list(first["loc"])
    named = ""
    match place:
        case ["expectations", int(position), *inner]:
            entry = document["expectations"][position]
            meta = entry.get("meta") if isinstance(entry, dict) else None
            rule = meta.get("rule") if isinstance(meta, dict) else None
            named = f"{rule or f'expectation {position + 1}'}: "
            place = inner
        case _:
            pass
    return f"{named}{'.'.join(map(str, place)) or 'suite'}: {first['msg']}"


def _rules(path: Path, suite: _Suite) -> Iterable[Rule]:
    for entry in suite.expectations:
        meta = entry.meta

        def wrong(key: str, what: str, rule: str = meta.rule) -> ExpectationError:
            return ExpectationError(f"{path}: {rule}: {key}: {what}")

        if (meta.level == "batch") != (suite.name == BATCHES):
            raise wrong("meta.level", f"a rule of {suite.name} cannot be on the level {meta.level}")
        if entry.type not in _known_types():
            raise wrong("type", f"Great Expectations has no {entry.type}")
        if refused := [argument for argument in _REFUSED_ARGUMENTS if argument in entry.kwargs]:
            raise wrong(
                f"kwargs.{refused[0]}", "not allowed here: a rule holds for every row, and always reports"
            )
        try:
            plant = _PLANTS[meta.level].validate_python(meta.plant)
        except ValidationError as error:
            raise wrong(
                "meta.plant", f"{meta.plant!r} plants nothing a {meta.level} rule knows: {error}"
            ) from None
        rule = Rule(
            meta.rule, suite.name, meta.level, meta.reason, meta.description, entry.type, entry.kwargs, plant
        )
        known = _known_columns(rule)
        if not rule.columns:
            raise wrong("kwargs.column", "names no column")
        if unknown := [column for column in rule.columns if column not in known]:
            raise wrong("kwargs.column", f"no column {unknown[0]!r}; there are: {', '.join(known)}")
        if unknown := [column for column in _planted_columns(rule) if column not in _table_columns(rule)]:
            raise wrong("meta.plant", f"no column {unknown[0]!r} in {suite.name}")
        yield rule


def _known_columns(rule: Rule) -> tuple[str, ...]:
    match rule.level:
        case "row":
            return _table_columns(rule)
        case "table":
            return profile_columns(catalog.table(rule.table))
        case "batch":
            return BATCH_PROFILE


def _table_columns(rule: Rule) -> tuple[str, ...]:
    return catalog.table(rule.table).column_names


def _planted_columns(rule: Rule) -> Iterable[str]:
    cells = getattr(rule.plant, "root", None) or getattr(rule.plant, "every", None)
    return cells or ()


@cache
def _known_types() -> frozenset[str]:
    """The expectations Great Expectations ships, told from its file names: importing it takes seconds."""
    spec = find_spec("great_expectations")
    if spec is None or not spec.submodule_search_locations:
        raise ExpectationError("great_expectations is not installed; install the project's dependencies")
    folder = Path(spec.submodule_search_locations[0], "expectations", "core")
    return frozenset(path.stem for path in folder.glob("expect_*.py"))


def _listed(path: Path) -> frozenset[str]:
    if not path.is_file():
        raise ExpectationError(f"{path}: missing; it lists every rule as `suite.rule`, one per line")
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return frozenset(line for line in lines if line and not line.startswith("#"))
