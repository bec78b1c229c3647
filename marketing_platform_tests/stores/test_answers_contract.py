"""What every implementation of `Answers` does. A new one adds a class of three lines at the end."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from marketing_platform.errors import UnknownName
from marketing_platform.stores.answers_sqlite import SqliteAnswers
from marketing_platform.stores.protocols import Answers
from marketing_platform_tests.servers.shared import WITH_SERVERS, shared
from marketing_platform_tests.stores.processes import (
    AWKWARD,
    in_another_process,
    killed_half_way,
    one_row_per_chunk,
    then_hang,
)

NAME = "recommendations_3f9ac21b"


def answers(keys: list[str], mark: str = "") -> pa.Table:
    return pa.table({"key": keys, "answer": pa.array([(key + mark).encode() for key in keys], pa.binary())})


def read(store: Answers, name: str, key: str) -> bytes | None:
    reader = store.open(name)
    try:
        return reader.get(key)
    finally:
        reader.close()


def write_and_hang(store: Answers, half_way: Any) -> None:
    store.write(NAME, then_hang(answers(AWKWARD), half_way))


class AnswersContract:
    def create(self, root: Path) -> Answers:
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Answers:
        return self.create(tmp_path / "answers")

    def test_every_key_gives_its_answer(self, store: Answers):
        assert store.write(NAME, [answers(AWKWARD)]) == len(AWKWARD)
        reader = store.open(NAME)
        assert [reader.get(key) for key in AWKWARD] == [key.encode() for key in AWKWARD]
        reader.close()

    def test_an_unknown_key_has_no_answer(self, store: Answers):
        store.write(NAME, [answers(["a"])])
        assert read(store, NAME, "A") is None
        assert read(store, NAME, "") is None

    def test_chunks_do_not_matter(self, store: Answers):
        assert store.write(NAME, one_row_per_chunk(answers(AWKWARD))) == store.count(NAME) == len(AWKWARD)

    def test_nothing_can_be_stored(self, store: Answers):
        assert store.write(NAME, []) == store.count(NAME) == 0
        assert store.names() == [NAME]
        assert read(store, NAME, "a") is None

    def test_writing_again_replaces_the_whole(self, store: Answers):
        store.write(NAME, [answers(["a", "b"])])
        assert store.write(NAME, [answers(["b", "c"], "!")]) == 2
        assert [read(store, NAME, key) for key in "abc"] == [None, b"b!", b"c!"]

    def test_a_repeated_key_is_refused_and_leaves_nothing(self, store: Answers):
        with pytest.raises(ValueError, match="unique"):
            store.write(NAME, [answers(["a"]), answers(["a"])])
        assert store.names() == []

    def test_a_reader_keeps_what_it_opened(self, store: Answers):
        store.write(NAME, [answers(["a"])])
        reader = store.open(NAME)
        store.write("recommendations_0000", [answers(["a"], "!")])
        store.write(NAME, [answers(["a"], "?")])
        store.drop(NAME)
        with ThreadPoolExecutor(1) as other_thread:
            assert other_thread.submit(reader.get, "a").result() == b"a"
        reader.close()

    def test_other_content_has_another_identity(self, store: Answers):
        store.write(NAME, [answers(["a"])])
        readers = [store.open(NAME), store.open(NAME)]
        store.write(NAME, [answers(["a"], "!")])
        readers.append(store.open(NAME))
        first, second, third = (reader.identity for reader in readers)
        assert first == second != third
        for reader in readers:
            reader.close()

    def test_names_come_and_go(self, store: Answers):
        assert store.names() == []
        store.write(NAME, [answers(["a"])])
        store.write("a_1", [answers(["b"])])
        assert store.names() == ["a_1", NAME]
        store.drop("a_1")
        store.drop("a_1")
        assert store.names() == [NAME]

    def test_a_missing_name_is_said(self, store: Answers):
        with pytest.raises(UnknownName, match="never_written"):
            store.open("never_written")
        with pytest.raises(UnknownName, match="never_written"):
            store.count("never_written")

    def test_a_reader_serves_threads_and_processes(self, store: Answers):
        keys = [f"u{number}" for number in range(500)]
        store.write(NAME, [answers(keys)])
        reader = store.open(NAME)
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(reader.get, keys)) == [key.encode() for key in keys]
        assert in_another_process(read, store, NAME, "u7") == b"u7"
        reader.close()

    def test_a_killed_writer_leaves_no_name(self, store: Answers):
        killed_half_way(write_and_hang, store)
        assert store.names() == []
        assert store.write(NAME, [answers(["a"])]) == 1
        assert read(store, NAME, "a") == b"a"


class TestSqliteAnswers(AnswersContract):
    def create(self, root: Path) -> Answers:
        return SqliteAnswers(root)

    def test_answers_that_repeat_themselves_take_a_fraction(self, store: Answers, tmp_path: Path):
        said = b'{"reason": "Goes with what the user bought."}' * 200
        store.write(NAME, [pa.table({"key": [f"u{n}" for n in range(500)], "answer": [said] * 500})])
        taken = sum(file.stat().st_size for file in tmp_path.rglob("*.sqlite"))
        assert taken < 500 * len(said) / 5
        assert read(store, NAME, "u7") == said

    def test_a_file_of_an_earlier_version_is_read_as_it_is(self, store: Answers, tmp_path: Path):
        store.write(NAME, [answers(["a"])])
        (file,) = tmp_path.rglob("*.sqlite")
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("UPDATE answers SET answer = ?", (b"{}",))
            connection.execute("PRAGMA user_version = 0")
        assert read(store, NAME, "a") == b"{}"


if WITH_SERVERS:

    class TestMongoAnswers(AnswersContract):
        def create(self, root: Path) -> Answers:
            from marketing_platform.stores.answers_mongo import MongoAnswers
            from marketing_platform_tests.servers import mongo

            return MongoAnswers(mongo.settings(shared(mongo.running)))

    class TestCachedSqliteAnswers(AnswersContract):
        def create(self, root: Path) -> Answers:
            return cached(SqliteAnswers(root))

    class TestCachedMongoAnswers(AnswersContract):
        def create(self, root: Path) -> Answers:
            return cached(TestMongoAnswers().create(root))

    def cached(answers: Answers) -> Answers:
        from marketing_platform.stores.answers_cached import CachedAnswers
        from marketing_platform_tests.servers import redis

        return CachedAnswers(answers, redis.settings(shared(redis.running)))
