"""A landed record is valid or quarantined, as a whole and exactly once.

Pure: takes what typing and the row rules found, decides about records, touches no store.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from marketing_platform.catalog.model import ROW_ORDINAL
from marketing_platform.stores.protocols import QUARANTINE_SCHEMA
from marketing_platform.stores.raw_chunks import written_out

UNREADABLE = "unreadable"
_CELL = [ROW_ORDINAL, "table", "column"]


@dataclass(frozen=True)
class Split:
    """One chunk of records, divided."""

    tables: Mapping[str, pa.Table]  # the rows of valid records, per canonical table
    quarantine: pa.Table  # QUARANTINE_SCHEMA
    rows_landed: int  # records, not rows: one record may feed several tables
    rows_valid: int
    unreadable: int  # records whose defect starts with `unreadable`

    @property
    def rows_quarantined(self) -> int:
        """Records refused, each with its reasons."""
        return self.quarantine.num_rows


def split(
    raw: pa.Table, tables: Mapping[str, pa.Table], *, typing_problems: pa.Table, rule_problems: pa.Table
) -> Split:
    """Divide a chunk `raw` (`stores/raw_chunks.py`, ordinals unique) and the rows projected from it.

    Both problem tables have at least row_ordinal, table, column, reason. A record is quarantined
    when it has a defect or any problem, with all its reasons sorted and each said once. A rule's
    complaint about a cell that could not be typed is left out: `timestamp unreadable` makes the
    cell null, and `timestamp missing` on top would be untrue.
    """
    complaints = _complaints(raw, typing_problems, rule_problems)
    bad = complaints["ordinal"].unique()
    refused = pc.is_in(raw["ordinal"], value_set=bad)
    valid = {
        name: rows.filter(pc.invert(pc.is_in(rows[ROW_ORDINAL], value_set=bad)))
        for name, rows in tables.items()
    }
    quarantine = _quarantine(written_out(raw.filter(refused)), complaints)
    return Split(
        tables=valid,
        quarantine=quarantine,
        rows_landed=raw.num_rows,
        rows_valid=raw.num_rows - (pc.sum(refused).as_py() or 0),
        unreadable=pc.sum(pc.fill_null(pc.starts_with(raw["defect"], UNREADABLE), False)).as_py() or 0,
    )


def _complaints(raw: pa.Table, typing_problems: pa.Table, rule_problems: pa.Table) -> pa.Table:
    """(ordinal, reason) of everything wrong, each pair once."""
    defects = raw.filter(raw["defect"].is_valid()).select(["ordinal", "defect"])
    cells = typing_problems.select(_CELL).group_by(_CELL).aggregate([])
    of_rules = rule_problems.select([*_CELL, "reason"]).join(cells, keys=_CELL, join_type="left anti")
    names = ["ordinal", "reason"]
    found = pa.concat_tables(
        [
            defects.rename_columns(names),
            typing_problems.select([ROW_ORDINAL, "reason"]).rename_columns(names),
            of_rules.select([ROW_ORDINAL, "reason"]).rename_columns(names),
        ]
    )
    return found.group_by(names).aggregate([])


def _quarantine(refused: pa.Table, complaints: pa.Table) -> pa.Table:
    reasons: dict[int, list[str]] = {}
    for ordinal, reason in zip(
        complaints["ordinal"].to_pylist(), complaints["reason"].to_pylist(), strict=True
    ):
        reasons.setdefault(ordinal, []).append(reason)
    texts = [orjson.dumps(sorted(reasons[ordinal])).decode() for ordinal in refused["ordinal"].to_pylist()]
    return pa.table(
        [refused["ordinal"], refused["document"], pa.array(texts, pa.string())], schema=QUARANTINE_SCHEMA
    )
