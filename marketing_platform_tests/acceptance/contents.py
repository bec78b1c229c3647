"""What a release holds, by fingerprint, whatever its parts are called and in whatever order they lie.

Two releases that hold the same have equal `contents`; a part that differs is named by its key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
import orjson

from marketing_platform.graph.model import graph_model
from marketing_platform.recommenders.prepared import EVERYONE
from marketing_platform.releases.manifest import Manifest
from marketing_platform.stores.protocols import RELATION_ENDS, GraphReader, Select, TableRef
from marketing_platform.stores.registry import Stores

_ASKED = 5  # vectors by whose neighbours, all of them, a collection is told
_DIGITS = 5  # of a score of vectors
# What a document says of the run that made it: what it took, and what served at that moment.
_OF_THE_RUN = {"train_s", "score_s", "peak_gb", "before"}


def contents(stores: Stores, manifest: Manifest) -> dict[str, object]:
    """Fingerprints of every table, answer, node, relation, vector, document and report."""
    users = [row["user_id"] for row in _rows(stores, manifest, "users", "user_id")]
    return {
        **{f"table {name}": (table.rows, table.fingerprint) for name, table in manifest.tables.items()},
        **{
            f"answers {name}": _answers(stores, entry.name, users) for name, entry in manifest.answers.items()
        },
        **_graph(stores, manifest),
        **_vectors(stores, manifest),
        **{
            f"documents {name}": _hash(stores.enriched.read(entry.sets, limit=entry.rows))
            for name, entry in manifest.documents.items()
        },
        **{
            f"report {name}": _hash([_lasting(stores.reports.read(entry.name))])
            for name, entry in manifest.reports.items()
        },
    }


def _rows(stores: Stores, manifest: Manifest, table: str, *columns: str) -> list[dict[str, Any]]:
    parts = manifest.tables[table].parts
    ref = TableRef(table, parts, stores.warehouse.open(parts[0]).ref.schema)
    select = Select(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1", [ref])
    return stores.warehouse.query(select).to_pylist()


def _answers(stores: Stores, name: str, users: Iterable[str]) -> object:
    with closing(stores.answers.open(name)) as reader:
        found = {user: reader.get(user) for user in (EVERYONE, *users)}
    given = [f"{user} {answer.decode()}" for user, answer in found.items() if answer is not None]
    return stores.answers.count(name), len(given), _hash(given)


def _graph(stores: Stores, manifest: Manifest) -> dict[str, object]:
    with closing(stores.graphs.open(manifest.graphs["knowledge_graph"].name)) as graph:
        return {kind: _hash(rows) for kind, rows in _kinds(graph)}


def _kinds(graph: GraphReader) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    model = graph_model()
    for label in model.labels:
        asked = ", ".join(f"n.{name} AS {name}" for name in label.properties)
        yield f"nodes {label.label}", graph.run(f"MATCH (n:{label.label}) RETURN {asked}", {})
    for relation in model.relations:
        keys = [model.label(end).arrow_schema.field(0).name for end in (relation.source, relation.target)]
        ends = [f"{at}.{key} AS {name}" for at, key, name in zip("ab", keys, RELATION_ENDS, strict=True)]
        asked = ", ".join([*ends, *(f"r.{name} AS {name}" for name in relation.properties)])
        pattern = f"(a:{relation.source})-[r:{relation.type}]->(b:{relation.target})"
        kind = f"relations {relation.source} {relation.type} {relation.target}"
        yield kind, graph.run(f"MATCH {pattern} RETURN {asked}", {})


def _vectors(stores: Stores, manifest: Manifest) -> dict[str, object]:
    entry = manifest.vectors["message_embeddings"]
    said = _rows(stores, manifest, "text_embeddings", "text", "text_embedding")[-_ASKED:]
    queries = np.asarray([row["text_embedding"] for row in said], np.float32)
    with closing(stores.vectors.open(entry.name)) as reader:
        found = reader.search(queries, limit=entry.rows)
    near = [(hit.record_id, hit.user_id, round(hit.score, _DIGITS)) for hits in found for hit in hits]
    return {"vectors message_embeddings": (entry.rows, entry.model, len(near), _hash(near))}


def _lasting(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: _lasting(value) for name, value in document.items() if name not in _OF_THE_RUN}
    if isinstance(document, list):
        return [_lasting(one) for one in document]
    # In which order numbers are added up, and so their last digits, is up to the engine.
    return f"{document:.9g}" if isinstance(document, float) else document


def _hash(rows: Iterable[object]) -> str:
    """Equal for equal rows, in whatever order."""
    told = sorted(orjson.dumps(row, option=orjson.OPT_SORT_KEYS, default=str) for row in rows)
    return hashlib.sha256(b"\n".join(told)).hexdigest()[:16]
