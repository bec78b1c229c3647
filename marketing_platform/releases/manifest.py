"""What one release consists of. Immutable once written; serving reads nothing else to find data."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from marketing_platform.errors import UnknownRelease


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BatchEntry(_Part):
    """A batch whose valid rows are in the release, or (under `held`) whose rows are not."""

    batch_id: str
    source: str
    object: str
    content_hash: str
    rows_landed: int
    rows_valid: int
    rows_quarantined: int
    decision: Literal["accepted", "accepted on purpose", "held"]
    why: str | None = None


class TableEntry(_Part):
    """A table: the stored parts it consists of, its columns with the names of their Arrow types."""

    parts: tuple[str, ...]
    columns: dict[str, str]
    rows: int
    fingerprint: str


class CollectionEntry(_Part):
    """A vector collection."""

    name: str
    rows: int
    dim: int
    model: str


class GraphEntry(_Part):
    """A graph and what it holds."""

    name: str
    nodes: dict[str, int]
    relations: dict[str, int]


class AnswersEntry(_Part):
    """A set of precomputed answers."""

    name: str
    rows: int


class DocumentsEntry(_Part):
    """Documents that people open: the sets they lie in, which releases share."""

    sets: tuple[str, ...]
    rows: int


class CheckEntry(_Part):
    """A check that judged exactly what is in this release."""

    asset: str
    check: str
    passed: bool
    blocking: bool


class ReportEntry(_Part):
    """A report that people read; the file's name in the folder of reports."""

    name: str


class Totals(_Part):
    """The figures people compare releases by; rows count every landed batch, held ones too."""

    rows_landed: int = Field(description="Records that landed.")
    rows_valid: int = Field(description="Records in the tables.")
    rows_quarantined: int = Field(description="Records that were refused.")
    users: int = Field(description="Users.")
    campaigns: int = Field(description="Campaigns.")
    vectors: int = Field(description="Vectors of messages.")
    edges: int = Field(description="Relations of the knowledge graph.")


class Manifest(_Part):
    """One release."""

    release_id: str
    created_at: datetime
    previous: str | None
    run_id: str
    code_version: str
    profile: str
    totals: Totals
    batches: tuple[BatchEntry, ...]
    held: tuple[BatchEntry, ...] = ()
    tables: dict[str, TableEntry] = Field(default_factory=dict)
    vectors: dict[str, CollectionEntry] = Field(default_factory=dict)
    graphs: dict[str, GraphEntry] = Field(default_factory=dict)
    answers: dict[str, AnswersEntry] = Field(default_factory=dict)
    documents: dict[str, DocumentsEntry] = Field(default_factory=dict)
    reports: dict[str, ReportEntry] = Field(default_factory=dict)
    checks: tuple[CheckEntry, ...] = ()
    # What assets measured about themselves, by `asset.figure`; the next release may be judged by it.
    figures: dict[str, float] = Field(default_factory=dict)

    def to_json(self) -> bytes:
        """The manifest as it is kept: fields as declared, entries by name, columns in the table's order."""
        document = self.model_dump(mode="json")
        for name, value in self:
            if isinstance(value, dict):
                document[name] = dict(sorted(document[name].items()))
        return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_json(cls, content: bytes | str, *, where: str) -> Manifest:
        """A kept manifest; UnknownRelease when it is none that this version can read."""
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            raise UnknownRelease(f"{where}: no manifest that this version can read: {error}") from error

    def stored_names(self) -> set[str]:
        """Every name in any store that this release needs, parts of tables included."""
        entries = (
            *self.vectors.values(),
            *self.graphs.values(),
            *self.answers.values(),
            *self.reports.values(),
        )
        parts = (part for table in self.tables.values() for part in table.parts)
        sets = (name for documents in self.documents.values() for name in documents.sets)
        return {*(entry.name for entry in entries), *parts, *sets}
