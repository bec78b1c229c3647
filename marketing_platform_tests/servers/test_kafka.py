"""Each message of a real Kafka lands exactly once, whatever is killed, stopped, slow, moved or removed."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
import urllib.request
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Producer

from marketing_platform.errors import StoreUnavailable, StreamBroken
from marketing_platform.stores.stream import Bookmark, Partition
from marketing_platform.stores.stream_kafka import KafkaStream
from marketing_platform_tests.servers import kafka
from marketing_platform_tests.servers.base import Running, end, free_port
from marketing_platform_tests.servers.shared import shared
from marketing_platform_tests.servers.slow_network import slow_network
from marketing_platform_tests.servers.streamed import Platform, each_once, event, until


@pytest.fixture
def server() -> Running:
    return shared(kafka.running)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


@pytest.fixture
def topic(server: Running) -> str:
    """A topic of two partitions."""
    name = f"events-{uuid.uuid4().hex[:8]}"
    kafka.make_topic(server, name, 2)
    return name


class Sending:
    """Sends events slowly, some hundred at a time, until the block ends."""

    def __init__(self, server: Running, topic: str) -> None:
        self._server, self._topic = server, topic
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.sent = 0

    def __enter__(self) -> Sending:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _send(self) -> None:
        while not self._ended.wait(0.1):
            kafka.produce(self._server, self._topic, (event(self.sent + n) for n in range(200)))
            self.sent += 200


def test_killed_again_and_again_each_message_becomes_one_valid_row(
    server: Running, platform: Platform, topic: str
) -> None:
    given = kafka.settings(server, topic, batch_rows=300, batch_seconds=0.2)
    chance = random.Random(20260701)
    landed_before_kills: list[int] = []
    with Sending(server, topic) as sending:
        for _ in range(4):
            with platform.consuming(server, given) as consumer:
                known = len(list(platform.objects.list()))
                until(lambda: len(list(platform.objects.list())) > known, "a landed object")  # noqa: B023
                time.sleep(chance.uniform(0, 0.5))
                consumer.send_signal(signal.SIGKILL)
            landed_before_kills.append(len(platform.landed_events()))
    platform.land(given)
    assert landed_before_kills[0] < landed_before_kills[-1] < sending.sent, "the kills came in between"
    platform.judge()
    assert each_once(platform.valid_events(), sending.sent)


def test_consumers_that_come_and_go_share_the_partitions(
    server: Running, platform: Platform, topic: str
) -> None:
    given = kafka.settings(server, topic, batch_rows=300, batch_seconds=0.2)
    with platform.landing(given) as first:
        with Sending(server, topic) as sending:
            until(lambda: first.progress.batches > 0, "the first one's object")
            with platform.landing(given) as second:
                until(lambda: second.progress.batches > 0, "the second one's object")
                assert len(first.progress.lag) <= 2
        until(lambda: len(platform.landed_events()) == sending.sent, "every message")
    assert each_once(platform.landed_events(), sending.sent)
    assert first.progress.messages + second.progress.messages == sending.sent


def test_one_that_slept_while_it_was_replaced_doubles_nothing(
    server: Running, platform: Platform, topic: str
) -> None:
    given = kafka.settings(server, topic, batch_rows=100_000, batch_seconds=1.0)
    kafka.produce(server, topic, map(event, range(2000)))
    with platform.consuming(server, given) as sleeper:
        until(lambda: len(platform.landed_events()) == 2000, "the first messages")
        kafka.produce(server, topic, map(event, range(2000, 4000)))
        time.sleep(0.3)  # read, and not landed yet
        sleeper.send_signal(signal.SIGSTOP)
        with platform.landing(given) as other:
            until(lambda: other.progress.messages >= 2000, "what the sleeper held")
            sleeper.send_signal(signal.SIGCONT)
            kafka.produce(server, topic, map(event, range(4000, 5000)))
            until(lambda: len(platform.landed_events()) >= 5000, "the last messages")
        sleeper.send_signal(signal.SIGTERM)
        assert sleeper.wait(20) == 0
    assert each_once(platform.landed_events(), 5000)


def test_two_that_both_own_every_partition_land_each_message_once(
    server: Running, platform: Platform, topic: str
) -> None:
    # Two groups: Kafka gives everything to both, as to a consumer that does not know it was replaced.
    one = kafka.settings(server, topic, batch_rows=170, batch_seconds=0.3)
    other = kafka.settings(server, topic, batch_rows=230, batch_seconds=0.3)
    with platform.landing(one) as first, platform.landing(other) as second:
        with Sending(server, topic) as sending:
            until(lambda: first.progress.collisions + second.progress.collisions > 0, "the same at once")
        until(lambda: len(platform.landed_events()) >= sending.sent, "every message")
    assert each_once(platform.landed_events(), sending.sent)
    assert first.progress.messages + second.progress.messages == sending.sent


class Forgetful(KafkaStream):
    """Dies between landing and commit, every time."""

    def place_bookmark(self, partition: Partition, bookmark: Bookmark) -> None:
        raise KeyboardInterrupt


def test_a_death_between_landing_and_commit_costs_nothing(
    server: Running, platform: Platform, topic: str
) -> None:
    given = kafka.settings(server, topic, batch_rows=400)
    kafka.produce(server, topic, map(event, range(1000)), partition=0)
    for landed in (400, 800):
        with pytest.raises(KeyboardInterrupt):
            platform.lander(Forgetful(given), given).run(once=True, stop=lambda: False)
        assert len(platform.landed_events()) == landed
        assert kafka.committed(server, given.group, topic) < 0
    platform.land(given)
    assert each_once(platform.landed_events(), 1000)
    assert kafka.committed(server, given.group, topic) == 1000


def test_dead_letters_are_quarantined_with_their_reason(
    server: Running, platform: Platform, topic: str
) -> None:
    given = kafka.settings(server, topic, max_message_bytes=2000)
    bad = [None, b"\xff\xfe", b"{", b"[1]", b'{"a": "' + b"x" * 3000 + b'"}']
    kafka.produce(server, topic, [*map(event, range(200)), *bad], partition=1, key=b"k-1")
    progress = platform.land(given)
    platform.judge()
    [batch] = platform.batches()
    assert (progress.messages, progress.dead_letters) == (205, 5)
    assert (batch.rows_landed, batch.rows_valid, batch.rows_quarantined) == (205, 200, 5)
    assert batch.reasons == {
        "null value (tombstone)": 1,
        "not utf-8 text": 1,
        "invalid JSON": 1,
        "not a JSON object": 1,
        "message larger than 2000 bytes": 1,
    }
    assert not batch.failed


def test_a_broker_that_is_stopped_and_started_again_is_read_on(platform: Platform, tmp_path: Path) -> None:
    port = free_port()
    with kafka.running(tmp_path / "broker", port) as server:
        kafka.make_topic(server, "events", 1)
        given = kafka.settings(server, "events", batch_rows=300, batch_seconds=0.2, unreachable_seconds=60)
        kafka.produce(server, "events", map(event, range(1000)))
        with platform.landing(given) as lander:
            until(lambda: lander.progress.messages == 1000, "the first messages")
            end(server.process)
            time.sleep(2)
            with kafka.running(tmp_path / "broker", port) as again:
                kafka.produce(again, "events", map(event, range(1000, 2000)))
                until(lambda: lander.progress.messages == 2000, "the messages after the restart")
    assert each_once(platform.landed_events(), 2000)


def test_a_broker_that_is_gone_for_long_ends_the_consumer_with_a_clear_error(
    platform: Platform, tmp_path: Path
) -> None:
    with kafka.running(tmp_path / "broker") as server:
        kafka.make_topic(server, "events", 1)
        given = kafka.settings(
            server, "events", batch_seconds=0.2, unreachable_seconds=2, connect_seconds=1, answer_seconds=2
        )
        kafka.produce(server, "events", map(event, range(100)))
        lander = platform.lander(KafkaStream(given), given)

        def stop() -> bool:
            if lander.progress.messages == 100 and server.process.poll() is None:
                end(server.process)
            return False

        with pytest.raises(StoreUnavailable, match=r"Kafka at 127.* does not answer.* MARKETING_KAFKA_"):
            lander.run(once=False, stop=stop)
    assert each_once(platform.landed_events(), 100)


def test_a_slow_broker_only_takes_longer(platform: Platform) -> None:
    port = free_port()
    with slow_network("127.0.0.1", port) as line, kafka.running(port=port, advertised=line.port) as server:
        kafka.make_topic(server, "events", 1)
        kafka.produce(server, "events", map(event, range(3000)))
        line.delay = 0.2
        given = kafka.settings(server, "events", bootstrap_servers=f"127.0.0.1:{line.port}", batch_rows=1000)
        progress = platform.land(given)
        line.delay = 0.0
    assert progress.batches == 3
    assert each_once(platform.landed_events(), 3000)


def test_reading_pauses_until_what_landed_is_judged(
    server: Running, platform: Platform, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketing_platform.ingestion.streaming._LOOK_EVERY", 0.1)
    given = kafka.settings(server, topic, batch_rows=50, batch_seconds=0.2, max_waiting=3)
    with platform.landing(given) as lander:
        for round_ in range(2):
            first = round_ * 2000
            for start in range(first, first + 2000, 100):
                kafka.produce(server, topic, map(event, range(start, start + 100)), partition=0)
                time.sleep(0.05)
            until(lambda: lander.progress.paused, "the pause")
            held = lander.progress.messages
            time.sleep(0.5)
            assert lander.progress.messages <= held + 1000, "what was read before may still land"
            while lander.progress.messages < first + 2000:
                platform.judge()
                time.sleep(0.1)
        platform.judge()
    assert each_once(platform.valid_events(), 4000)


def test_what_retention_removed_is_refused_then_stands_in_quarantine(
    server: Running, platform: Platform, topic: str
) -> None:
    given = kafka.settings(server, topic)
    kafka.produce(server, topic, map(event, range(100)), partition=0)
    platform.land(given)
    kafka.produce(server, topic, map(event, range(100, 300)), partition=0)
    kafka.remove_before(server, topic, 180)
    with pytest.raises(StreamBroken, match="removed 80 offsets before they landed"):
        platform.land(given)
    assert platform.land(given, accept_gap=True).lost == 80
    platform.judge()
    assert sorted(platform.valid_events()) == sorted(f"e-{n}" for n in [*range(100), *range(180, 300)])
    reasons = {reason for batch in platform.batches() for reason in batch.reasons}
    assert reasons == {"80 offsets from 100 on were removed from the stream before they landed"}


def test_what_retention_removes_while_reading_pauses_is_refused(
    server: Running, platform: Platform, topic: str
) -> None:
    given = kafka.settings(server, topic, batch_seconds=0.2)
    stream = KafkaStream(given)
    kafka.produce(server, topic, map(event, range(100)), partition=0)

    def stop() -> bool:
        if lander.progress.messages == 100 and not removed:
            stream.pause()
            kafka.produce(server, topic, map(event, range(100, 300)), partition=0)
            kafka.remove_before(server, topic, 180)
            stream.resume()
            removed.append(True)
        return False

    removed: list[bool] = []
    lander = platform.lander(stream, given)
    with pytest.raises(StreamBroken, match="removed 80 offsets"):
        lander.run(once=False, stop=stop)


def test_a_topic_that_was_made_anew_is_another_one(server: Running, platform: Platform, topic: str) -> None:
    given = kafka.settings(server, topic)
    kafka.produce(server, topic, map(event, range(100)))
    platform.land(given)
    kafka.drop_topic(server, topic)
    time.sleep(1)
    kafka.make_topic(server, topic, 2)
    kafka.produce(server, topic, map(event, range(100, 150)))
    platform.land(given)
    assert each_once(platform.landed_events(), 150)


def test_what_was_rolled_back_never_lands_and_markers_are_no_lag(
    server: Running, platform: Platform, topic: str
) -> None:
    producer = Producer({"bootstrap.servers": server.endpoint, "transactional.id": topic, "log_level": 0})
    producer.init_transactions(30)
    number = 0
    for committed in (True, False, True, False):
        producer.begin_transaction()
        for _ in range(50):
            producer.produce(topic, event(number) if committed else b'{"event_id": "never"}', partition=0)
            number += committed
        producer.commit_transaction(30) if committed else producer.abort_transaction(30)
    given = kafka.settings(server, topic, batch_rows=30)
    progress = platform.land(given)
    assert each_once(platform.landed_events(), 100)
    assert set(progress.lag.values()) == {0}
    assert platform.land(given).messages == 0


def test_the_command_lands_ends_and_says_what_it_did(server: Running, platform: Platform, topic: str) -> None:
    given = kafka.settings(server, topic)
    kafka.produce(server, topic, [*map(event, range(500)), b"no event"])
    with platform.consuming(server, given, "--once") as process:
        said, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (0, b"")
    summary = json.loads(said)
    assert (summary["messages"], summary["dead_letters"], summary["lost"]) == (501, 1, 0)
    assert summary["lag"] == {topic: {"0": 0, "1": 0}}


def test_the_command_lands_what_it_has_when_told_to_end_and_shows_metrics(
    server: Running, platform: Platform, topic: str
) -> None:
    given = kafka.settings(server, topic, batch_seconds=600)
    kafka.produce(server, topic, map(event, range(500)))
    port = free_port()
    with platform.consuming(server, given, "--metrics-port", str(port)) as process:
        until(lambda: f'marketing_stream_lag{{partition="0",topic="{topic}"}}' in scraped(port), "the lag")
        assert platform.landed_events() == []
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert json.loads(said)["messages"] == 500
    assert each_once(platform.landed_events(), 500)


def scraped(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
            return answer.read().decode()
    except OSError:
        return ""


def test_more_consumers_than_partitions_end_with_once_all_the_same(
    server: Running, platform: Platform, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketing_platform.ingestion.streaming._JOIN_SECONDS", 5.0)
    given = kafka.settings(server, topic, batch_seconds=0.2)
    kafka.produce(server, topic, map(event, range(100)))
    with platform.landing(given) as one, platform.landing(given) as two:
        until(lambda: one.progress.messages + two.progress.messages == 100, "every message")
        assert platform.land(given).messages == 0


def test_an_unknown_topic_is_named(server: Running, platform: Platform) -> None:
    with pytest.raises(StoreUnavailable, match=r"lacks .*nowhere.* MARKETING_KAFKA_TOPICS"):
        platform.land(kafka.settings(server, "nowhere"))


def test_nobody_there_is_said_within_the_deadline(platform: Platform, server: Running) -> None:
    gone = f"127.0.0.1:{free_port()}"
    given = kafka.settings(server, "events", bootstrap_servers=gone, connect_seconds=1, answer_seconds=2)
    started = time.monotonic()
    with pytest.raises(StoreUnavailable, match=f"Kafka at {gone} does not answer"):
        platform.land(given)
    assert time.monotonic() - started < 10
