"""What is special to a bucket: pages, generations, broken connections, and errors that say what to do."""

from __future__ import annotations

import gzip
import hashlib
import io
import threading
import time
import tracemalloc
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketing_platform.errors import ChangedWhileRead, StoreUnavailable
from marketing_platform.sources import load_source, read_rows
from marketing_platform.stores.gcs_settings import GcsSettings
from marketing_platform.stores.objects_gcs import GcsObjects
from marketing_platform.stores.reports_gcs import GcsReports
from marketing_platform_tests.servers import gcs
from marketing_platform_tests.servers.base import end
from marketing_platform_tests.servers.clocks import within
from marketing_platform_tests.servers.shared import shared
from marketing_platform_tests.servers.slow_network import Line, slow_network

MANY = 3_000
PORTION = 1 << 18
CONTENT = bytes(range(256)) * 8192  # 2 MiB: eight portions
_DECLARED = """
source: events
description: Events.
path: "*"
format: {{type: {layout}}}
tables: {{events: {{columns: {{user_id: user_id, message: message}}}}}}
"""


@pytest.fixture
def settings() -> GcsSettings:
    return gcs.settings(shared(gcs.running), portion_bytes=PORTION)


@pytest.fixture
def objects(settings: GcsSettings) -> GcsObjects:
    return GcsObjects(settings)


@pytest.fixture
def line(settings: GcsSettings) -> Generator[Line]:
    address = urlsplit(settings.endpoint or "")
    with slow_network(str(address.hostname), int(address.port or 0)) as line:
        yield line


def through(line: Line, settings: GcsSettings, **changed: object) -> GcsObjects:
    """The same bucket over a line that tests may slow down, cut or break."""
    impatient = {"connect_seconds": 0.5, "read_seconds": 0.5, "retry_seconds": 1.0}
    endpoint = {"endpoint": f"http://127.0.0.1:{line.port}"}
    return GcsObjects(settings.model_copy(update={**impatient, **endpoint, **changed}))


def names(objects: GcsObjects) -> list[str]:
    return [landed.name for landed in objects.list()]


def put_many(objects: GcsObjects, wanted: list[str]) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda name: objects.put(name, [name.encode()]), wanted))


def test_thousands_of_objects_come_page_by_page_in_order() -> None:
    wanted = [f"{number % 7}/events-{number:05}.csv" for number in range(MANY)]
    with gcs.running(in_memory=True) as server:
        settings = gcs.settings(server, page_size=400)
        gcs.land(server, settings.bucket, {f"landing/{name}": name.encode() for name in wanted})
        assert names(GcsObjects(settings)) == sorted(wanted)


def test_what_lands_while_it_lists_is_found_then_or_on_the_next_look(settings: GcsSettings) -> None:
    objects = GcsObjects(settings.model_copy(update={"page_size": 2}))
    put_many(objects, ["c.csv", "d.csv", "e.csv", "f.csv"])
    listing = objects.list()
    seen = [next(listing).name]
    for name in ("a.csv", "z.csv"):
        objects.put(name, [b"x"])
    assert seen + [landed.name for landed in listing] == ["c.csv", "d.csv", "e.csv", "f.csv", "z.csv"]
    assert names(objects)[0] == "a.csv"


def test_only_the_prefix_and_the_names_asked_for_are_looked_at(settings: GcsSettings) -> None:
    put_many(GcsObjects(settings), ["a/1.csv", "a/2.json", "b/3.csv", "notes.txt", "stream/t/0.ndjson"])
    put_many(GcsObjects(settings.model_copy(update={"prefix": "landing-other/"})), ["4.csv"])
    asked = settings.model_copy(update={"names": "*.json, b/*"})
    assert names(GcsObjects(asked)) == ["a/2.json", "b/3.csv", "stream/t/0.ndjson"]
    assert names(GcsObjects(settings.model_copy(update={"prefix": "landing/a/"}))) == ["1.csv", "2.json"]


def test_an_object_replaced_while_it_is_read_is_not_taken(
    objects: GcsObjects, settings: GcsSettings, line: Line
) -> None:
    landed = objects.put("a.csv", [CONTENT])
    line.delay = 0.05  # for every 64 KiB at most: the whole takes 1.6 s and more
    with ThreadPoolExecutor(1) as other:
        taking = other.submit(through(line, settings).snapshot, landed)
        time.sleep(0.5)
        assert not taking.done()
        objects.put("a.csv", [b"new"])
        with pytest.raises(ChangedWhileRead, match=r"a\.csv"):
            taking.result(timeout=30)


