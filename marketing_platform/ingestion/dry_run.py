"""A sample's way through the gates by the pure functions alone, from landed bytes to verdicts.

No store and no run are involved; `defs/rehearsal.py` shows that the real jobs gate the same way.
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
from marketing_platform.gates import (
    RowGate,
    Split,
    Suites,
    batch_profile,
    judge_batch,
    judge_table,
    profile_sql,
)
from marketing_platform.gates.plants import SAMPLE_ROWS
from marketing_platform.gates.trial import Land, Sample, Stopped
from marketing_platform.ingestion.validation import sift
from marketing_platform.sources import SourceSpec, read_rows

_BATCH = "gates-test"


def dry_run(suites: Suites, *, now: datetime) -> Land:
    """What a landed sample meets under `suites` at the moment `now`."""
    gate = RowGate(suites, now=now)

    def land(sample: Sample) -> Stopped:
        spec = SourceSpec.model_validate(declaration(sample.table))
        chunks = read_rows(BytesIO(sample.content), spec, chunk_rows=10 * SAMPLE_ROWS, max_cell_bytes=1 << 20)
        sifted = [sift(raw, _BATCH, spec, gate) for raw in chunks]
        parts = [parted for parted, _ in sifted]
        gate_rules = _gate_rules(suites, sample, parts, now)
        return Stopped(
            reasons=_reasons(parts),
            row_rules=frozenset(rule for _, found in sifted for rule in found["rule"].to_pylist()),
            gate_rules=gate_rules,
            released=not gate_rules,
        )

    return land


def declaration(table: str) -> dict[str, Any]:
    """A source that reads NDJSON whose fields are the columns of `table`."""
    columns = {name: {"field": name} for name in catalog.table(table).column_names}
    return {
        "source": f"{table}_sample",
        "description": f"Planted rows of {table}.",
        "path": f"{table}.ndjson",
        "format": {"type": "ndjson"},
        "tables": {table: {"columns": columns}},
    }


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
    rows = pa.concat_tables([rows, rows.slice(0, sample.repeat)])
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
