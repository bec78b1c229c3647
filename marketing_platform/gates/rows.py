"""Row rules: which rows of a chunk go to quarantine, and for what reason.

What the text could not be typed as is the sources' to say; what follows for the record is in
`split.py`.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from marketing_platform.catalog.model import ROW_ORDINAL
from marketing_platform.errors import ExpectationError
from marketing_platform.gates.engine import Judge, Outcome
from marketing_platform.gates.sieve import left_over
from marketing_platform.gates.suites import Rule, Suites

if TYPE_CHECKING:
    import pandas as pd

_NOT_NULL = "expect_column_values_to_not_be_null"

# One line per rule that a row breaks; `value` is what the column holds, as text.
PROBLEMS_SCHEMA = pa.schema(
    [
        ("row_ordinal", pa.int64()),
        ("table", pa.string()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("rule", pa.string()),
        ("value", pa.string()),
    ]
)


class RowGate:
    """The row rules of all tables, ready for any number of chunks, in any number of threads."""

    def __init__(self, suites: Suites, *, now: datetime | None = None):
        """`now` is the moment that "in the future" is measured from: give the time of landing, so
        that a replay judges as the first run did. The present moment unless given.
        """
        self._suites = suites
        self._judges: dict[str, Judge] = {}
        self._alone = Lock()  # a judge serves one thread at a time
        self._parameters = {"tomorrow": (now or datetime.now(UTC)) + timedelta(days=1)}

    def doubtful(self, table_name: str, rows: pa.Table) -> pa.Table:
        """The rows that may break a rule; a rule says of the others for certain that they do not."""
        left = left_over(self._suites.row_rules(table_name), rows, self._parameters)
        return rows if left is None else rows.filter(left)

    def problems(self, table_name: str, rows: pa.Table) -> pa.Table:
        """Every broken rule of every row (PROBLEMS_SCHEMA), in order of the rules.

        `rows` are of the canonical table. Raises ExpectationError when a rule could not be
        evaluated: such a chunk is neither valid nor quarantined.
        """
        rules = self._suites.row_rules(table_name)
        rows = self.doubtful(table_name, rows).combine_chunks()
        if not rules or not rows.num_rows:
            return PROBLEMS_SCHEMA.empty_table()
        with self._alone:
            if table_name not in self._judges:
                self._judges[table_name] = Judge(rules)
            outcomes = self._judges[table_name].outcomes(_frame(rows, rules), self._parameters)
        return pa.concat_tables(_problems(rule, outcomes[rule.rule], rows) for rule in rules)


def _problems(rule: Rule, outcome: Outcome, rows: pa.Table) -> pa.Table:
    if outcome.error:
        raise ExpectationError(f"{rule.table}.json: {rule.rule}: could not be evaluated: {outcome.error}")
    if not outcome.failing:
        return PROBLEMS_SCHEMA.empty_table()
    column = rule.columns[0]
    failing = rows.select([ROW_ORDINAL, column]).take(pa.array(outcome.failing, pa.int64()))

    def same(text: str) -> pa.Array:
        return pa.repeat(pa.scalar(text), failing.num_rows)

    return pa.table(
        [
            failing[ROW_ORDINAL],
            same(rule.table),
            same(column),
            same(rule.reason),
            same(rule.rule),
            pc.cast(failing[column], pa.string()),
        ],
        schema=PROBLEMS_SCHEMA,
    )


def _frame(rows: pa.Table, rules: Iterable[Rule]) -> pd.DataFrame:
    """The columns that the rules look at, in the forms that pandas compares fast.

    Text as categories (a rule then looks at each distinct value once), exact decimals as doubles,
    days as moments so that they compare with the same limits. Where the rules only ask whether
    there is a value, 1 stands for it: identifiers are all different, and GX hashes what it is given.
    """
    asked: dict[str, set[str]] = {}
    for rule in rules:
        for column in rule.columns:
            asked.setdefault(column, set()).add(rule.type)
    return pa.table(
        {
            column: _presence(rows[column]) if types == {_NOT_NULL} else _comparable(rows[column])
            for column, types in asked.items()
        }
    ).to_pandas()


def _presence(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(values.is_valid(), 1.0, None)


def _comparable(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_string(values.type):
        return values.dictionary_encode()
    if pa.types.is_decimal(values.type):
        return values.cast(pa.float64())
    if pa.types.is_date(values.type):
        return values.cast(pa.timestamp("us", tz="UTC"))
    return values
