"""The shape of the knowledge graph, read from `labels.yaml` and `relations.yaml` beside this module.

A property that is a catalog column is named by it (`users.country`) and takes type and
description from there, so that nothing is declared twice.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from marketing_platform.catalog import registry
from marketing_platform.catalog.model import BATCH_ID, ROW_ORDINAL, ColumnType
from marketing_platform.stores.protocols import RELATION_ENDS

RECORD_ID = f"split_part({BATCH_ID}, '@', -1) || ':' || {ROW_ORDINAL}"
"""SQL that names one landed row: the version of its object and its position there.

It stands wherever a table's lineage columns are in reach, and gives events, messages and their
vectors the same identity.
"""

_HERE = Path(__file__).parent


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Property(_Declared):
    """What a node or relation carries."""

    type: ColumnType
    description: str


def _from_catalog(value: Any) -> Any:
    """`table.column` stands for that column's type and description."""
    if not isinstance(value, str):
        return value
    table, _, name = value.partition(".")
    column = registry.table(table).column(name)
    return {"type": column.type, "description": column.description}


Properties = dict[str, Annotated[Property, BeforeValidator(_from_catalog)]]


class Label(_Declared):
    """A kind of node; its first property is the key."""

    label: str
    description: str
    properties: Properties = Field(min_length=1)
    rows_of: str | None = None  # the table of which every row gives at most one node by itself
    sql: str

    @property
    def arrow_schema(self) -> pa.Schema:
        """The columns of its node set, the key first."""
        return _schema(self.properties)


class InProfile(_Declared):
    """How a relation stands in the profile graph of a user (`profile.py`)."""

    most: str | None = None  # the property of which the largest values come first where not all fit


class Relation(_Declared):
    """A kind of relation between two labels."""

    type: str
    description: str
    source: str
    target: str
    properties: Properties = Field(default_factory=dict)
    profile: InProfile | None = None  # None: profile graphs leave it out
    rows_of: str | None = None  # as of a label
    sql: str

    @model_validator(mode="after")
    def _most_is_a_property(self) -> Relation:
        most = self.profile.most if self.profile else None
        if most is not None and most not in self.properties:
            raise ValueError(f"relation {self.type}: profile.most names no property of it: {most!r}")
        return self


class GraphModel(_Declared):
    """Every label and relation type, in order of declaration."""

    labels: tuple[Label, ...]
    relations: tuple[Relation, ...]

    def label(self, name: str) -> Label:
        """The label called `name`; KeyError when there is none."""
        for label in self.labels:
            if label.label == name:
                return label
        raise KeyError(name)

    def schema_of(self, relation: Relation) -> pa.Schema:
        """The columns of a relation set: the keys of both ends, then its properties."""
        ends = zip(RELATION_ENDS, (relation.source, relation.target), strict=True)
        fields = [pa.field(name, self.label(end).arrow_schema.field(0).type) for name, end in ends]
        return pa.schema([*fields, *_schema(relation.properties)])

    @model_validator(mode="after")
    def _ends_exist(self) -> GraphModel:
        known = {label.label for label in self.labels}
        for relation in self.relations:
            for end in (relation.source, relation.target):
                if end not in known:
                    raise ValueError(
                        f"relation {relation.type}: no label {end!r}; there are {', '.join(sorted(known))}"
                    )
        return self


@cache
def graph_model() -> GraphModel:
    """The knowledge graph as declared."""
    return GraphModel.model_validate(
        {
            "labels": [{"label": name, **body} for name, body in _read("labels.yaml").items()],
            "relations": [{"type": name, **body} for name, body in _read("relations.yaml").items()],
        }
    )


def _read(file: str) -> dict[str, dict[str, Any]]:
    return yaml.safe_load((_HERE / file).read_text(encoding="utf-8"))


def _schema(properties: Properties) -> pa.Schema:
    return pa.schema([pa.field(name, declared.type.arrow) for name, declared in properties.items()])
