"""Writes of the API on servers: through a real Kafka, and into a landing zone without one."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from marketing_platform.errors import StoreUnavailable
from marketing_platform.ingestion.journal import Entry, InTopic
from marketing_platform.ingestion.journal_objects import ObjectsJournal
from marketing_platform.ingestion.journal_topics import TopicsJournal
from marketing_platform.ingestion.receipts import Follower, Receipt
from marketing_platform.ingestion.write_settings import load_write_settings
from marketing_platform.ingestion.written import Envelope, UserData, user_data_records
from marketing_platform.releases.records import open_records
from marketing_platform.settings import PROJECT_DIR, Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform.stores.stream_producer import StreamProducer
from marketing_platform_tests.servers import kafka
from marketing_platform_tests.servers.base import Running, free_port
from marketing_platform_tests.servers.shared import shared
from marketing_platform_tests.servers.streamed import Platform

NOW = datetime.now(UTC)
DATA = UserData.model_validate(
    {"interests": [{"interest": "Tea", "strength": 1}, {"interest": "Camping", "strength": 0.5}]}
)


@pytest.fixture
def server() -> Running:
    return shared(kafka.running)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """An installation whose landing zone a topic of user data fills, whatever its name."""
    found = Platform(tmp_path)
    declared = (PROJECT_DIR / "sources" / "api_user_data.yaml").read_text(encoding="utf-8")
    (tmp_path / "sources" / "stream.yaml").write_text(declared.replace("stream/user-data/**", "stream/**"))
    return found


def envelope(number: int) -> Envelope:
    return Envelope(f"{number:024x}", "user-data", NOW, "k_shop")


def test_writes_to_kafka_land_and_receipts_find_them(server: Running, platform: Platform) -> None:
    topic = f"user-data-{uuid.uuid4().hex[:8]}"
    kafka.make_topic(server, topic, 2)
    configured = kafka.settings(server, topic)
    writes = load_write_settings()
    journal = TopicsJournal(
        StreamProducer(configured, [topic], seconds=20, waiting=1000),
        {"user-data": topic},
        ObjectsJournal(platform.objects, writes),
    )
    journal.open()

    def write(number: int) -> Receipt:
        made = envelope(number)
        records = user_data_records(f"u-{number}", DATA, NOW)
        place = journal.append(Entry(made, f"u-{number}", made.lines(records))).result(30)
        return Receipt(made.number, made.kind, NOW, "", len(records), place)

    with closing(journal):
        with ThreadPoolExecutor(8) as threads:
            receipts = list(threads.map(write, range(100)))
        assert all(isinstance(receipt.place, InTopic) for receipt in receipts)
        records, stores = open_records(platform.settings), open_stores(platform.settings)
        follower = Follower(records.ledger, records.shelf, stores.documents, stores.objects)
        assert {follower.follow(receipt).status for receipt in receipts} == {"landed"}
        platform.land(configured)
        platform.judge()
        late = write(1000)
    assert follower.follow(late).status == "landed"
    for receipt in receipts:
        found = follower.follow(receipt)
        assert (found.status, found.rows_valid, found.rows_quarantined) == ("accepted", 2, 0)
        assert found.batch is not None
        with stores.objects.open(found.batch.content_hash) as content:
            assert sum(receipt.number.encode() in line for line in content) == 2


def test_a_broker_that_is_away_is_said_in_time(tmp_path: Path) -> None:
    stores = open_stores(Settings(data_dir=tmp_path))
    away = kafka.KafkaSettings.model_validate(
        {
            "bootstrap_servers": f"127.0.0.1:{free_port()}",
            "security_protocol": "PLAINTEXT",
            "connect_seconds": 1.0,
            "answer_seconds": 1.0,
        }
    )
    journal = TopicsJournal(
        StreamProducer(away, ["user-data"], seconds=2, waiting=10),
        {"user-data": "user-data"},
        ObjectsJournal(stores.objects, load_write_settings()),
    )
    journal.open()
    try:
        with pytest.raises(StoreUnavailable, match="cannot be written to"):
            journal.append(Entry(envelope(0), "u", [b"{}\n"])).result(10)
    finally:
        journal.close()


def test_without_a_topic_a_group_is_an_object(tmp_path: Path) -> None:
    stores = open_stores(Settings(data_dir=tmp_path))
    journal = ObjectsJournal(stores.objects, load_write_settings())
    journal.open()
    try:
        entries = [
            Entry(envelope(number), "u", envelope(number).lines(user_data_records("u", DATA, NOW)))
            for number in range(50)
        ]
        places = [journal.append(entry) for entry in entries]
        segments = {place.result(10) for place in places}
    finally:
        journal.close()
    assert len(segments) <= 2
    landed = [path.read_bytes() for path in (tmp_path / "landing" / "api" / "user-data").iterdir()]
    assert sorted(b"".join(landed).splitlines()) == sorted(
        line.rstrip() for entry in entries for line in entry.lines
    )