def test_an_object_removed_after_it_was_listed_is_not_taken(
    objects: GcsObjects, settings: GcsSettings
) -> None:
    for content in (b"", b"something"):
        landed = objects.put("a.csv", [content])
        gcs.client(shared(gcs.running)).bucket(settings.bucket).blob("landing/a.csv").delete()
        with pytest.raises(ChangedWhileRead, match=r"a\.csv"):
            objects.snapshot(landed)


@contextmanager
def breaking(line: Line, *, times: int) -> Generator[None]:
    """Breaks every connection so many times, a moment apart, during the block; fails if it ends sooner."""
    broken: list[float] = []

    def run() -> None:
        while len(broken) < times:
            time.sleep(0.15)
            line.drop()
            broken.append(time.monotonic())

    thread = threading.Thread(target=run)
    thread.start()
    yield
    assert len(broken) == times
    thread.join()


def test_a_read_goes_on_after_its_connection_broke(
    objects: GcsObjects, settings: GcsSettings, line: Line
) -> None:
    landed = objects.put("a.csv", [CONTENT])
    shaky = through(line, settings, retry_seconds=30.0)
    line.delay = 0.02
    with breaking(line, times=2):
        content_hash, size = shaky.snapshot(landed)
    with breaking(line, times=2), shaky.open(content_hash) as kept:
        content = b"".join(iter(lambda: kept.read(100_000), b""))
    assert (content_hash, size) == (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    assert content == CONTENT


def test_what_is_sent_again_lands_whole(objects: GcsObjects, settings: GcsSettings, line: Line) -> None:
    shaky = through(line, settings, retry_seconds=30.0)
    line.delay = 0.3  # the answer, once the object has landed
    with breaking(line, times=2):
        landed = shaky.put("a.csv", [CONTENT])
    assert list(objects.list()) == [landed]
    assert objects.snapshot(landed) == (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


@pytest.mark.parametrize("action", ["list", "snapshot", "open", "put"])
def test_a_server_that_says_nothing_is_given_up_in_time(
    objects: GcsObjects, settings: GcsSettings, line: Line, action: str
) -> None:
    landed = objects.put("a.csv", [b"x"])
    content_hash, _ = objects.snapshot(landed)
    silent = through(line, settings)
    actions: dict[str, Callable[[], object]] = {
        "list": lambda: list(silent.list()),
        "snapshot": lambda: silent.snapshot(landed),
        "open": lambda: silent.open(content_hash),
        "put": lambda: silent.put("b.csv", [b"x"]),
    }
    line.cut.set()
    with within(4), pytest.raises(StoreUnavailable, match=r"does not answer.*run again"):
        actions[action]()


def test_a_bucket_that_is_away_is_said_and_found_again_by_itself(tmp_path: Path) -> None:
    with gcs.running(tmp_path) as server:
        port = int(server.endpoint.rpartition(":")[2])
        settings = gcs.settings(server, connect_seconds=0.5, retry_seconds=0.5)
        objects, reports = GcsObjects(settings), GcsReports(settings)
        landed = objects.put("a.csv", [CONTENT])
        content_hash, _ = objects.snapshot(landed)
        reading = objects.open(content_hash)
        assert reading.read(10) == CONTENT[:10]
        end(server.process)
        for action in (
            lambda: next(objects.list()),
            lambda: objects.snapshot(landed),
            lambda: objects.open(content_hash),
            lambda: objects.create("b.csv", [b"x"]),
            lambda: reports.write("report", {}),
            reports.names,
        ):
            with within(4), pytest.raises(StoreUnavailable, match=r"gs://marketing-.* does not answer"):
                action()
    with gcs.running(tmp_path, port):
        assert list(objects.list()) == [landed]
        assert objects.snapshot(landed)[0] == content_hash
        reports.write("report", {"a": 1})
        assert reports.read("report") == {"a": 1}


@pytest.mark.parametrize("layout", ["csv", "ndjson", "parquet"])
def test_a_bucket_that_goes_away_is_not_mistaken_for_bad_data(tmp_path: Path, layout: str) -> None:
    declared = tmp_path / "events.yaml"
    declared.write_text(_DECLARED.format(layout=layout))
    with gcs.running(tmp_path / "server") as server:
        objects = GcsObjects(gcs.settings(server, portion_bytes=PORTION, retry_seconds=0.5))
        content_hash, _ = objects.snapshot(objects.put("a", [_records(layout)]))
        with objects.open(content_hash) as kept:
            chunks = read_rows(kept, load_source(declared), chunk_rows=100, max_cell_bytes=1 << 20)
            if layout != "parquet":  # which is copied before its first row is read
                assert next(chunks).num_rows == 100
            end(server.process)
            with pytest.raises(StoreUnavailable, match="does not answer"):
                list(chunks)


def _records(layout: str) -> bytes:
    rows = [
        {"user_id": f"u{n}", "message": hashlib.sha256(str(n).encode()).hexdigest()} for n in range(90_000)
    ]
    if layout == "parquet":
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), sink)
        return sink.getvalue()
    if layout == "ndjson":
        return "".join(
            f'{{"user_id": "{row["user_id"]}", "message": "{row["message"]}"}}\n' for row in rows
        ).encode()
    return ("user_id,message\n" + "".join(f"{row['user_id']},{row['message']}\n" for row in rows)).encode()


