"""Whether Kafka answers and has the topics that are to be read."""

from __future__ import annotations

from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.diagnosis import Found, timed
from marketing_platform.stores.kafka_settings import KafkaSettings


def diagnose(settings: KafkaSettings) -> Found:
    """Ask for the topics; StoreUnavailable with the client's own reason when no broker lets us in."""
    reasons: list[str] = []

    def note(error: KafkaError) -> None:
        reasons.append(error.str())

    given: dict[str, Any] = {**settings.client(), "error_cb": note}
    client = AdminClient(given)
    try:
        client.list_topics(timeout=settings.connect_seconds)  # the first one connects
        topics, milliseconds = timed(lambda: client.list_topics(timeout=settings.connect_seconds).topics)
    except KafkaException as error:
        client.poll(0)  # delivers what the client noted
        reason = reasons[0] if reasons else str(error.args[0].str())
        raise StoreUnavailable(
            f"{settings.where} does not answer: {reason}. See that it runs and the MARKETING_KAFKA_ settings"
            " are right"
        ) from error
    missing = tuple(
        f"no topic {topic}: kafka-topics.sh --create --topic {topic}, or correct MARKETING_KAFKA_TOPICS"
        for topic in settings.topics
        if topic not in topics
    )
    return Found(None, milliseconds, missing)
