"""Raw records as typed rows of the canonical tables, and what could not be read.

Rules about values (required, known, in range) do not belong here: the gates judge the rows.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from marketing_platform.catalog import Table, TableKind, table
from marketing_platform.catalog.model import BATCH_ID, ROW_ORDINAL
from marketing_platform.sources.cells import BLANKS, Cell, cell, quoted
from marketing_platform.sources.spec import SourceSpec, TableSpec
from marketing_platform.stores.raw_chunks import FIELDS
from marketing_platform.stores.warehouse_duckdb import in_memory

# What went wrong in which record; a defect of the whole record names no table and no column.
PROBLEMS_SCHEMA = pa.schema(
    [
        (ROW_ORDINAL, pa.int64()),
        ("table", pa.string()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("value", pa.string()),
    ]
)

_VALUE_CHARACTERS = 200


@dataclass(frozen=True)
class Projection:
    """One chunk of records, projected."""

    tables: dict[str, pa.Table]  # by canonical table, each with exactly its `arrow_schema`
    problems: pa.Table  # PROBLEMS_SCHEMA, in order of row


def project(raw: pa.Table, spec: SourceSpec, batch_id: str) -> Projection:
    """The rows that the records of `raw`, in either form of `stores/raw_chunks.py`, give to `spec`'s tables.

    A cell that cannot be read is null in its row and has a problem `<column> unreadable`; the row is
    there all the same. A record with a defect gives no row and one problem with the defect as reason.
    """
    whole = pc.is_null(raw["defect"])
    defects = raw.filter(pc.invert(whole))
    texts = _texts(raw.filter(whole) if len(defects) else raw, spec)
    tables: dict[str, pa.Table] = {}
    problems = [_defect_problems(defects)]
    with in_memory() as engine:
        engine.execute(f"SET TimeZone = {quoted(spec.timezone)}")
        engine.register("records", texts)
        for name, table_spec in spec.tables.items():
            projected = _Projected(table(name), table_spec, spec, batch_id)
            found = engine.sql(projected.sql).to_arrow_table()
            tables[name] = found.select(projected.table.arrow_schema.names).cast(projected.table.arrow_schema)
            problems += projected.problems(found)
    listed = pa.concat_tables(problems)
    return Projection(tables, listed.sort_by(ROW_ORDINAL) if len(listed) else listed)


def _texts(raw: pa.Table, spec: SourceSpec) -> pa.Table:
    """The fields that some column reads, trimmed, as `t0`, `t1`, …, with the ordinals as `ordinal`."""
    wanted = spec.fields or ("_none",)
    in_columns = raw["document"].is_null()
    if FIELDS not in raw.column_names:
        found = _from_documents(raw, wanted)
    elif pc.all(in_columns).as_py():
        found = _from_columns(raw, wanted)
    else:
        parts = _from_columns(raw.filter(in_columns), wanted), _from_documents(
            raw.filter(pc.invert(in_columns)), wanted
        )
        found = pa.concat_tables(parts).sort_by("ordinal")
    columns = [_present(column, spec.nulls) for column in found.columns[1:]]
    return pa.table(
        [found["ordinal"], *columns], names=["ordinal", *(f"t{index}" for index in range(len(columns)))]
    )


def _from_columns(raw: pa.Table, wanted: Sequence[str]) -> pa.Table:
    held: pa.StructType = raw.schema.field(FIELDS).type
    places = [held.get_field_index(name) for name in wanted]
    columns = [
        pc.struct_field(raw[FIELDS], [place]) if place >= 0 else pa.nulls(len(raw), pa.string())
        for place in places
    ]
    return pa.table([raw["ordinal"], *columns], schema=_wanted(wanted))


def _from_documents(raw: pa.Table, wanted: Sequence[str]) -> pa.Table:
    schema = _wanted(wanted)
    fields = schema.remove(0)
    found = _parsed(raw["document"], fields) if raw.num_rows else fields.empty_table()
    return pa.table([raw["ordinal"], *found.columns], schema=schema)


def _wanted(names: Sequence[str]) -> pa.Schema:
    # By place: a field may be called like anything.
    return pa.schema([("ordinal", pa.int64()), *((name, pa.string()) for name in names)])


def _present(column: pa.ChunkedArray, nulls: Sequence[str]) -> pa.ChunkedArray:
    """The column without surrounding blanks; null where nothing is left or a marker says so."""
    trimmed = pc.utf8_trim(column, characters=BLANKS)
    missing = pc.is_in(trimmed, value_set=pa.array(["", *nulls], pa.string()))
    return pc.if_else(missing, pa.scalar(None, pa.string()), trimmed)


def _parsed(documents: pa.ChunkedArray, schema: pa.Schema) -> pa.Table:
    lines = documents.cast(pa.binary()).to_pylist()
    parsed = pj.read_json(
        pa.BufferReader(b"\n".join(lines)),
        # No document may reach over more than two blocks.
        read_options=pj.ReadOptions(block_size=max(1 << 20, max(map(len, lines)) + 1)),
        parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
    )
    return parsed.select(schema.names)


def _defect_problems(defects: pa.Table) -> pa.Table:
    nothing = pa.nulls(len(defects), pa.string())
    columns = [defects["ordinal"], nothing, nothing, defects["defect"], nothing]
    return pa.Table.from_arrays(columns, schema=PROBLEMS_SCHEMA)


class _Projected:
    """The query that fills one canonical table."""

    def __init__(self, canonical: Table, table_spec: TableSpec, spec: SourceSpec, batch_id: str) -> None:
        self.table = canonical
        self._batch_id = batch_id
        self._skip = table_spec.skip_when_missing
        texts = {name: f"t{index}" for index, name in enumerate(spec.fields)}
        self._cells = {
            name: cell(canonical.column(name), column, texts, spec.timezone)
            for name, column in table_spec.columns.items()
        }

    @property
    def sql(self) -> str:
        """Rows of the table with, for each declared column, the text that could not be read."""
        selected = [self._value(column.name, column.type.sql) for column in self.table.columns]
        selected += [f"{quoted(self._batch_id)} AS {BATCH_ID}", f"ordinal AS {ROW_ORDINAL}"]
        selected += [_unread(name, found) for name, found in self._cells.items() if found.may_fail]
        kept = " AND ".join(f"{self._cells[name].text} IS NOT NULL" for name in self._skip) or "true"
        # Only names from the catalog and literals that were quoted are put in.
        return f"SELECT {', '.join(selected)} FROM records WHERE {kept}"  # noqa: S608

    def problems(self, found: pa.Table) -> Iterator[pa.Table]:
        """What could not be read in the rows that `sql` gave."""
        for name in (name for name, found in self._cells.items() if found.may_fail):
            unread = found[_unread_name(name)]
            if unread.null_count == len(unread):
                continue
            there = pc.is_valid(unread)
            rows = found[ROW_ORDINAL].filter(there)
            yield pa.table(
                [
                    rows,
                    pa.repeat(self.table.name, len(rows)),
                    pa.repeat(name, len(rows)),
                    pa.repeat(f"{name} unreadable", len(rows)),
                    unread.filter(there),
                ],
                schema=PROBLEMS_SCHEMA,
            )

    def _value(self, name: str, sql_type: str) -> str:
        value = self._cells[name].value if name in self._cells else f"CAST(NULL AS {sql_type})"
        if self.table.kind is TableKind.FACT and self.table.key == (name,):
            suffix = self._batch_id.rpartition("@")[2]
            value = f"coalesce({value}, {quoted(suffix)} || ':' || ordinal)"
        return f"{value} AS {name}"


def _unread_name(column: str) -> str:
    return f"unread_{column}"


def _unread(name: str, found: Cell) -> str:
    value = f"left({found.text}, {_VALUE_CHARACTERS})"
    unread = f"{found.text} IS NOT NULL AND {found.value} IS NULL"
    return f"CASE WHEN {unread} THEN {value} END AS {_unread_name(name)}"
