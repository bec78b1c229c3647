"""Precomputed answers in MongoDB: one collection per written set, whose `_id` is the key.

A name points to a version (`answer_sets`), and a version is a collection that is never changed once
its name points to it. `answer_versions` knows every version, also one whose writer was killed. What no
name points to any more stays for a while, because readers may have it open, and is removed by a later
write or drop.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from pymongo.errors import PyMongoError

from marketing_platform.errors import UnknownName
from marketing_platform.stores.mongo_sessions import Document, MongoSession
from marketing_platform.stores.mongo_settings import MongoSettings

_INSERTED_AT_ONCE = 10_000


class MongoAnswersReader:
    """Implements `AnswersReader` over one version."""

    def __init__(self, session: MongoSession, version: str) -> None:
        self.identity = version
        self._session = session

    def get(self, key: str) -> bytes | None:
        """The answer of `key`, or None."""
        with self._session.reaching():
            answers = self._session.database[self.identity]
            found = self._session.read(lambda: answers.find_one({"_id": key}))
        return None if found is None else found["answer"]

    def close(self) -> None:
        """Nothing to let go of: the connections belong to the store."""


class MongoAnswers:
    """Implements `Answers` in one database."""

    def __init__(self, settings: MongoSettings) -> None:
        self._session = MongoSession(settings)

    def write(self, name: str, chunks: Iterable[pa.Table]) -> int:
        """Store the answers of `name`; ValueError when a key repeats or something is null."""
        version = f"answers_{uuid.uuid4().hex}"
        with self._session.reaching():
            self._session.write(lambda: self._note(version))
            try:
                rows = self._fill(version, chunks)
            except BaseException:
                with suppress(PyMongoError):  # else it is removed once it is old
                    self._remove(version)
                raise
            change = {"$set": {"version": version, "rows": rows}}
            self._session.write(lambda: self._sets.update_one({"_id": name}, change, upsert=True))
            self._tidy()
        return rows

    def open(self, name: str) -> MongoAnswersReader:
        """A reader of `name`; UnknownName when nothing complete is there."""
        return MongoAnswersReader(self._session, self._found(name)["version"])

    def count(self, name: str) -> int:
        """How many answers `name` holds."""
        return int(self._found(name)["rows"])

    def names(self) -> list[str]:
        """Every complete set of answers."""
        with self._session.reaching():
            found: list[Document] = self._session.read(lambda: list(self._sets.find({}, {"_id": 1})))
        return sorted(one["_id"] for one in found)

    def drop(self, name: str) -> None:
        """Remove a name; its answers stay until readers had time to close."""
        with self._session.reaching():
            before: Document | None = self._session.write(
                lambda: self._sets.find_one_and_delete({"_id": name})
            )
            if before is not None:
                self._session.write(lambda: self._note(before["version"]))
            self._tidy()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    @property
    def _sets(self) -> Any:
        return self._session.database["answer_sets"]

    @property
    def _versions(self) -> Any:
        return self._session.database["answer_versions"]

    def _found(self, name: str) -> Document:
        with self._session.reaching():
            found: Document | None = self._session.read(lambda: self._sets.find_one({"_id": name}))
        if found is None:
            raise UnknownName(
                f"{self._session.settings.where} holds no set of answers under the name {name!r}"
            )
        return found

    def _fill(self, version: str, chunks: Iterable[pa.Table]) -> int:
        collection = self._session.database[version]
        rows = 0
        for chunk in chunks:
            for batch in chunk.select(["key", "answer"]).to_batches(max_chunksize=_INSERTED_AT_ONCE):
                self._session.insert(collection, _documents(batch))
                rows += batch.num_rows
        stored = collection.count_documents({})
        if stored != rows:
            # An insert that was repeated after a lost connection cannot tell its own keys from others.
            raise ValueError(f"{rows} answers gave {stored} keys; the keys of answers must be unique")
        return rows

    def _note(self, version: str) -> None:
        """A version that no name points to, as of now."""
        self._versions.update_one(
            {"_id": version}, {"$set": {"unused_since": datetime.now(UTC)}}, upsert=True
        )

    def _tidy(self) -> None:
        """Remove the versions that no name has pointed to for long; what fails now is done later."""
        with suppress(PyMongoError):
            used = {found["version"] for found in self._sets.find({})}
            before = datetime.now(UTC) - timedelta(seconds=self._session.settings.retire_seconds)
            known: list[Document] = list(self._versions.find({}))
            for version in known:
                # A name that was written again left its version without a date of its own.
                if version["_id"] in used:
                    self._versions.update_one({"_id": version["_id"]}, {"$set": {"unused_since": None}})
                elif version["unused_since"] is None:
                    self._note(version["_id"])
                elif version["unused_since"] < before:
                    self._remove(version["_id"])

    def _remove(self, version: str) -> None:
        self._session.database[version].drop()
        self._versions.delete_one({"_id": version})


def _documents(batch: pa.RecordBatch) -> list[Document]:
    keys, answers = batch["key"].to_pylist(), batch["answer"].to_pylist()
    if None in keys or None in answers:
        raise ValueError("keys of answers must be unique and neither key nor answer null")
    return [{"_id": key, "answer": answer} for key, answer in zip(keys, answers, strict=True)]
