"""What the cache promises: never a wrong answer, one fetch where many ask, and no harm when it is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pytest
from prometheus_client import REGISTRY

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores import answers_cached
from marketing_platform.stores.answers_cached import CachedAnswers
from marketing_platform.stores.answers_sqlite import SqliteAnswers, SqliteAnswersReader
from marketing_platform.stores.redis_settings import RedisSettings
from marketing_platform_tests.servers import redis
from marketing_platform_tests.servers.base import end, free_port
from marketing_platform_tests.servers.clocks import within
from marketing_platform_tests.servers.shared import shared
from marketing_platform_tests.servers.slow_network import slow_network

NAME = "recommendations_3f9ac21b"


class SlowReader(SqliteAnswersReader):
    """The store behind the cache; counts who comes through, and takes its time."""

    fetches = 0
    seconds = 0.0
    gone = False

    def get(self, key: str) -> bytes | None:
        self.fetches += 1
        if self.gone:
            raise StoreUnavailable("the store is gone; start it")
        time.sleep(self.seconds)
        return super().get(key)


class SlowAnswers(SqliteAnswers):
    def open(self, name: str) -> SlowReader:
        self.reader = SlowReader(self._folders.open(name))
        return self.reader


def rows(mark: str = "") -> pa.Table:
    keys = [f"u{number}" for number in range(50)]
    return pa.table({"key": keys, "answer": pa.array([(key + mark).encode() for key in keys], pa.binary())})


@pytest.fixture
def behind(tmp_path: Path) -> SlowAnswers:
    answers = SlowAnswers(tmp_path)
    answers.write(NAME, [rows()])
    return answers


@pytest.fixture
def settings() -> RedisSettings:
    return redis.settings(shared(redis.running))


def test_an_answer_is_fetched_once_also_when_there_is_none(
    behind: SlowAnswers, settings: RedisSettings
) -> None:
    reader = CachedAnswers(behind, settings).open(NAME)
    assert [reader.get("u1") for _ in range(5)] == [b"u1"] * 5
    assert [reader.get("nobody") for _ in range(5)] == [None] * 5
    assert behind.reader.fetches == 2


def test_what_is_cached_outlives_the_reader_and_the_store(
    behind: SlowAnswers, settings: RedisSettings
) -> None:
    CachedAnswers(behind, settings).open(NAME).get("u1")
    reader = CachedAnswers(behind, settings).open(NAME)
    behind.reader.gone = True
    assert reader.get("u1") == b"u1"
    with pytest.raises(StoreUnavailable):
        reader.get("u2")


def test_many_who_ask_at_once_cost_one_fetch(behind: SlowAnswers, settings: RedisSettings) -> None:
    reader = CachedAnswers(behind, settings).open(NAME)
    behind.reader.seconds = 0.05
    with ThreadPoolExecutor(20) as threads:
        assert set(threads.map(reader.get, ["u1"] * 60)) == {b"u1"}
    assert behind.reader.fetches == 1


def read_together(folder: Path, settings: RedisSettings, moment: float) -> tuple[set[bytes | None], int]:
    """What 25 readers of one process got at about `moment`, and how often its store was asked."""
    # Patience, so that a machine which is busy with something else cannot be taken for a fetch that hangs.
    setattr(answers_cached, "_WAIT", 30.0)  # noqa: B010 -- private to everybody but this process
    setattr(answers_cached, "_LOCK_MS", 60_000)  # noqa: B010
    behind = SlowAnswers(folder)
    reader = CachedAnswers(behind, settings).open(NAME)
    reader.get("u0")  # connects
    behind.reader.fetches = 0
    behind.reader.seconds = 0.05
    with ThreadPoolExecutor(25) as threads:
        time.sleep(max(0.0, moment - time.time()))
        found = set(threads.map(reader.get, ["u1"] * 25))
    return found, behind.reader.fetches


def test_many_who_ask_at_once_in_several_processes_cost_one_fetch(
    behind: SlowAnswers, settings: RedisSettings, tmp_path: Path
) -> None:
    patient = settings.model_copy(update={"connect_seconds": 30.0, "answer_seconds": 30.0})
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as processes:
        moment = time.time() + 12  # they import for seconds
        asked = [processes.submit(read_together, tmp_path, patient, moment) for _ in range(4)]
        found = [one.result() for one in asked]
    assert [answers for answers, _ in found] == [{b"u1"}] * 4
    assert sum(fetches for _, fetches in found) == 1


def test_a_fetch_that_hangs_holds_nobody_up(behind: SlowAnswers, settings: RedisSettings) -> None:
    reader = CachedAnswers(behind, settings).open(NAME)
    behind.reader.seconds = 2
    with ThreadPoolExecutor(1) as other:
        hanging = other.submit(reader.get, "u1")
        time.sleep(0.2)
        behind.reader.seconds = 0
        with within(1):
            assert reader.get("u1") == b"u1"
        assert hanging.result() == b"u1"


def test_a_set_that_was_written_again_is_never_answered_from_before(
    behind: SlowAnswers, settings: RedisSettings
) -> None:
    answers = CachedAnswers(behind, settings)
    before = answers.open(NAME)
    assert before.get("u1") == b"u1"
    answers.write(NAME, [rows("!")])
    after = answers.open(NAME)
    assert after.identity != before.identity
    assert [after.get("u1"), before.get("u1"), after.get("u1")] == [b"u1!", b"u1", b"u1!"]


def test_everything_that_is_kept_expires(behind: SlowAnswers, settings: RedisSettings) -> None:
    reader = CachedAnswers(behind, settings).open(NAME)
    reader.get("u1")
    reader.get("nobody")
    with redis.client(shared(redis.running)) as client:
        kept = list(client.scan_iter(f"*{reader.identity}*"))
        assert len(kept) == 2
        assert all(client.ttl(key) > 0 for key in kept)


def test_answers_go_on_while_the_cache_is_gone_and_are_cached_when_it_is_back(behind: SlowAnswers) -> None:
    port = free_port()
    with ExitStack() as stack:
        server = stack.enter_context(redis.running(port))
        reader = CachedAnswers(behind, redis.settings(server, pause_seconds=0.3)).open(NAME)
        assert reader.get("u1") == b"u1"
        end(server.process)
        with within(1.5):
            assert [reader.get(f"u{number}") for number in range(50)] == [f"u{n}".encode() for n in range(50)]
        stack.enter_context(redis.running(port))
        time.sleep(0.5)
        fetched = behind.reader.fetches
        assert {reader.get("u7") for _ in range(10)} == {b"u7"}
        assert behind.reader.fetches <= fetched + 2


@pytest.fixture
def silent(behind: SlowAnswers) -> Iterator[CachedAnswers]:
    host, port = shared(redis.running).endpoint.split(":")
    with slow_network(host, int(port)) as line:
        settings = redis.settings(
            shared(redis.running), port=line.port, connect_seconds=0.1, answer_seconds=0.1, pause_seconds=60
        )
        answers = CachedAnswers(behind, settings)
        answers.open(NAME).get("u0")
        line.cut.set()
        yield answers


def test_a_silent_cache_costs_one_deadline_and_then_nothing(silent: CachedAnswers) -> None:
    reader = silent.open(NAME)
    with within(0.5):
        assert reader.get("u1") == b"u1"
    with within(0.5):
        assert [reader.get(f"u{number}") for number in range(50)] == [f"u{n}".encode() for n in range(50)]


def test_a_cache_that_was_never_there(behind: SlowAnswers, settings: RedisSettings) -> None:
    reader = CachedAnswers(behind, settings.model_copy(update={"port": free_port()})).open(NAME)
    with within(0.5):
        assert reader.get("u1") == b"u1"
        assert reader.get("nobody") is None


def test_what_the_cache_had_is_counted(behind: SlowAnswers, settings: RedisSettings) -> None:
    def counted(result: str) -> float:
        return REGISTRY.get_sample_value("marketing_answers_cache_total", {"result": result}) or 0

    hits, misses = counted("hit"), counted("miss")
    reader = CachedAnswers(behind, settings).open(NAME)
    for _ in range(3):
        reader.get("u3")
        reader.get("nobody")
    assert (counted("hit") - hits, counted("miss") - misses) == (4, 2)
