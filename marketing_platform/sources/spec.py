"""What a source declaration may say: immutable models that refuse unknown keys.

Only shapes, the rules within one declaration and the choice of the source for an object belong
here. Files, lines and messages are the business of `loading.py`.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cached_property
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import orjson
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from marketing_platform.declarations import Declared
from marketing_platform.errors import SourceError
from marketing_platform.sources.patterns import matches

PLACEHOLDER = re.compile(r"\{([^{}]+)\}")

# Codecs that are no way to write down text, or that cannot be read piece by piece.
_NO_FILE_ENCODINGS = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7"}


def _scalar_text(value: Any) -> Any:
    """YAML types unquoted words; a constant is text however it is written."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, int | float) else value


def _known_encoding(name: str) -> str:
    try:
        info = codecs.lookup(name)
        is_text = info.name not in _NO_FILE_ENCODINGS and "a".encode(name).decode(name) == "a"
    except (LookupError, ValueError, TypeError):
        is_text = False
    if not is_text:
        raise ValueError("a text encoding such as utf-8, cp1252 or utf-16")
    return name


def _known_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("an IANA time zone such as Europe/London") from None
    return name


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _one_character(value: str) -> str:
    if len(value) != 1 or value in "\r\n\0":
        raise ValueError("one character, no line end")
    return value


Text = Annotated[str, BeforeValidator(_scalar_text)]
Encoding = Annotated[str, AfterValidator(_known_encoding)]
OneCharacter = Annotated[str, AfterValidator(_one_character)]
NonEmpty = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[NonEmpty, ...], BeforeValidator(_as_list), Field(min_length=1)]
Compression = Literal["auto", "gzip", "none"]


class CsvFormat(Declared):
    """Separated text."""

    type: Literal["csv"]
    delimiter: OneCharacter = ","
    quote: str | None = '"'
    escape: str | None = None
    encoding: Encoding = "utf-8"
    compression: Compression = "auto"
    skip_rows: int = Field(0, ge=0)
    header: Literal[True] | tuple[str, ...] = True

    @field_validator("quote", "escape", mode="before")
    @classmethod
    def _check_character(cls, value: Any) -> Any:
        if value in (None, "none"):
            return None
        if not isinstance(value, str):
            raise ValueError("one character, or none")
        return _one_character(value)

    @field_validator("header", mode="plain")
    @classmethod
    def _check_header(cls, value: Any) -> Literal[True] | tuple[str, ...]:
        if value is True:
            return True
        if (
            not isinstance(value, list | tuple)
            or not value
            or not all(isinstance(name, str) and name for name in value)
        ):
            raise ValueError("true, or the list of the field names when the file has no header line")
        if len(set(value)) < len(value):
            raise ValueError("field names that differ from each other")
        return tuple(value)

    @model_validator(mode="after")
    def _check_characters_differ(self) -> CsvFormat:
        used = [character for character in (self.delimiter, self.quote, self.escape) if character]
        if len(set(used)) < len(used):
            raise ValueError("delimiter, quote and escape that differ from each other")
        return self


class NdjsonFormat(Declared):
    """One JSON object per line; one with a text in `defect_field` was refused before it landed."""

    type: Literal["ndjson"]
    encoding: Encoding = "utf-8"
    compression: Compression = "auto"
    defect_field: NonEmpty | None = None


class JsonFormat(Declared):
    """One JSON array of objects."""

    type: Literal["json"]
    encoding: Encoding = "utf-8"
    compression: Compression = "auto"


class ParquetFormat(Declared):
    """Apache Parquet."""

    type: Literal["parquet"]


Format = Annotated[CsvFormat | NdjsonFormat | JsonFormat | ParquetFormat, Field(discriminator="type")]
FORMATS: dict[str, type[Declared]] = {
    "csv": CsvFormat,
    "ndjson": NdjsonFormat,
    "json": JsonFormat,
    "parquet": ParquetFormat,
}


class ColumnSpec(Declared):
    """Where the value of one canonical column comes from and how its text is to be read."""

    field: str | None = Field(None, min_length=1)
    constant: Annotated[Text, Field(min_length=1)] | None = None
    template: str | None = None
    format: Texts | None = None
    unit: Literal["micros", "cents", "seconds", "milliseconds"] | None = None
    decimal: Literal[".", ","] = "."
    thousands: OneCharacter | None = None
    per: str | None = Field(None, min_length=1)
    drop_decimal_zeros: bool = False
    map: Mapping[Text, Text] | None = None
    otherwise: Literal["keep", "missing", "unreadable"] = "keep"

    @model_validator(mode="before")
    @classmethod
    def _expand_short_form(cls, value: Any) -> Any:
        return {"field": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_one_origin(self) -> ColumnSpec:
        origins = [name for name in ("field", "constant", "template") if getattr(self, name) is not None]
        if len(origins) != 1:
            raise ValueError("exactly one of field, constant, template")
        if self.template is not None and not PLACEHOLDER.search(self.template):
            raise ValueError("a template with at least one {field} (use `constant` for fixed text)")
        if self.otherwise != "keep" and self.map is None:
            raise ValueError("`otherwise` only together with `map`")
        if self.per is not None and self.field is None:
            raise ValueError("`per` only together with `field`")
        if self.thousands == self.decimal:
            raise ValueError("thousands and decimal separators that differ")
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """The record's fields that this column reads."""
        if self.template is not None:
            return tuple(dict.fromkeys(PLACEHOLDER.findall(self.template)))
        return tuple(name for name in (self.field, self.per) if name is not None)


class TableSpec(Declared):
    """What one canonical table gets from each record."""

    columns: Annotated[Mapping[str, ColumnSpec], Field(min_length=1)]
    skip_when_missing: tuple[str, ...] = ()


class SourceSpec(Declared):
    """One declared source."""

    source: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str = Field(min_length=1)
    path: Texts
    format: Format
    timezone: Annotated[str, AfterValidator(_known_timezone)] = "UTC"
    nulls: tuple[Annotated[Text, Field(min_length=1)], ...] = ()
    tables: Annotated[Mapping[str, TableSpec], Field(min_length=1)]

    @property
    def name(self) -> str:
        """The name of the source."""
        return self.source

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """Every field of the record that some column reads."""
        columns = (column for table in self.tables.values() for column in table.columns.values())
        return tuple(dict.fromkeys(name for column in columns for name in column.fields))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what is declared; comments and layout of the file do not count."""
        declared = orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(declared).hexdigest()

    def matches(self, object_name: str) -> bool:
        """Whether this source reads the object of that name."""
        names = [object_name]
        if not isinstance(self.format, ParquetFormat) and self.format.compression != "none":
            names.append(object_name.removesuffix(".gz"))
        return any(matches(pattern, name) for pattern in self.path for name in names)


def match_source(specs: Iterable[SourceSpec], object_name: str) -> SourceSpec | None:
    """The source that reads the object `object_name` (path with forward slashes), or None.

    Raises:
        SourceError: Two sources match it.
    """
    found = [spec for spec in specs if spec.matches(object_name)]
    if len(found) > 1:
        names = " and ".join(f"{spec.name!r} ({', '.join(spec.path)})" for spec in found)
        raise SourceError(f"{object_name}: matched by the sources {names}; narrow the `path` of all but one")
    return found[0] if found else None
