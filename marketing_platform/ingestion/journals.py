"""Which journal an installation writes to."""

from __future__ import annotations

from marketing_platform.ingestion.journal import Journal, Remember
from marketing_platform.ingestion.journal_objects import ObjectsJournal
from marketing_platform.ingestion.journal_spool import SpoolJournal
from marketing_platform.ingestion.write_settings import WriteSettings
from marketing_platform.ingestion.written import Kind
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Objects


def journal_of(settings: Settings, objects: Objects, writes: WriteSettings, *, remember: Remember) -> Journal:
    """A spool on the disk of the embedded profile; on servers Kafka or the bucket. Nothing is touched yet."""
    if settings.profile == "embedded":
        return SpoolJournal(settings.data_dir.resolve() / "spool", objects, writes, remember=remember)
    bucket = ObjectsJournal(objects, writes)
    named: dict[Kind, str | None] = {"user-data": writes.user_data_topic, "feedback": writes.feedback_topic}
    topics: dict[Kind, str] = {kind: topic for kind, topic in named.items() if topic is not None}
    if not topics:
        return bucket
    # An embedded installation need not have Kafka's client.
    from marketing_platform.ingestion.journal_topics import TopicsJournal
    from marketing_platform.stores.kafka_settings import KafkaSettings
    from marketing_platform.stores.registry import from_environment
    from marketing_platform.stores.stream_producer import StreamProducer

    producer = StreamProducer(
        from_environment(KafkaSettings),
        topics.values(),
        seconds=writes.durable_seconds,
        waiting=writes.waiting_entries,
    )
    return TopicsJournal(producer, topics, bucket)
