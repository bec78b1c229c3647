"""The two forms of a chunk of raw records, and the way from one to the other.

Written out, a record is a JSON document (`RAW_SCHEMA`). Records that all have the same fields may stay
in columns instead, which is several times smaller and needs no parsing: the chunk then has a fourth
column `fields`, a struct of texts, and `document` is null wherever the values stand there. What the
values mean is the business of `sources/projection.py`.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from marketing_platform.stores.protocols import RAW_SCHEMA

FIELDS = "fields"
_ESCAPED = r'["\\\x00-\x1f]'  # what JSON does not take as it is


def fields_type(names: Sequence[str]) -> pa.StructType:
    """The type of `fields` for records with these fields."""
    return pa.struct([(name, pa.string()) for name in names])


def written_out(chunk: pa.Table) -> pa.Table:
    """The chunk in RAW_SCHEMA, whatever form it is in; the documents are those that orjson writes."""
    if FIELDS not in chunk.column_names:
        return chunk
    in_columns = chunk["document"].is_null()
    documents = _documents(chunk[FIELDS].filter(in_columns))
    whole = pc.replace_with_mask(chunk["document"].combine_chunks(), in_columns.combine_chunks(), documents)
    return chunk.select(RAW_SCHEMA.names).set_column(1, RAW_SCHEMA.field("document"), whole)


def _documents(fields: pa.ChunkedArray) -> pa.StringArray:
    structs = pa.chunked_array(fields.chunks, fields.type).combine_chunks()
    pieces: list[pa.Scalar | pa.StringArray] = []
    for place, (name, values) in enumerate(zip(structs.type.names, structs.flatten(), strict=True)):
        pieces += [pa.scalar(("," if place else "{") + orjson.dumps(name).decode() + ":"), _json(values)]
    if not pieces:
        return pa.array(["{}"] * len(structs), pa.string())
    return pc.binary_join_element_wise(*pieces, pa.scalar("}"), "")


def _json(values: pa.StringArray) -> pa.StringArray:
    """Each text as a JSON string, null as `null`."""
    quoted = pc.binary_join_element_wise(pa.scalar('"'), values, pa.scalar('"'), "")
    special = pc.fill_null(pc.match_substring_regex(values, _ESCAPED), False)
    if pc.any(special).as_py():
        texts = [orjson.dumps(text).decode() for text in values.filter(special).to_pylist()]
        quoted = pc.replace_with_mask(quoted, special, pa.array(texts, pa.string()))
    return pc.fill_null(quoted, "null") if values.null_count else quoted
