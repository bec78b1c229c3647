"""A sample's way through the gates by the pure functions alone, from landed bytes to verdicts.

No store and no run are involved; that the real job gates the same way is for its own tests.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from io import BytesIO
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from marketing_platform import catalog
from marketing_platform.gates.plants import SAMPLE_ROWS
from marketing_platform.gates.profile import batch_profile, profile_sql
from marketing_platform.gates.rows import PROBLEMS_SCHEMA, RowGate
from marketing_platform.gates.split import Split, split
from marketing_platform.gates.suites import Suites
from marketing_platform.gates.trial import Land, Sample, Stopped
from marketing_platform.gates.verdicts import judge_batch, judge_table
from marketing_platform.sources import SourceSpec, project, read_rows

_BATCH = "gates-test"


def dry_run(suites: Suites, *, now: datetime) -> Land:
    """What a landed sample meets under `suites` at the moment `now`."""
    gate = RowGate(suites, now=now)

    def land(sample: Sample) -> Stopped:
        spec = _spec(sample.table)
        chunks = read_rows(BytesIO(sample.content), spec, chunk_rows=10 * SAMPLE_ROWS, max_cell_bytes=1 << 20)
        broken: set[str] = set()
        parts: list[Split] = []
        for raw in chunks:
            projection = project(raw, spec, _BATCH)
            problems = pa.concat_tables(
                [
                    PROBLEMS_SCHEMA.empty_table(),
                    *(gate.problems(name, rows) for name, rows in projection.tables.items()),
                ]
            )
            broken.update(problems["rule"].to_pylist())
            parts.append(
                split(raw, projection.tables, typing_problems=projection.problems, rule_problems=problems)
            )
        return Stopped(
            reasons=_reasons(parts),
            row_rules=frozenset(broken),
            gate_rules=_gate_rules(suites, sample, parts, now),
        )

    return land


def _spec(table: str) -> SourceSpec:
    columns = {name: {"field": name} for name in catalog.table(table).column_names}
    return SourceSpec.model_validate(
        {
            "source": "gates_test",
            "description": f"Planted rows of {table}.",
            "path": "*",
            "format": {"type": "ndjson"},
            "tables": {table: {"columns": columns}},
        }
    )


def _reasons(parts: Iterable[Split]) -> dict[int, tuple[str, ...]]:
    return {
        row["ordinal"]: tuple(orjson.loads(row["reasons"]))
        for part in parts
        for row in part.quarantine.to_pylist()
    }


def _gate_rules(suites: Suites, sample: Sample, parts: list[Split], now: datetime) -> frozenset[str]:
    landed = sum(part.rows_landed for part in parts)
    valid = sum(part.rows_valid for part in parts)
    admission = batch_profile(
        landed=landed,
        valid=valid - sample.lose,
        quarantined=sum(part.rows_quarantined for part in parts),
        unreadable=sum(part.unreadable for part in parts),
    )
    schema = catalog.table(sample.table).arrow_schema
    rows = pa.concat_tables([schema.empty_table(), *(part.tables[sample.table] for part in parts)])
    verdicts = [
        *judge_table(suites, sample.table, _profile(sample.table, rows, now)),
        *judge_batch(suites, admission),
    ]
    return frozenset(verdict.rule for verdict in verdicts if not verdict.passed)


def _profile(table: str, rows: pa.Table, now: datetime) -> dict[str, Any]:
    with duckdb.connect() as connection:
        connection.register(table, rows)
        found = connection.sql(profile_sql(catalog.table(table)), params={"now": now})
        return found.to_arrow_table().to_pylist()[0]
