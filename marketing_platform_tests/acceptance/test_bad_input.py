"""Everything wrong at once: quarantine rows or a held batch for each file, a release for the others."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketing_platform.defs.execution import RunFailed
from marketing_platform.ingestion.landing import take_landed
from marketing_platform.releases.ledger import State
from marketing_platform.sources import load_sources
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.conftest import Install
from marketing_platform_tests.acceptance.installation import Installation
from marketing_platform_tests.acceptance.landed import HEADER, conversation, csv

pytestmark = pytest.mark.long

_EVENTS = """
tables:
  events:
    columns: {event_id: event_id, user_id: user_id, message: message, timestamp: timestamp,
              campaign_id: campaign, event_type: event_type, channel: channel}
"""
_PURCHASES = """
tables:
  purchases:
    columns: {purchase_id: purchase_id, user_id: user_id, product_id: product_id, timestamp: timestamp,
              quantity: quantity, unit_price: unit_price}
"""
_SOURCES = {
    "chat": f"path: chat/*.csv\nformat: {{type: csv}}{_EVENTS}",
    "lines": f"path: chat/*.ndjson\nformat: {{type: ndjson}}{_EVENTS}",
    "array": f"path: chat/*.json\nformat: {{type: json}}{_EVENTS}",
    "shop": f"path: shop/*.csv\nformat: {{type: csv}}{_PURCHASES}",
    "shop_parquet": f"path: shop/*.parquet\nformat: {{type: parquet}}{_PURCHASES}",
}
# An identifier that would break whatever builds its queries from strings.
_STRANGE = "'; DROP TABLE x; -- \\\""
_SHOP_HEADER = "purchase_id,user_id,product_id,timestamp,quantity,unit_price\n"


def _chat(name: str, **changed: Callable[[str], str]) -> str:
    """A good file in which single lines, given as `line_7`, are changed."""
    lines = conversation(name)
    for key, change in changed.items():
        number = int(key.removeprefix("line_"))
        lines[number] = change(lines[number])
    return csv(lines)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def _shop(name: str, *, quantity: tuple[str, ...] = (), unit_price: tuple[str, ...] = ()) -> str:
    quantities = [*quantity, *["1"] * 100][:100]
    prices = [*unit_price, *["9.99"] * 100][:100]
    lines = (
        f"{name}-{n},user-{n % 12},product-{n % 5},2026-03-01T10:00:00Z,{quantities[n]},{prices[n]}\n"
        for n in range(100)
    )
    return _SHOP_HEADER + "".join(lines)


def _parquet() -> bytes:
    target = io.BytesIO()
    names = _SHOP_HEADER.strip().split(",")
    pq.write_table(pa.table({name: [f"{name}-{n}" for n in range(100)] for name in names}), target)
    return target.getvalue()


_LINES = conversation("whole")
_GZIPPED = gzip.compress(_chat("zipped").encode(), mtime=0)

# object -> (content, what became of it, valid rows, reasons)
_ACCEPTED = {
    "chat/good.csv": (_chat("good"), 100, {}),
    "chat/header.csv": (HEADER, 0, {}),
    "chat/latin.csv": (
        _chat("latin", line_11=lambda line: line.replace("card", "caf\xe9")).encode("latin-1"),
        99,
        {"not utf-8 text": 1},
    ),
    "chat/nul.csv": (_chat("nul", line_11=lambda line: line.replace("card", "ca\0rd")), 99, {"NUL byte": 1}),
    "chat/quote.csv": (
        _chat("quote", line_11=lambda line: line.replace("My card", '"My card')),
        99,
        {"unclosed quote": 1},
    ),
    "chat/last_quote.csv": (
        _chat("last", line_99=lambda line: line.replace(",Thank", ',"Thank')),
        99,
        {"unclosed quote": 1},
    ),
    "chat/columns.csv": (
        _chat("columns", line_7=lambda _: "a,b\n", line_9=lambda line: line.strip() + ",more\n"),
        98,
        {"too few columns": 1, "too many columns": 1},
    ),
    "chat/cell.csv": (
        _chat("cell", line_11=lambda line: line.replace("My card", "x" * 10_000_000)),
        99,
        {"cell larger than 1048576 bytes": 1},
    ),
    "chat/dates.csv": (
        _chat(
            "dates",
            line_5=lambda line: line.replace("2026-", "9999-"),
            line_6=lambda line: line.replace("2026-03", "2026-13"),
            line_7=lambda line: line.replace("2026-", "1970-"),
            line_8=lambda line: line.replace("2026-", "2100-"),
        ),
        96,
        {"timestamp unreadable": 2, "timestamp out of range": 2},
    ),
    "chat/duplicates.csv": (
        _chat("double", line_7=lambda line: line.replace("double-7,", "double-9,")),
        100,
        {},
    ),
    "chat/cut.csv": (csv(_LINES[:48]) + _LINES[48][:20], 48, {"too few columns": 1}),
    "chat/identifiers.csv": (
        _chat(
            "identifiers",
            line_1=lambda line: line.replace("user-1,", "x" * 70_000 + ","),
            line_2=lambda line: line.replace("campaign-2", "x" * 70_000),
            line_3=lambda line: line.replace("user-3", _quoted(_STRANGE)).replace("campaign-3", "%s{{}}💥"),
            line_5=lambda line: line.replace("Where is my parcel 5?", "\x01\x02"),
            line_7=lambda line: line.replace("How do I return shoes 7?", "\u200b"),
        ),
        98,
        {"user_id too long": 1, "campaign_id too long": 1},
    ),
    "shop/quantities.csv": (_shop("q", quantity=("1e999", "9" * 30, "1.5")), 97, {"quantity unreadable": 3}),
}
_HELD = {
    "chat/empty.csv": (b"", 0, {"unreadable: empty file, expected a header": 1}),
    "chat/utf16.csv": (
        _chat("utf16").encode("utf-16"),
        0,
        {"unreadable: the header is damaged (not utf-8 text)": 1},
    ),
    "chat/cut.csv.gz": (_GZIPPED[:-9], 100, {"unreadable: gzip data is cut off": 1}),
    "chat/damaged.ndjson": (
        '{"event_id": "a"\n[1]\n"text"\n',
        0,
        {"invalid JSON": 1, "not a JSON object": 2},
    ),
    "chat/cut.json": ('[{"event_id": "a"', 0, {"unreadable: the JSON array cannot be read on": 1}),
    "shop/numbers.csv": (
        _shop("n", unit_price=("1e999", "-1e999", "NaN", "inf", "1e308", "9" * 30, "0x1F", "nine")),
        92,
        {"unit_price unreadable": 8},
    ),
    "shop/cut.parquet": (_parquet()[:-20], 0, {"unreadable: no Parquet data": 1}),
}
_FILES = {**_ACCEPTED, **_HELD}


@pytest.fixture(scope="module")
def disturbed(install: Install, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """One run over all of it."""
    sources = tmp_path_factory.mktemp("sources")
    for name, declared in _SOURCES.items():
        (sources / f"{name}.yaml").write_text(f"source: {name}\ndescription: As bad as can be.\n{declared}")
    installation = install(sources_dir=sources)
    for name, (content, *_) in _FILES.items():
        installation.land(name, content)
    _land_what_is_no_file(installation.settings.landing_dir)
    installation.run()
    return installation


def _land_what_is_no_file(landing: Path) -> None:
    (landing / "chat" / "nowhere.csv").symlink_to("gone.csv")
    (landing / "chat" / "circle.csv").symlink_to("circle.csv")
    (landing / "chat" / "folder.csv").mkdir()
    os.mkfifo(landing / "chat" / "pipe.csv")
    (landing / "chat" / ".hidden.csv").write_text("being written")
    (landing / "chat" / "upload.csv.part").write_text("being written")
    (landing / "notes.txt").write_text("declared by no source")
    Path(os.fsdecode(os.fsencode(landing) + b"/chat/caf\xe9.csv")).write_text("no name in UTF-8")


@pytest.mark.parametrize("name", _FILES)
def test_each_file_is_quarantined_in_part_or_held_with_a_reason(disturbed: Installation, name: str) -> None:
    _, valid, reasons = _FILES[name]
    batch = disturbed.batch(name)
    assert batch.state is (State.HELD if name in _HELD else State.ACCEPTED)
    assert bool(batch.failed) is (name in _HELD)
    assert batch.rows_valid == valid
    found = {
        next((begin for begin in reasons if reason.startswith(begin)), reason): rows
        for reason, rows in batch.reasons.items()
    }
    assert found == reasons


@pytest.mark.parametrize("name", _FILES)
def test_no_row_is_lost(disturbed: Installation, name: str) -> None:
    batch = disturbed.batch(name)
    refused = disturbed.quarantine(batch.batch_id)
    assert batch.rows_landed == batch.rows_valid + batch.rows_quarantined
    assert disturbed.raw_rows(batch.batch_id) == batch.rows_landed
    assert len(refused) == batch.rows_quarantined
    assert all(record["reasons"] and record["document"] for record in refused)


def test_everything_else_is_released(disturbed: Installation) -> None:
    release = disturbed.release()
    assert {batch.object for batch in release.batches} == set(_ACCEPTED)
    assert {batch.object for batch in release.held} == set(_HELD)
    assert all(check.passed for check in release.checks if check.blocking)
    ((events,),) = disturbed.query("SELECT count(*) FROM events")
    assert events == sum(valid for name, (_, valid, _) in _ACCEPTED.items() if name.startswith("chat/"))


def test_identifiers_with_any_characters_are_served(disturbed: Installation) -> None:
    with disturbed.api() as api:
        user = api.get(f"/recommendations/{quote(_STRANGE, safe='')}")
        graph = api.get("/graph/user-campaigns", params={"user_id": _STRANGE})
    assert user.json()["user_id"] == _STRANGE
    assert [item["campaign_id"] for item in graph.json()["items"]] == ["%s{{}}💥"]


@pytest.fixture(scope="module")
def mended(disturbed: Installation) -> tuple[Installation, RunFailed]:
    """Cut files are completed, and between the landing of another and the run somebody removes its source."""
    settings = disturbed.settings
    disturbed.land("chat/orphan.ndjson", "{}\n")
    sources = load_sources(settings.sources_dir)
    objects = open_stores(settings).objects
    take_landed(objects, disturbed.ledger, sources, now=datetime.now(UTC), settle_seconds=0)
    (settings.sources_dir / "lines.yaml").unlink()
    disturbed.land("chat/cut.csv", csv(_LINES))
    disturbed.land("chat/cut.csv.gz", _GZIPPED)
    with pytest.raises(RunFailed) as failed:
        disturbed.run()
    return disturbed, failed.value


def test_a_file_completed_after_it_was_cut_off_replaces_what_it_was(
    mended: tuple[Installation, RunFailed],
) -> None:
    installation, _ = mended
    whole = installation.batch("chat/cut.csv")
    assert (whole.state, whole.rows_valid) == (State.ACCEPTED, 100)
    assert installation.batch("chat/cut.csv.gz").state is State.ACCEPTED
    of_batches = dict(installation.query("SELECT batch_id, count(*) FROM events GROUP BY ALL"))
    assert of_batches[whole.batch_id] == 100
    cut = next(batch.batch_id for batch in installation.ledger.batches() if batch.object == "chat/cut.csv")
    assert cut not in of_batches
    assert "chat/cut.csv.gz" not in {batch.object for batch in installation.release().held}


def test_a_batch_that_cannot_be_read_at_all_keeps_no_other_waiting(
    mended: tuple[Installation, RunFailed],
) -> None:
    installation, failure = mended
    assert "orphan.ndjson" in str(failure)
    assert "'lines', which is no longer declared" in str(failure)
    assert "cut.csv" not in str(failure)
    assert installation.batch("chat/orphan.ndjson").state is State.LANDED
