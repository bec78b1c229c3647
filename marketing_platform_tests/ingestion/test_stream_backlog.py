"""What waits is counted whether the ledger knows it or not; metrics say what the consumer did."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from marketing_platform.ingestion.stream_backlog import Backlog
from marketing_platform.ingestion.stream_metrics import ProgressCollector
from marketing_platform.ingestion.streaming import Progress
from marketing_platform.releases.ledger import Outcome
from marketing_platform.releases.records import in_folder
from marketing_platform.stores.objects_folder import FolderObjects
from marketing_platform.stores.stream import Partition

NOW = datetime(2026, 7, 1, tzinfo=UTC)
JUDGED = Outcome(1, 1, 0, {}, (), {})


def test_landed_objects_wait_until_they_are_judged(tmp_path: Path) -> None:
    objects, ledger = FolderObjects(tmp_path / "landing", tmp_path / "kept"), in_folder(tmp_path).ledger
    backlog = Backlog(objects, ledger)
    folder = "stream/events/id/0"
    landed = [objects.create(f"{folder}/{n:020}.ndjson", [b"%d" % n]) for n in range(4)]
    objects.create("stream/events/id/1/0.ndjson", [b"of another consumer"])
    assert backlog.count([folder]) == 4

    def register(number: int) -> str:
        found, _ = ledger.register(landed[number], source="stream_events", content_hash=str(number), now=NOW)
        return found

    second = register(1)  # not in order: the first one still waits
    assert backlog.count([folder]) == 4
    ledger.judge(second, JUDGED, now=NOW)
    assert backlog.count([folder]) == 3
    for number in (0, 2, 3):
        ledger.judge(register(number), JUDGED, now=NOW)
    assert backlog.count([folder]) == 0
    objects.create(f"{folder}/{9:020}.ndjson", [b"9"])
    assert backlog.count([folder]) == 1


def test_metrics_tell_what_the_consumer_did() -> None:
    progress = Progress(messages=5, dead_letters=2, paused=True, lag={Partition("events", "id", 3): 7})
    registry = CollectorRegistry()
    registry.register(ProgressCollector(progress))
    said = generate_latest(registry).decode().splitlines()
    assert {
        "marketing_stream_messages_total 5.0",
        "marketing_stream_dead_letters_total 2.0",
        "marketing_stream_paused 1.0",
        'marketing_stream_lag{partition="3",topic="events"} 7.0',
    } <= set(said)
