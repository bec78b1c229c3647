"""A journal in Kafka: each row is a message, and the consumer lands them as it lands any topic.

The rows of a write have one key, so they are in one partition. A write that broke off may be there in part,
since nobody was told that it is safe; what is sent again comes on top.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future

from marketing_platform.ingestion.journal import Entry, InTopic, Journal, Place
from marketing_platform.ingestion.written import Kind, message_of
from marketing_platform.stores.stream_producer import Delivered, StreamProducer


class TopicsJournal:
    """Implements `Journal`: the kinds that have a topic go there, the others to another journal."""

    def __init__(self, producer: StreamProducer, topics: Mapping[Kind, str], otherwise: Journal) -> None:
        self._producer = producer
        self._topics = topics
        self._otherwise = otherwise

    @property
    def remembers(self) -> bool:
        return False

    def open(self) -> None:
        """Both are opened; nothing is left behind in Kafka."""
        self._otherwise.open()
        self._producer.open()

    def append(self, entry: Entry) -> Future[Place]:
        """Send its lines as messages."""
        topic = self._topics.get(entry.kind)
        if topic is None:
            return self._otherwise.append(entry)
        place: Future[Place] = Future()
        place.set_running_or_notify_cancel()

        def told(sent: Future[Delivered]) -> None:
            error = sent.exception()
            if error is not None:
                place.set_exception(error)
            else:
                place.set_result(InTopic(*sent.result()))

        messages = [message_of(line) for line in entry.lines]
        self._producer.send(topic, entry.key, messages).add_done_callback(told)
        return place

    def close(self) -> None:
        """Wait for what is under way."""
        self._producer.close()
        self._otherwise.close()
