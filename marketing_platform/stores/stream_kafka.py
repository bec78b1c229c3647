"""A consumer group of Kafka as a `Stream`, by librdkafka's client.

What is in a message, and where reading begins, is not decided here: offsets that Kafka keeps are a
bookmark, and a position that does not exist is never replaced by another.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import NoReturn

from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.kafka_settings import KafkaSettings
from marketing_platform.stores.kafka_topics import topic_id
from marketing_platform.stores.stream import Bookmark, Bounds, Message, Owner, Partition

_UNKNOWN_TOPIC = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)


class KafkaStream:
    """Implements `Stream` for the topics of `settings`, or for some of them."""

    def __init__(self, settings: KafkaSettings, *, topics: Iterable[str] | None = None) -> None:
        self._settings = settings
        self._topics = list(settings.topics if topics is None else topics)
        self._owner: Owner
        self._consumer: Consumer
        self._partitions: dict[tuple[str, int], Partition] = {}
        self._at_end: set[Partition] = set()
        self._paused = False
        self._unreached_since: float | None = None

    def open(self, owner: Owner) -> None:
        """Join the consumer group; StoreUnavailable when a topic is not there."""
        for topic in self._topics:
            self._topic_id(topic)
        self._owner = owner
        self._consumer = Consumer({**self._settings.consumer(), "error_cb": self._on_error})
        self._consumer.subscribe(
            self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def read(self, *, limit: int, seconds: float) -> list[Message]:
        """Messages of our partitions; partitions come and go while this is called."""
        with self._reaching():
            found = self._consumer.consume(limit, seconds)
        messages: list[Message] = []
        for message in found:
            error = message.error()
            topic, number = message.topic(), message.partition()
            if topic is None or number is None:
                self._raise_if_serious(error)
                continue
            partition = self._partitions.get((topic, number))
            if partition is None:  # given back since it was fetched
                continue
            if error is not None:
                self._on_partition_error(partition, error)
                continue
            if self._at_end:
                self._at_end.discard(partition)
            kind, timestamp = message.timestamp()
            messages.append(
                Message(
                    partition,
                    message.offset() or 0,
                    None if kind == TIMESTAMP_NOT_AVAILABLE else timestamp,
                    message.key(),
                    message.value(),
                )
            )
        if found:
            self._unreached_since = None
        self._raise_if_gone_for_long()
        return messages

    def go_to(self, partition: Partition, offset: int) -> None:
        # Not by `seek`, which is refused once reading has stopped at an offset that is not there.
        where = [TopicPartition(partition.topic, partition.number, offset)]
        with self._reaching():
            self._at_end.discard(partition)
            self._consumer.incremental_unassign(where)
            self._consumer.incremental_assign(where)
            if self._paused:
                self._consumer.pause(where)

    def pause(self) -> None:
        self._paused = True
        self._consumer.pause(self._consumer.assignment())

    def resume(self) -> None:
        self._paused = False
        self._consumer.resume(self._consumer.assignment())

    def bookmark(self, partition: Partition) -> Bookmark | None:
        with self._reaching():
            wanted = [TopicPartition(partition.topic, partition.number)]
            [found] = self._consumer.committed(wanted, self._settings.answer_seconds)
        if found.error is not None:
            raise KafkaException(found.error)
        if found.offset < 0:
            return None
        return Bookmark(found.offset, found.metadata or "")

    def place_bookmark(self, partition: Partition, bookmark: Bookmark) -> None:
        committed = TopicPartition(
            partition.topic, partition.number, bookmark.next_offset, metadata=bookmark.note
        )
        try:
            self._consumer.commit(offsets=[committed], asynchronous=True)
        except KafkaException as error:
            # Between two assignments nothing can be committed; the next bookmark says the same.
            if error.args[0].code() not in (KafkaError._STATE, KafkaError._NO_OFFSET):
                raise

    def bounds(self, partition: Partition) -> Bounds:
        with self._reaching():
            where = TopicPartition(partition.topic, partition.number)
            first, end = self._consumer.get_watermark_offsets(where, self._settings.answer_seconds)
        return Bounds(first, end)

    def at_end(self, partition: Partition) -> bool:
        return partition in self._at_end

    def close(self) -> None:
        self._consumer.close()

    def _on_assign(self, consumer: Consumer, assigned: list[TopicPartition]) -> None:
        begun: list[TopicPartition] = []
        for one in assigned:
            partition = Partition(one.topic, self._topic_id(one.topic), one.partition)
            self._partitions[(one.topic, one.partition)] = partition
            begun.append(TopicPartition(one.topic, one.partition, self._owner.begin(partition)))
        consumer.incremental_assign(begun)
        if self._paused:
            consumer.pause(begun)

    def _on_revoke(self, consumer: Consumer, revoked: list[TopicPartition]) -> None:
        for one in revoked:
            partition = self._partitions.pop((one.topic, one.partition), None)
            if partition is not None:
                self._at_end.discard(partition)
                self._owner.leave(partition)
        consumer.incremental_unassign(revoked)

    def _on_partition_error(self, partition: Partition, error: KafkaError) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            self._at_end.add(partition)
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            # Where we read is no more, or not yet: the owner knows what landed, and refuses or goes on.
            again = partition._replace(topic_id=self._topic_id(partition.topic))
            self._partitions[(partition.topic, partition.number)] = again
            if again != partition:
                self._owner.leave(partition)
            self.go_to(again, self._owner.begin(again))
        else:
            self._raise_if_serious(error)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN and self._unreached_since is None:
            self._unreached_since = time.monotonic()
        elif error.code() == KafkaError._AUTHENTICATION or error.fatal():
            self._unreached(error)

    def _raise_if_serious(self, error: KafkaError | None) -> None:
        if error is None or error.retriable() or error.code() == KafkaError._MAX_POLL_EXCEEDED:
            return
        if error.code() in _UNKNOWN_TOPIC or error.fatal() or error.code() > 0:
            self._unreached(error)

    def _raise_if_gone_for_long(self) -> None:
        since, patience = self._unreached_since, self._settings.unreachable_seconds
        if since is None or time.monotonic() - since < patience:
            return
        with self._reaching():  # a topic in which nothing happens tells nothing of its broker
            self._consumer.list_topics(timeout=self._settings.answer_seconds)
        self._unreached_since = None

    def _topic_id(self, topic: str) -> str:
        with self._reaching():
            return topic_id(self._settings, topic)

    @contextmanager
    def _reaching(self) -> Generator[None]:
        try:
            yield
        except KafkaException as error:
            self._unreached(error.args[0])

    def _unreached(self, error: KafkaError) -> NoReturn:
        if error.code() in _UNKNOWN_TOPIC:
            raise StoreUnavailable(
                f"{self._settings.where} lacks one of the topics {', '.join(self._topics)}: {error.str()}."
                " Create it, or mend MARKETING_KAFKA_TOPICS"
            )
        raise StoreUnavailable(
            f"{self._settings.where} does not answer: {error.str()}. What has landed stays landed, the rest"
            " is still in Kafka; see that the broker runs and the MARKETING_KAFKA_ settings are right, then"
            " start the consumer again"
        )
