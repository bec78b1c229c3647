"""Figures, days and names as people read them."""

from __future__ import annotations

import csv
import re
from datetime import date
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import charts, tables, words
from marketing_platform.analytics.kpis.spec import Unit


@pytest.mark.parametrize(
    ("value", "unit", "currency", "expected"),
    [
        (285036.15, "money", "USD", "$285,036"),
        (29.81, "money", "EUR", "€29.81"),
        (29.8, "money", None, "29.80"),
        (1234.5, "money", "JPY", "¥1,234"),
        (3.4, "percent", None, "3.4 %"),
        (2.305, "ratio", None, "2.30"),
        (9562, "count", None, "9,562"),
        (None, "count", None, "–"),
        (float("inf"), "money", "USD", "–"),
    ],
)
def test_figures(value: float | None, unit: Unit, currency: str | None, expected: str) -> None:
    assert words.figure(value, unit, currency) == expected


def test_changes_say_what_to_make_of_them() -> None:
    def changed(change: float | None, percent: float | None, better: bool | None) -> dict[str, object]:
        return {"change": change, "change_percent": percent, "better": better}

    def said(value: dict[str, object], direction: str) -> str | None:
        return words.change(value, direction, unit="money", currency="EUR")  # type: ignore[arg-type]

    assert said(changed(-0.44, -2.2, True), "down") == "-2.2 %, better"
    assert said(changed(0.44, 2.2, False), "down") == "+2.2 %, worse"
    assert said(changed(5.0, 2.0, None), "neutral") == "+2.0 %"
    assert said(changed(5.0, None, True), "up") == "+€5.00, better"  # from 0: no percent
    assert said(changed(0, 0, None), "up") == "unchanged"
    assert said(changed(None, None, None), "up") is None


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (date(2026, 6, 1), date(2026, 6, 1), "1 Jun 2026"),
        (date(2026, 6, 1), date(2026, 6, 30), "1–30 Jun 2026"),
        (date(2026, 5, 2), date(2026, 6, 30), "2 May – 30 Jun 2026"),
        (date(2025, 12, 2), date(2026, 1, 3), "2 Dec 2025 – 3 Jan 2026"),
    ],
)
def test_days(first: date, last: date, expected: str) -> None:
    assert words.day_range(first, last) == expected


@given(st.text())
def test_markup_in_names_stays_text(text: str) -> None:
    plain = words.plain(text)
    assert re.sub(r"\\([^\w\s])", r"\1", plain).replace("\\_", "_") == text or "\\" in text
    assert not re.search(r"(?<!\\)[\[*`<$]", plain.replace("\\\\", ""))


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_csv_gives_names_back_and_runs_no_formula(names: list[str]) -> None:
    content = tables.as_csv([{"Campaign": name} for name in names]).decode("utf-8-sig")
    rows = list(csv.DictReader(StringIO(content, newline="")))
    for name, row in zip(names, rows, strict=False):
        assert row["Campaign"].removeprefix("'") == name.removeprefix("'") or "\0" in name
        assert not row["Campaign"].startswith(("=", "+", "-", "@"))


def test_charts_say_in_words_what_they_draw() -> None:
    drawn = charts.bars([("Meta", 19408.5), ("Google", None)], "spend by platform", "money", "EUR")
    assert drawn.words == "Bars, spend by platform: Meta €19,408; Google –."
    assert [value["said"] for value in drawn.spec["data"]["values"]] == ["€19,408", "–"]
