"""Kafka 3.9 (KRaft: broker and controller in one process), from Maven."""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from marketing_platform.stores.kafka_settings import KafkaSettings
from marketing_platform_tests.servers.base import Running, ServerFailed, free_port, started
from marketing_platform_tests.servers.packages import maven_libraries

_COORDINATES = ["org.apache.kafka:kafka_2.13:3.9.1", "org.slf4j:slf4j-simple:1.7.36"]
# `advertised`: where clients go after the first answer; for some tests a proxy in front of the broker.
_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={logs}
num.partitions=1
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.retention.check.interval.ms=1000
log.segment.delete.delay.ms=100
auto.create.topics.enable=false
"""


@contextmanager
def running(
    folder: Path | None = None, port: int | None = None, advertised: int | None = None
) -> Generator[Running]:
    """A server; give folder and port to start an older one again with what it held."""
    libraries = maven_libraries("kafka", _COORDINATES)
    java = ["java", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{libraries}/*"]
    with TemporaryDirectory(prefix="marketing-kafka-") as temporary:
        home, port = folder or Path(temporary), port or free_port()
        home.mkdir(parents=True, exist_ok=True)
        properties = home / "kraft.properties"
        properties.write_text(
            _PROPERTIES.format(
                port=port, controller=free_port(), advertised=advertised or port, logs=home / "logs"
            ),
            encoding="utf-8",
        )
        if not (home / "logs").exists():
            _format(java, properties)
        endpoint = f"127.0.0.1:{port}"
        with started(
            [*java, "kafka.Kafka", str(properties)],
            endpoint=endpoint,
            folder=home,
            answers=lambda: _answers(endpoint),
        ) as server:
            yield server


def settings(server: Running, *topics: str, **changed: object) -> KafkaSettings:
    """Settings for these topics and a consumer group that nobody else uses; quick to see a lost member."""
    given: dict[str, object] = {
        "bootstrap_servers": server.endpoint,
        "topics": topics,
        "group": f"test-{uuid.uuid4().hex[:12]}",
        "security_protocol": "PLAINTEXT",
        "session_seconds": 3.0,
        "batch_seconds": 0.5,
    }
    return KafkaSettings.model_validate({**given, **changed})


def make_topic(server: Running, name: str, partitions: int = 1, **config: str) -> None:
    """A new topic; `config` is the topic's own, with underscores for dots."""
    topic = NewTopic(
        name, partitions, 1, config={key.replace("_", "."): text for key, text in config.items()}
    )
    with _admin(server) as admin:
        admin.create_topics([topic], request_timeout=20)[name].result(30)


def drop_topic(server: Running, name: str) -> None:
    """Delete a topic; returns once the broker has agreed."""
    with _admin(server) as admin:
        admin.delete_topics([name], request_timeout=20)[name].result(30)


def remove_before(server: Running, topic: str, offset: int, partition: int = 0) -> None:
    """Do what retention does: remove the messages before `offset`."""
    before = TopicPartition(topic, partition, offset)
    with _admin(server) as admin:
        admin.delete_records([before], request_timeout=20)[before].result(30)


def produce(
    server: Running,
    topic: str,
    values: Iterable[bytes | None],
    *,
    partition: int | None = None,
    key: bytes | None = None,
    **config: object,
) -> int:
    """Send the messages and wait until the broker has all of them; returns how many."""
    producer = Producer({"bootstrap.servers": server.endpoint, "linger.ms": 20, "log_level": 0, **config})
    where: Mapping[str, int] = {} if partition is None else {"partition": partition}
    sent = 0
    for value in values:
        while True:
            try:
                producer.produce(topic, value, key=key, **where)
                break
            except BufferError:  # the queue is full: wait for the broker
                producer.poll(0.05)
        sent += 1
    if producer.flush(60):
        raise AssertionError(f"{topic}: the broker did not take every message")
    return sent


def committed(server: Running, group: str, topic: str, partition: int = 0) -> int:
    """The offset the group has committed, as tools that watch lag see it; -1001 when none."""
    consumer = Consumer({"bootstrap.servers": server.endpoint, "group.id": group})
    try:
        return consumer.committed([TopicPartition(topic, partition)], timeout=20)[0].offset
    finally:
        consumer.close()


def _admin(server: Running) -> AdminClient:
    return AdminClient({"bootstrap.servers": server.endpoint, "log_level": 0})


def _format(java: list[str], properties: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # An id that begins with a dash would be read as an option.
    command = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(properties)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerFailed(f"kafka cannot format its storage:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _answers(endpoint: str) -> bool:
    with AdminClient({"bootstrap.servers": endpoint, "log_level": 0}) as admin:
        return bool(admin.list_topics(timeout=2).brokers)
