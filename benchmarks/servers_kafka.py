"""Kafka to the landing zone: the consumer beside a bare client with the same messages.

The bare side is confluent-kafka's own consumer, `consume` in the same portions, that writes every value
and a line end to objects of as many rows by `put` of the same landing zone, one after the other. It looks
at no message, commits no offset, and would double or lose messages when killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.pairs import Figures, timed_in_turns
from marketing_platform.ingestion.streaming import BatchLimits, Lander
from marketing_platform.stores.kafka_settings import KafkaSettings
from marketing_platform.stores.protocols import Objects
from marketing_platform.stores.stream_kafka import KafkaStream

_PORTION = 1000


def compare(
    settings: KafkaSettings,
    landing: Callable[[str], Objects],
    *,
    messages: int = 1_000_000,
    rounds: int = 2,
) -> Figures:
    """Land the same messages with both, taking turns so that a busy machine slows both.

    Args:
        settings: A broker where topics may be made; its topics and group are not touched.
        landing: Makes an empty landing zone of that name, of the same kind for both.
        messages: How many, in one partition.
        rounds: How often each side lands all of them.
    """
    topic = f"benchmark-{uuid.uuid4().hex[:8]}"
    fill(settings, topic, messages)
    turns = count()
    return timed_in_turns(
        "kafka",
        "messages from Kafka into the landing zone",
        messages,
        ours=lambda: _landed(settings, topic, landing(f"landed-{next(turns)}"), messages),
        theirs=lambda: _bare(settings, topic, landing(f"bare-{next(turns)}"), messages),
        rounds=rounds,
    )


@dataclass(frozen=True)
class ReleaseFigures:
    """One topic all the way, by the commands people type."""

    kafka_release_messages: int
    kafka_landed_seconds: float  # `consume --once`, from its start
    kafka_release_seconds: float  # and `run` after it, to the release


def to_release(settings: KafkaSettings, data_dir: Path, *, messages: int = 1_000_000) -> ReleaseFigures:
    """Send events to the topic `events`, which must not be there yet, land them and make a release.

    The commands get the environment of this process, and `settings` for Kafka; `data_dir` is a new one.
    """
    fill(settings, "events", messages)
    variables = {
        **os.environ,
        "MARKETING_DATA_DIR": str(data_dir),
        "MARKETING_KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "MARKETING_KAFKA_SECURITY_PROTOCOL": settings.security_protocol,
    }
    started = time.perf_counter()
    landed = _command(variables, "consume", "--once")
    landed_seconds = time.perf_counter() - started
    released = _command(variables, "run")
    if not landed["messages"] == messages == released["rows_landed"]:
        raise RuntimeError(f"{messages} sent, {landed['messages']} landed, {released['rows_landed']} judged")
    return ReleaseFigures(messages, round(landed_seconds, 1), round(time.perf_counter() - started, 1))


def _command(variables: dict[str, str], *arguments: str) -> dict[str, Any]:
    program = [sys.executable, "-c", "from marketing_platform.cli import main; main()"]
    done = subprocess.run([*program, *arguments, "--json"], env=variables, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def fill(settings: KafkaSettings, topic: str, messages: int, *, partitions: int = 1) -> None:
    """Make a topic with so many events of a shop: 5,000 users, 20 campaigns."""
    with AdminClient(settings.client()) as admin:
        made = admin.create_topics([NewTopic(topic, partitions, 1)])
        made[topic].result(30)
    producer = Producer({**settings.client(), "linger.ms": 50, "queue.buffering.max.messages": 1_000_000})
    for event in _events(messages):
        while True:
            try:
                producer.produce(topic, event)
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(300):
        raise RuntimeError(f"the broker did not take all messages of {topic}")


def _events(messages: int) -> Iterator[bytes]:
    for n in range(messages):
        event = {
            "event_id": f"e-{n:09d}",
            "user_id": f"u-{n * 7919 % 5000:06d}",
            "timestamp": f"2026-07-{1 + n % 28:02d}T{n % 24:02d}:00:00Z",
            "event_type": "click" if n % 3 else "view",
            "campaign_id": f"c-{n % 20:02d}",
            "channel": "email",
        }
        yield json.dumps(event).encode()


def _landed(settings: KafkaSettings, topic: str, objects: Objects, messages: int) -> float:
    mine = _of_its_own(settings)
    lander = Lander(
        KafkaStream(mine, topics=[topic]),
        objects,
        BatchLimits(
            rows=mine.batch_rows,
            seconds=mine.batch_seconds,
            size=mine.batch_bytes,
            message_bytes=mine.max_message_bytes,
            waiting=mine.max_waiting,
        ),
        waiting=lambda _: 0,
    )
    started = time.perf_counter()
    progress = lander.run(once=True, stop=lambda: False)
    took = time.perf_counter() - started
    if progress.messages != messages:
        raise RuntimeError(f"{progress.messages} of {messages} messages landed")
    return took


def _bare(settings: KafkaSettings, topic: str, objects: Objects, messages: int) -> float:
    mine = _of_its_own(settings)
    started = time.perf_counter()
    consumer = Consumer({**mine.consumer(), "auto.offset.reset": "earliest", "enable.partition.eof": False})
    consumer.subscribe([topic])
    written, lines = 0, list[bytes]()
    while written + len(lines) < messages:
        lines += [(message.value() or b"") + b"\n" for message in consumer.consume(_PORTION, 0.25)]
        if len(lines) >= mine.batch_rows or written + len(lines) == messages:
            objects.put(f"{written}.ndjson", lines)
            written, lines = written + len(lines), []
    took = time.perf_counter() - started
    consumer.close()
    return took


def _of_its_own(settings: KafkaSettings) -> KafkaSettings:
    return settings.model_copy(update={"group": f"benchmark-{uuid.uuid4().hex[:8]}"})
