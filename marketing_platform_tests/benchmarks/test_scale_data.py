"""The files of the scale benchmark: as many events as asked for, skewed, some late, some bad."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from benchmarks.scale_data import BAD_EVERY, Landed, ScaleData
from benchmarks.scale_duckdb import loaded
from marketing_platform.settings import PROJECT_DIR
from marketing_platform.sources import load_sources
from marketing_platform.sources.spec import match_source

EVENTS, MORE = 60_000, 600
Row = dict[str, str]


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Full files and one more."""
    return tmp_path_factory.mktemp("scale")


@pytest.fixture(scope="module")
def landed(landing: Path) -> tuple[Landed, Landed]:
    data = ScaleData(landing, events=EVENTS)
    return data.write(), data.write_more(MORE)


@pytest.fixture(scope="module")
def weeks(landing: Path, landed: tuple[Landed, Landed]) -> dict[str, list[Row]]:
    """The rows of each file of events."""
    found: dict[str, list[Row]] = {}
    for path in sorted((landing / "events").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found[path.name] = list(csv.DictReader(file))
    return found


def _clean(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["user_id"] and row["campaign_id"] and None not in row]


def _moment(row: Row) -> datetime:
    return datetime.fromisoformat(row["occurred_at"])


def test_there_are_as_many_events_as_asked_for(
    weeks: dict[str, list[Row]], landed: tuple[Landed, Landed]
) -> None:
    full, more = landed
    numbers = [row["event_id"] for rows in weeks.values() for row in rows]
    assert len(numbers) == len(set(numbers)) == EVENTS + MORE
    assert (full.events, more.events, more.rows) == (EVENTS, MORE, MORE)
    assert full.messages == pytest.approx(EVENTS / 5, rel=0.01)
    assert len(weeks) > 15


def test_every_file_has_a_declared_source(landing: Path, landed: tuple[Landed, Landed]) -> None:
    sources = load_sources(PROJECT_DIR / "sources")
    files = [path.relative_to(landing).as_posix() for path in landing.rglob("*") if path.is_file()]
    found = {name: match_source(sources, name) for name in files}
    assert None not in found.values()
    assert {table for source in found.values() if source for table in source.tables} >= {
        *("events", "users", "campaigns", "products", "purchases", "interests", "ad_spend"),
    }


def test_a_few_users_do_most_and_a_few_campaigns_are_met_most(weeks: dict[str, list[Row]]) -> None:
    rows = [row for rows in weeks.values() for row in _clean(rows)]
    for column, share in (("user_id", 0.1), ("campaign_id", 0.1)):
        counts = np.array(sorted(Counter(row[column] for row in rows).values(), reverse=True))
        assert counts[: int(len(counts) * share)].sum() > 0.35 * counts.sum()
    texts = Counter(row["message"] for row in rows if row["message"])
    assert texts.most_common(1)[0][1] > 0.03 * texts.total()
    assert sum(times == 1 for times in texts.values()) > 0.06 * texts.total()


def test_what_leads_to_what_gets_rarer(weeks: dict[str, list[Row]]) -> None:
    kinds = Counter(row["event_type"] for rows in weeks.values() for row in rows)
    assert kinds["impression"] > kinds["open"] > kinds["click"] > kinds["convert"] > kinds["unsubscribe"] > 0


def test_a_send_is_followed_by_a_burst(weeks: dict[str, list[Row]]) -> None:
    mails = [
        row
        for row in _clean(weeks["events-2026-w12.csv"])
        if row["channel"] == "email"
        and row["event_type"] == "impression"
        and row["occurred_at"][8:10].isdigit()
    ]
    campaign, _ = Counter((row["campaign_id"], row["occurred_at"][:10]) for row in mails).most_common(1)[0]
    hours = Counter(
        row["occurred_at"][11:13]
        for row in mails
        if (row["campaign_id"], row["occurred_at"][:10]) == campaign
    )
    assert sum(count for _, count in hours.most_common(2)) > 0.5 * hours.total()


def test_one_event_in_a_hundred_comes_in_days_late(weeks: dict[str, list[Row]]) -> None:
    rows = _clean(weeks["events-2026-w15.csv"])
    moments = np.array([_moment(row) for row in rows if not row["occurred_at"].startswith("2026-06-31")])
    late = (np.maximum.accumulate(moments) - moments) > timedelta(days=1)
    assert 0.004 < late.mean() < 0.02
    before = [row for row in weeks["events-2026-07-01-more.csv"] if row["occurred_at"] < "2026-06-30"]
    assert 0.05 * MORE < len(before) < 0.12 * MORE


def test_one_row_in_five_hundred_is_bad(weeks: dict[str, list[Row]]) -> None:
    rows = [row for rows in weeks.values() for row in rows]
    known = {"message", "impression", "view", "open", "click", "convert", "unsubscribe"}
    unreadable = "2026-06-31 08:15:00"
    bad = [
        row
        for row in rows
        if None in row
        or not row["user_id"]
        or not row["campaign_id"]
        or row["event_type"] not in known
        or row["channel"] == "fax"
        or row["occurred_at"] == unreadable
    ]
    assert len(bad) == pytest.approx(len(rows) / BAD_EVERY, rel=0.1)


def test_equal_arguments_give_equal_bytes(
    landing: Path, landed: tuple[Landed, Landed], tmp_path: Path
) -> None:
    again = ScaleData(tmp_path, events=EVENTS)
    assert (again.write(), again.write_more(MORE)) == landed
    for path in landing.rglob("*.*"):
        assert (tmp_path / path.relative_to(landing)).read_bytes() == path.read_bytes()


def test_duckdb_alone_reads_the_same_files(
    landing: Path, landed: tuple[Landed, Landed], tmp_path: Path
) -> None:
    found = loaded(landing, tmp_path / "alone.duckdb")
    assert found.seconds > 0
    assert 0.98 * (EVENTS + MORE) < found.rows <= landed[0].rows + MORE
    assert not list(tmp_path.iterdir())
