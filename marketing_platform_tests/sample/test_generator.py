"""What `write_sample` and `write_events` promise: equal bytes, counts that add up, room to grow."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections import Counter
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from marketing_platform.cli.sample import app
from marketing_platform.sample import SampleSummary, write_events, write_sample

# In the order people go through them.
FUNNEL = ["impression", "view", "open", "click", "convert", "unsubscribe"]


def digests(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def csv_rows(path: Path) -> list[dict[str, str]]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.DictReader(content.decode("utf-8-sig").splitlines(keepends=True)))


def rows_of(path: Path) -> int:
    if path.suffix == ".parquet":
        return pq.read_metadata(path).num_rows
    if path.suffix == ".json":
        return len(json.loads(path.read_bytes()))
    if path.suffix == ".ndjson":
        return path.read_bytes().count(b"\n")
    if path.suffix == ".tsv":
        return len(path.read_text(encoding="utf-16").splitlines()) - 1
    return len(csv_rows(path))


def test_equal_arguments_give_equal_bytes(sample: SampleSummary, tmp_path: Path) -> None:
    again = write_sample(tmp_path)
    assert digests(tmp_path) == digests(sample.directory)
    assert again.files == sample.files


def test_another_seed_gives_another_sample(tmp_path: Path) -> None:
    write_sample(tmp_path / "a", users=30, events=400, seed=1)
    write_sample(tmp_path / "b", users=30, events=400, seed=2)
    a, b = digests(tmp_path / "a"), digests(tmp_path / "b")
    assert {name for name in a if a[name] == b[name]} == {"crm/campaigns.json", "shop/products.ndjson"}


def test_only_the_files_of_the_summary_are_there(sample: SampleSummary) -> None:
    assert set(digests(sample.directory)) == {file.path for file in sample.files}


def test_counts_add_up(sample: SampleSummary) -> None:
    rows = {file.path: rows_of(sample.directory / file.path) for file in sample.files}
    assert rows == {file.path: file.rows for file in sample.files}

    def total(beginning: str) -> int:
        return sum(count for path, count in rows.items() if path.startswith(beginning))

    assert total("events/") + total("conversations/") == sample.events == 8_000
    assert total("shop/purchases") == sample.purchases
    assert total("ads/") == sample.ad_spend
    assert rows["crm/users.csv"] == sample.users == 400
    assert rows["crm/campaigns.json"] == sample.campaigns == 24
    assert rows["shop/products.ndjson"] == sample.products == 120
    assert rows["crm/interests.csv"] == sample.interests
    assert sum(rows.values()) == sample.rows


def test_about_one_row_in_a_hundred_is_dirty_and_no_file_has_many(sample: SampleSummary) -> None:
    assert sum(sample.dirty.values()) / sample.rows == pytest.approx(0.01, abs=0.002)
    assert all(sum(file.dirty.values()) < 0.03 * file.rows for file in sample.files)


def test_events_narrow_like_a_funnel(sample: SampleSummary) -> None:
    kinds = Counter(
        row["event_type"] for path in sample.directory.glob("events/*.csv") for row in csv_rows(path)
    )
    counts = [kinds[kind] for kind in FUNNEL]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] > 0
    assert sample.messages / sample.events == pytest.approx(1 / 3, abs=0.03)


def test_people_act_after_signing_up_while_the_campaign_runs(sample: SampleSummary) -> None:
    content = (sample.directory / "crm/users.csv").read_text(encoding="utf-8-sig")
    since = {
        row["Customer ID"]: "-".join(reversed(row["Customer since"].split(".")))
        for row in csv.DictReader(content.splitlines(), delimiter=";")
        if row["Customer since"].endswith(tuple("0123456789"))
    }
    runs = {
        one["id"]: (one["flight"]["starts_on"], one["flight"]["ends_on"] or "9999")
        for one in json.loads((sample.directory / "crm/campaigns.json").read_bytes())
    }
    for path in sample.directory.glob("events/*.csv"):
        for row in csv_rows(path):
            if row["campaign_id"] in runs and row["occurred_at"] != "2026-06-31 08:15:00":
                starts, ends = runs[row["campaign_id"]]
                day = row["occurred_at"][:10]
                assert starts <= day <= ends
                assert since.get(row["user_id"], "") <= day


def test_shop_sells_more_than_comes_back_and_knows_most_buyers(sample: SampleSummary) -> None:
    lines = [row for path in sample.directory.glob("shop/*.gz") for row in csv_rows(path)]
    back = [row for row in lines if row["qty"].startswith("-")]
    assert 0 < len(back) < 0.1 * len(lines)
    sold = {row["line_id"] for row in lines}
    assert {row["line_id"].removesuffix("-R") for row in back} <= sold
    assert 0.01 < sum(not row["customer"] for row in lines) / len(lines) < 0.15


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("marketing_platform.sample.records.EventColumns.events", fails)
    with pytest.raises(RuntimeError):
        write_events(tmp_path, events=100, users=10)
    assert set(digests(tmp_path)) == {"crm/users.csv", "crm/campaigns.json"}


def test_more_events_bring_fewer_new_texts(tmp_path: Path) -> None:
    summary = write_events(tmp_path, events=50_000, users=2_000)
    rows = csv_rows(tmp_path / summary.files[-1].path)
    texts = [row["message"] for row in rows if row["message"]]
    assert len(rows) == summary.files[-1].rows == 50_000
    assert abs(len(texts) - summary.messages) <= 0.01 * summary.messages  # dirty rows shift their fields
    first_half, everything = len(set(texts[: len(texts) // 2])), len(set(texts))
    assert first_half < everything < 1.8 * first_half
    by_user = sorted(Counter(row["user_id"] for row in rows).values(), reverse=True)
    assert sum(by_user[:200]) > 0.25 * len(rows)  # a tenth of the users does more than a quarter


def test_a_delta_goes_on_where_the_events_ended(tmp_path: Path) -> None:
    base = write_events(tmp_path, events=5_000, users=300)
    users = digests(tmp_path)["crm/users.csv"]
    delta = write_events(
        tmp_path, events=50, users=300, first_day=date(2026, 7, 1), days=1, start=base.events
    )
    assert digests(tmp_path)["crm/users.csv"] == users
    old, new = (csv_rows(tmp_path / summary.files[-1].path) for summary in (base, delta))
    assert [row["event_id"] for row in new] == [f"e-{number:08d}" for number in range(5_000, 5_050)]
    assert not {row["event_id"] for row in old} & {row["event_id"] for row in new}
    assert {row["occurred_at"][:10] for row in new if not row["occurred_at"].startswith("2026-06")} == {
        "2026-07-01"
    }


@pytest.mark.parametrize(("users", "events"), [(1, 1), (2, 200), (50, 3)])
def test_tiny_samples_work(tmp_path: Path, users: int, events: int) -> None:
    assert write_sample(tmp_path, users=users, events=events).events == events


def test_command_prints_one_json_document(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["write", str(tmp_path), "--events", "300", "--users", "20", "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["events"] == 300
    assert document["users"] == 20
    assert document["rows"] == sum(file["rows"] for file in document["files"])


def test_command_shows_files_and_planted_errors(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["write", str(tmp_path), "--events", "300", "--users", "20"])
    assert result.exit_code == 0, result.output
    assert "crm/users.csv" in result.stdout
    assert "Planted errors" in result.stdout
