"""Which topic a name stands for: one that was deleted and made again has another id."""

from __future__ import annotations

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient

from marketing_platform.stores.kafka_settings import KafkaSettings

# An id is Base64; as Kafka's own tools show it, it can stand in a path.
_FOR_NAMES = str.maketrans("+/", "-_")


def topic_id(settings: KafkaSettings, topic: str) -> str:
    """The id Kafka gave the topic when it was made, as Kafka's tools write it; KafkaException."""
    seconds = settings.connect_seconds + settings.answer_seconds
    with AdminClient(settings.client()) as admin:
        asked = admin.describe_topics(TopicCollection([topic]), request_timeout=seconds)
        return str(asked[topic].result(seconds + 1).topic_id).translate(_FOR_NAMES)
