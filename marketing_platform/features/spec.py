"""What `features/<entity>s.yaml` may say: immutable models that refuse unknown keys.

Only shapes belong here, and what follows from them: types, units, which tables are read. Names that the
catalog must know are looked at in `loading.py`; the SQL of a feature is in `queries.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import pyarrow as pa
from pydantic import Field

from marketing_platform.catalog import Column, ColumnType, Table, table
from marketing_platform.declarations import Declared
from marketing_platform.errors import InputError
from marketing_platform.recommenders.rules.spec import Filter

Entity = Literal["user", "campaign", "product"]
ENTITIES: tuple[Entity, ...] = get_args(Entity)
VECTOR = "vector"


class _Feature(Declared):
    """A figure about an entity, from the rows of one table that lie before the moment asked about."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)
    description: str = Field(min_length=1)
    table: str = Field(alias="from")

    @property
    def without_moment(self) -> str | None:
        """What it takes of another table (`products.category`), where only today's value is known."""
        return None


class Filtered(_Feature):
    """Of these rows only some."""

    where: Filter | None = None
    days: int | None = Field(None, ge=1, le=36_500)  # the last so many times 24 hours


class Rows(Filtered):
    """How many rows, or how long ago the last one was."""

    aggregate: Literal["count", "days_since"]

    @property
    def type(self) -> ColumnType:
        return ColumnType.INTEGER if self.aggregate == "count" else ColumnType.NUMBER

    @property
    def unit(self) -> str:
        return self.table if self.aggregate == "count" else "days"


class Amount(Filtered):
    """The sum or the mean of a column of numbers; with `times` of its product with another column."""

    aggregate: Literal["sum", "mean"]
    column: str
    times: str | None = None
    unit: str = Field(min_length=1)

    @property
    def type(self) -> ColumnType:
        return ColumnType.NUMBER if self.aggregate == "mean" else table(self.table).column(self.column).type


class Choice(Filtered):
    """One of the values of a column, or how many different ones: missing values do not count.

    The last by moment. The most frequent; of equally frequent ones the one that came last. `column` is a
    column of the table, or one of an entity that its rows name (`products.category`).
    """

    aggregate: Literal["last", "most_frequent", "distinct"]
    column: str

    @property
    def type(self) -> ColumnType:
        return ColumnType.INTEGER if self.aggregate == "distinct" else self._source.type

    @property
    def unit(self) -> str | None:
        return self.column if self.aggregate == "distinct" else None

    @property
    def without_moment(self) -> str | None:
        return self.column if "." in self.column else None

    @property
    def _source(self) -> Column:
        other, _, name = self.column.rpartition(".")
        return table(other or self.table).column(name)


class Centroid(_Feature):
    """The mean direction of the vectors of texts, of unit length; none without a text that has words.

    For users the values of now are those of the asset `user_vectors`.
    """

    aggregate: Literal["centroid"]
    column: str

    @property
    def type(self) -> Literal["vector"]:
        return VECTOR

    @property
    def unit(self) -> None:
        return None


FEATURES: Mapping[str, type[_Feature]] = {
    **dict.fromkeys(("count", "days_since"), Rows),
    **dict.fromkeys(("sum", "mean"), Amount),
    **dict.fromkeys(("last", "most_frequent", "distinct"), Choice),
    "centroid": Centroid,
}
Scalar = Rows | Amount | Choice
Feature = Annotated[Rows | Amount | Choice | Centroid, Field(discriminator="aggregate")]


class FeatureFile(Declared):
    """One file: the features of one entity."""

    features: tuple[Feature, ...] = ()


@dataclass(frozen=True)
class Features:
    """The features of one entity, in the order in which they are declared."""

    entity: Entity
    declared: tuple[Feature, ...] = ()

    @property
    def of(self) -> Table:
        """The table that knows every entity of the kind."""
        return table(f"{self.entity}s")

    @property
    def key(self) -> str:
        return self.of.key[0]

    @property
    def scalars(self) -> tuple[Scalar, ...]:
        """Those that one query answers."""
        return tuple(feature for feature in self.declared if not isinstance(feature, Centroid))

    @property
    def centroids(self) -> tuple[Centroid, ...]:
        return tuple(feature for feature in self.declared if isinstance(feature, Centroid))

    @property
    def reads(self) -> tuple[str, ...]:
        """The canonical tables that the values are computed from, the entity's own first."""
        looked_up = (one.without_moment.partition(".")[0] for one in self.declared if one.without_moment)
        return tuple(dict.fromkeys([self.of.name, *(one.table for one in self.declared), *looked_up]))

    @property
    def arrow_schema(self) -> pa.Schema:
        """The key and every feature that is no vector."""
        fields = [pa.field(feature.name, feature.type.arrow) for feature in self.scalars]
        return pa.schema([pa.field(self.key, pa.string()), *fields])

    def only(self, names: Iterable[str] | None) -> Features:
        """These features, in the order given; all of them for None. InputError for a name that is not one."""
        if names is None:
            return self
        known = {feature.name: feature for feature in self.declared}
        names = list(dict.fromkeys(names))
        unknown = [name for name in names if name not in known]
        if unknown:
            named = ", ".join(map(repr, unknown))
            raise InputError(f"no feature {named} of a {self.entity}; there are: {', '.join(known)}")
        return Features(self.entity, tuple(known[name] for name in names))