def test_what_was_uploaded_compressed_is_kept_as_it_is(objects: GcsObjects, settings: GcsSettings) -> None:
    packed = gzip.compress(CONTENT, mtime=0)
    blob = gcs.client(shared(gcs.running)).bucket(settings.bucket).blob("landing/a.csv")
    blob.content_encoding = "gzip"  # which makes Cloud Storage unpack it for whoever does not say otherwise
    blob.upload_from_string(packed)
    (landed,) = objects.list()
    content_hash, size = objects.snapshot(landed)
    assert (content_hash, size) == (hashlib.sha256(packed).hexdigest(), len(packed))
    assert _read(objects.open(content_hash)) == packed


def _read(stream: BinaryIO) -> bytes:
    with stream:
        return stream.read()


def test_no_object_is_ever_in_memory_as_a_whole(objects: GcsObjects) -> None:
    megabytes = 24

    def sent() -> Iterator[bytes]:
        return (bytes([number]) * (1 << 20) for number in range(megabytes))

    tracemalloc.start()
    try:
        content_hash, size = objects.snapshot(objects.put("a.bin", sent()))
        with objects.open(content_hash) as kept:
            read = sum(len(piece) for piece in iter(lambda: kept.read(1 << 20), b""))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == read == megabytes << 20
    assert peak < 16 << 20


class _Refusing(BaseHTTPRequestHandler):
    """Answers as Cloud Storage does to an account that may not: no server here asks who is calling."""

    def do_GET(self) -> None:
        body = (
            b'{"error": {"code": 403, "message": "nobody@example.com does not have access.", "errors": []}}'
        )
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_GET  # noqa: N815 -- the names http.server looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def refused() -> Generator[GcsSettings]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield GcsSettings(bucket="theirs", endpoint=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def test_who_may_not_is_told_which_role_to_ask_for(refused: GcsSettings, objects: GcsObjects) -> None:
    landed = objects.put("a.csv", [b"x"])
    denied = GcsObjects(refused)
    for action in (
        lambda: list(denied.list()),
        lambda: denied.snapshot(landed),
        lambda: denied.open("0" * 64),
        lambda: denied.put("a.csv", [b"x"]),
        lambda: GcsReports(refused).names(),
    ):
        with within(4), pytest.raises(StoreUnavailable, match=r"HTTP 403.*Storage Object Admin"):
            action()


def test_a_missing_bucket_is_told_from_a_missing_object(settings: GcsSettings) -> None:
    landed = GcsObjects(settings).put("a.csv", [b"x"])
    nowhere = settings.model_copy(update={"bucket": "never-made"})
    for action in (
        lambda: list(GcsObjects(nowhere).list()),
        lambda: GcsObjects(nowhere).put("a.csv", [b"x"]),
        lambda: GcsObjects(nowhere).snapshot(landed),
        lambda: GcsObjects(nowhere).open("0" * 64),
        lambda: GcsObjects(settings.model_copy(update={"kept_bucket": "never-made"})).snapshot(landed),
        lambda: GcsReports(nowhere).read("report"),
        lambda: GcsReports(nowhere).drop("report"),
    ):
        with pytest.raises(StoreUnavailable, match=r"gs://never-made.*lacks a bucket.*Make it"):
            action()
