"""What is said about a batch while it is worked on."""

from __future__ import annotations

from marketing_platform.ingestion.pace import Pace


def said(total: int | None, *steps: tuple[float, int]) -> list[str]:
    """What is said when at each of these seconds so many records more are done."""
    moments = iter([0.0, *(second for second, _ in steps)])
    heard: list[str] = []
    pace = Pace(heard.append, "events.csv", total=total, clock=lambda: next(moments))
    for _, rows in steps:
        pace.add(rows)
    return heard


def test_a_short_batch_says_nothing() -> None:
    assert said(100, (0.1, 50), (4.9, 50)) == []


def test_a_long_one_says_how_far_it_is_and_how_long_it_will_take() -> None:
    assert said(4_000_000, (4.0, 400_000), (8.0, 400_000), (9.0, 100_000), (16.0, 700_000)) == [
        "events.csv: 800,000 of 4,000,000 records, 100,000/s, 32 s left",
        "events.csv: 1,600,000 of 4,000,000 records, 100,000/s, 24 s left",
    ]


def test_without_a_total_only_what_is_done_is_said() -> None:
    assert said(None, (5.0, 50_000)) == ["events.csv: 50,000 records, 10,000/s"]
    assert said(10, (5.0, 0)) == ["events.csv: 0 of 10 records, 0/s"]
