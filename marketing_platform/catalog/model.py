"""The shape of a table declaration; `registry.py` reads the files."""

from __future__ import annotations

from enum import StrEnum

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

BATCH_ID = "batch_id"
ROW_ORDINAL = "row_ordinal"


class ColumnType(StrEnum):
    """The types a canonical column can have; money is exact, moments are UTC."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    MONEY = "money"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"

    @property
    def arrow(self) -> pa.DataType:
        return _ARROW[self]

    @property
    def sql(self) -> str:
        """The type's name in DuckDB SQL; sqlglot translates it for other engines."""
        return _SQL[self]


# Money has 6 decimals because ad platforms bill in micros; a sum of DECIMALs is exact on
# every engine, which is what "equal to the cent" needs.
_ARROW = {
    ColumnType.STRING: pa.string(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.MONEY: pa.decimal128(18, 6),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.DATE: pa.date32(),
    ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
}
_SQL = {
    ColumnType.STRING: "VARCHAR",
    ColumnType.INTEGER: "BIGINT",
    ColumnType.NUMBER: "DOUBLE",
    ColumnType.MONEY: "DECIMAL(18, 6)",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.DATE: "DATE",
    ColumnType.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
}


class TableKind(StrEnum):
    """What repeating a key means."""

    FACT = "fact"  # every landed row counts, however often its key repeats
    ENTITY = "entity"  # rows with one key describe one thing; later values win


class Column(BaseModel):
    """One column: its name is the same in tables, graph, API and UI."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    type: ColumnType
    description: str
    personal: bool = False


class Place(BaseModel):
    """Another table's column in which keys of an entity appear."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    column: str


class Table(BaseModel):
    """One canonical table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str
    kind: TableKind
    key: tuple[str, ...]
    time: str | None = None
    seen_in: tuple[Place, ...] = ()
    columns: tuple[Column, ...]

    @property
    def name(self) -> str:
        return self.table

    def column(self, name: str) -> Column:
        """The column called `name`; KeyError when the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def arrow_schema(self) -> pa.Schema:
        """The canonical columns followed by the lineage of the row."""
        fields = [pa.field(column.name, column.type.arrow) for column in self.columns]
        return pa.schema([*fields, pa.field(BATCH_ID, pa.string()), pa.field(ROW_ORDINAL, pa.int64())])
