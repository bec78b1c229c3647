"""Events on their way from a topic to valid rows, for tests of Kafka: what is sent, landed and judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from marketing_platform.gates import load_suites
from marketing_platform.ingestion.landing import take_landed
from marketing_platform.ingestion.stream_backlog import Backlog
from marketing_platform.ingestion.streaming import BatchLimits, Lander, Progress
from marketing_platform.ingestion.validation import validate
from marketing_platform.releases.ledger import Batch
from marketing_platform.releases.records import open_records
from marketing_platform.settings import PROJECT_DIR, Settings
from marketing_platform.sources import load_sources, read_rows
from marketing_platform.stores.kafka_settings import KafkaSettings
from marketing_platform.stores.protocols import Select, TableRef
from marketing_platform.stores.registry import open_stores
from marketing_platform.stores.stream_kafka import KafkaStream
from marketing_platform_tests.servers.base import Running

_PATIENCE = 60.0
_COMMAND = "from marketing_platform.cli import main; main()"


def event(number: int) -> bytes:
    """A valid event; its id says which message it was."""
    return json.dumps(
        {
            "event_id": f"e-{number}",
            "user_id": f"u-{number % 50}",
            "timestamp": "2026-07-01T10:00:00Z",
            "event_type": "click",
            "campaign_id": "c-1",
            "channel": "email",
        }
    ).encode()


class Platform:
    """One installation with the embedded stores, whose landing zone a stream fills from any topic."""

    def __init__(self, folder: Path) -> None:
        sources = folder / "sources"
        sources.mkdir()
        declared = (PROJECT_DIR / "sources" / "stream_events.yaml").read_text(encoding="utf-8")
        (sources / "stream.yaml").write_text(declared.replace("stream/events/**", "stream/**"))
        self.settings = Settings.model_validate(
            {"data_dir": folder / "data", "sources_dir": sources, "settle_seconds": 0.0}
        )
        self.objects = open_stores(self.settings).objects

    def lander(self, stream: KafkaStream, kafka: KafkaSettings, *, accept_gap: bool = False) -> Lander:
        """A consumer as the command makes it."""
        ledger = open_records(self.settings).ledger
        return Lander(
            stream,
            self.objects,
            BatchLimits(
                rows=kafka.batch_rows,
                seconds=kafka.batch_seconds,
                size=kafka.batch_bytes,
                message_bytes=kafka.max_message_bytes,
                waiting=kafka.max_waiting,
            ),
            waiting=Backlog(self.objects, ledger).count,
            accept_gap=accept_gap,
        )

    def land(self, kafka: KafkaSettings, *, accept_gap: bool = False) -> Progress:
        """Land what is there now."""
        return self.lander(KafkaStream(kafka), kafka, accept_gap=accept_gap).run(
            once=True, stop=lambda: False
        )

    @contextmanager
    def landing(self, kafka: KafkaSettings) -> Generator[Lander]:
        """A consumer in a thread until the block ends; its error becomes that of the block."""
        told = threading.Event()
        lander = self.lander(KafkaStream(kafka), kafka)
        failure: list[BaseException] = []

        def run() -> None:
            try:
                lander.run(once=False, stop=told.is_set)
            except BaseException as error:  # noqa: BLE001 -- raised again below
                failure.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield lander
        finally:
            told.set()
            thread.join(_PATIENCE)
        if failure:
            raise failure[0]

    @contextmanager
    def consuming(
        self, server: Running, kafka: KafkaSettings, *options: str
    ) -> Generator[subprocess.Popen[bytes]]:
        """The command in a process of its own; killed at the end, if it has not ended."""
        process = self._start(server, kafka, *options)
        with process:
            try:
                yield process
            finally:
                process.kill()

    def _start(self, server: Running, kafka: KafkaSettings, *options: str) -> subprocess.Popen[bytes]:
        given = {
            "BOOTSTRAP_SERVERS": server.endpoint,
            "SECURITY_PROTOCOL": "PLAINTEXT",
            "TOPICS": ",".join(kafka.topics),
            "GROUP": kafka.group,
            "BATCH_ROWS": str(kafka.batch_rows),
            "BATCH_SECONDS": str(kafka.batch_seconds),
            "SESSION_SECONDS": str(kafka.session_seconds),
            "CONNECT_SECONDS": str(kafka.connect_seconds),
            "ANSWER_SECONDS": str(kafka.answer_seconds),
        }
        return subprocess.Popen(
            [sys.executable, "-c", _COMMAND, "consume", "--json", *options],
            env={
                **os.environ,
                "MARKETING_DATA_DIR": str(self.settings.data_dir),
                "MARKETING_SOURCES_DIR": str(self.settings.sources_dir),
                **{f"MARKETING_KAFKA_{name}": value for name, value in given.items()},
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def judge(self) -> None:
        """Take what landed and judge it, as the job `ingest` does."""
        stores, ledger = open_stores(self.settings), open_records(self.settings).ledger
        sources = load_sources(self.settings.sources_dir)
        now = datetime.now(UTC)
        taken = take_landed(stores.objects, ledger, sources, now=now, settle_seconds=0.0)
        # What lands during the look is taken by the next one.
        assert not (taken.unmatched + taken.repeated + taken.refused)
        suites = load_suites(self.settings.expectations_dir)
        for batch in ledger.pending():
            spec = next(found for found in sources if found.source == batch.source)
            with stores.objects.open(batch.content_hash) as content:
                chunks = read_rows(content, spec, chunk_rows=50_000, max_cell_bytes=1 << 20)
                stores.documents.write_raw(batch.batch_id, chunks, ingested_at=now)
            judged = validate(
                batch.batch_id,
                stores.documents.read_raw(batch.batch_id, chunk_rows=50_000),
                spec,
                suites,
                warehouse=stores.warehouse,
                documents=stores.documents,
                version="v1",
                landed_at=now,
            )
            ledger.judge(batch.batch_id, judged.outcome, now=now)

    def batches(self) -> list[Batch]:
        """What the ledger knows."""
        return open_records(self.settings).ledger.batches()

    def valid_events(self) -> list[str]:
        """The ids of all valid rows, in no order, as often as they are there."""
        warehouse = open_stores(self.settings).warehouse
        parts = tuple(batch.parts["events"] for batch in self.batches())
        if not parts:
            return []
        schema = warehouse.open(parts[0]).ref.schema
        rows = warehouse.query(Select("SELECT event_id FROM events", [TableRef("events", parts, schema)]))
        return rows["event_id"].to_pylist()

    def landed_events(self) -> list[str]:
        """The ids of all events that landed, judged or not, as often as they landed."""
        found: list[str] = []
        for landed in self.objects.list(below="stream"):
            content_hash, _ = self.objects.snapshot(landed)
            with self.objects.open(content_hash) as content:
                found += [json.loads(line).get("value", {}).get("event_id") for line in content]
        return found


def until(condition: Callable[[], bool], what: str, seconds: float = _PATIENCE) -> None:
    """Wait for `condition`; an error that says `what` did not come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} not within {seconds:.0f} s"
        time.sleep(0.05)


def each_once(found: Iterable[str], messages: int) -> bool:
    """Whether these are the ids of `messages` events, each once."""
    return sorted(found) == sorted(f"e-{number}" for number in range(messages))
