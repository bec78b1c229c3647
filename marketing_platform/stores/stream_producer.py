"""Sends messages to Kafka, and says at which offsets all of them are safe."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from marketing_platform.errors import StoreBusy, StoreUnavailable
from marketing_platform.stores.kafka_settings import KafkaSettings
from marketing_platform.stores.kafka_topics import topic_id

_POLL_SECONDS = 0.1
_ASK_EVERY = 2.0  # seconds between two looks for a topic that is not there
_LINGER_MS = 5  # how long a message waits for others that go with it


class Delivered(NamedTuple):
    """Where messages of one key are: all in one partition."""

    topic: str
    topic_id: str
    partition: int
    first: int
    last: int


class StreamProducer:
    """An idempotent producer: acknowledged by every replica in sync, in order, none twice."""

    def __init__(
        self, settings: KafkaSettings, topics: Iterable[str], *, seconds: float, waiting: int
    ) -> None:
        """Nothing is contacted yet.

        Args:
            settings: The brokers.
            topics: Where messages may be sent.
            seconds: After so long without an acknowledgement a message has failed.
            waiting: How many messages may wait for theirs.
        """
        self._settings = settings
        self._seconds = seconds
        self._waiting = waiting
        self._ids: dict[str, str | None] = dict.fromkeys(topics)
        self._problem = "not asked yet"
        self._asked = 0.0
        self._ending = threading.Event()
        self._producer: Producer
        self._thread = threading.Thread(target=self._poll, name="kafka producer", daemon=True)

    def open(self) -> None:
        """Begin; a broker or a topic that is not there is looked for again in the background."""
        self._producer = Producer(
            {
                **self._settings.client(),
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": _LINGER_MS,
                "delivery.timeout.ms": round(self._seconds * 1000),
                "queue.buffering.max.messages": self._waiting,
                "message.max.bytes": self._settings.max_message_bytes,
            }
        )
        self._look_for_topics()
        self._thread.start()

    def send(self, topic: str, key: str, values: Sequence[bytes]) -> Future[Delivered]:
        """Send messages of one key; the future tells where they are, or StoreUnavailable.

        Raises:
            StoreBusy: Too many messages wait already; of these some may have been sent.
            StoreUnavailable: The topic is not there, or not yet.
        """
        known = self._ids[topic]
        if known is None:
            raise StoreUnavailable(
                f"{self._settings.where}: the topic {topic} cannot be written to: {self._problem}"
            )
        sent = _Sent(topic, known, len(values), self._settings.where)
        for value in values:
            try:
                self._producer.produce(topic, value=value, key=key, on_delivery=sent.delivered)
            except BufferError:
                raise StoreBusy("too many messages wait for Kafka; send the request again later") from None
        return sent.future

    def close(self) -> None:
        """Wait for what is under way, as long as its deadline is."""
        self._producer.flush(self._seconds)
        self._ending.set()
        self._thread.join()

    def _poll(self) -> None:
        while not self._ending.is_set():
            self._producer.poll(_POLL_SECONDS)
            if None in self._ids.values() and time.monotonic() - self._asked > _ASK_EVERY:
                self._look_for_topics()

    def _look_for_topics(self) -> None:
        for topic in [topic for topic, known in self._ids.items() if known is None]:
            try:
                self._ids[topic] = topic_id(self._settings, topic)
            except KafkaException as error:
                self._problem = error.args[0].str()
        self._asked = time.monotonic()


class _Sent:
    """Waits for the acknowledgements of the messages of one call."""

    def __init__(self, topic: str, topic_id: str, messages: int, where: str) -> None:
        self.future: Future[Delivered] = Future()
        self.future.set_running_or_notify_cancel()
        self._topic = topic
        self._topic_id = topic_id
        self._missing = messages
        self._where = where
        self._offsets: list[int] = []
        self._failed: KafkaError | None = None

    def delivered(self, error: KafkaError | None, message: Message) -> None:
        """Called by the thread that polls, once per message."""
        self._missing -= 1
        self._failed = self._failed or error
        self._offsets.append(message.offset() or 0)
        if self._missing:
            return
        if self._failed is not None:
            told = f"{self._where} did not take a write: {self._failed.str()}"
            self.future.set_exception(StoreUnavailable(told))
            return
        partition = message.partition() or 0
        first, last = min(self._offsets), max(self._offsets)
        self.future.set_result(Delivered(self._topic, self._topic_id, partition, first, last))
