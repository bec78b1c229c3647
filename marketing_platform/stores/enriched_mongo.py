"""Enriched documents in MongoDB: one collection for all sets, so that a person looks in one place.

As in `documents_mongo.py` a set is written under a version that nobody reads yet, and one small
document in `enriched_sets` then says which version counts. Each document names its `set` and its
`version`; the `_id` is `<set>.<version>.<ordinal>`, with which a repeated insert cannot double one.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
from pymongo.errors import PyMongoError

from marketing_platform.errors import UnknownName
from marketing_platform.stores.enriched_rows import documents_of
from marketing_platform.stores.mongo_sessions import Document, MongoSession, ids_below
from marketing_platform.stores.mongo_settings import MongoSettings

_INDEXED = ("user_id", "campaign_id")
_OWN = {"_id": 0, "set": 0, "version": 0}


class MongoEnrichedDocuments:
    """Implements `EnrichedDocuments` in one database."""

    def __init__(self, settings: MongoSettings) -> None:
        self._session = MongoSession(settings)

    def write(self, name: str, chunks: Iterable[pa.Table]) -> int:
        """Replace a set; ValueError when a `row_ordinal` repeats."""
        version = f"{_short(name)}.{uuid.uuid4().hex[:12]}"
        rows = 0
        with self._session.reaching():
            self._session.write(self._index)
            try:
                for chunk in chunks:
                    given = [
                        {
                            "_id": f"{version}.{document['row_ordinal']:012d}",
                            "set": name,
                            "version": version,
                            **document,
                        }
                        for document in documents_of(chunk)
                    ]
                    self._session.insert(self._documents, given)
                    rows += len(given)
            except BaseException:
                with suppress(PyMongoError):  # else the next write of the set removes it
                    self._remove(version)
                raise
            change = {"$set": {"version": version, "rows": rows}}
            self._session.write(lambda: self._sets.update_one({"_id": name}, change, upsert=True))
            with suppress(PyMongoError):
                self._remove(_short(name), but=version)
        return rows

    def read(
        self, names: Sequence[str], *, limit: int, user_id: str | None = None, campaign_id: str | None = None
    ) -> list[dict[str, Any]]:
        """The newest documents of these sets."""
        given = {"user_id": user_id, "campaign_id": campaign_id}
        wanted: Document = {field: value for field, value in given.items() if value is not None}
        if not names or limit == 0:  # to MongoDB a limit of 0 means none
            return []

        def look() -> list[Document]:
            sets = self._sets.find({"_id": {"$in": list(names)}})
            wanted["version"] = {"$in": [found["version"] for found in sets]}
            return list(self._documents.find(wanted, _OWN).sort("timestamp", -1).limit(limit))

        with self._session.reaching():
            return self._session.read(look)

    def count(self, name: str) -> int:
        """How many documents a set holds; UnknownName when nothing complete is there."""
        with self._session.reaching():
            found: Document | None = self._session.read(lambda: self._sets.find_one({"_id": name}))
        if found is None:
            where = self._session.settings.where
            raise UnknownName(f"{where} holds no set of documents under the name {name!r}")
        return int(found["rows"])

    def names(self) -> list[str]:
        """Every complete set."""
        with self._session.reaching():
            found: list[Document] = self._session.read(lambda: list(self._sets.find({}, {"_id": 1})))
        return sorted(one["_id"] for one in found)

    def drop(self, name: str) -> None:
        """Forget a set; first what says that it counts."""
        with self._session.reaching():
            self._session.write(lambda: self._sets.delete_one({"_id": name}))
            self._remove(_short(name))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    @property
    def _documents(self) -> Any:
        return self._session.database["enriched_events"]

    @property
    def _sets(self) -> Any:
        return self._session.database["enriched_sets"]

    def _index(self) -> None:
        for field in _INDEXED:
            self._documents.create_index([(field, 1), ("timestamp", -1)])

    def _remove(self, prefix: str, *, but: str | None = None) -> None:
        which: Document = {"_id": ids_below(prefix)}
        if but is not None:
            which["$nor"] = [{"_id": ids_below(but)}]
        self._session.write(lambda: self._documents.delete_many(which))


def _short(name: str) -> str:
    """Stands for a set in the ids of its documents."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]
