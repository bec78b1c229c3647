"""Real conversations: of twenty campaigns the one that a user prefers is found in what happens later."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from marketing_platform_tests.acceptance.installation import command

_HELD_OUT = timedelta(days=28)


def written(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


def test_the_preferred_campaign_is_among_three_where_repeats_are_allowed(
    shared_data: Path, tmp_path: Path
) -> None:
    with (shared_data / "conversations" / "events.csv").open(newline="") as file:
        events = [
            (row["user_id"], row["campaign"], datetime.fromisoformat(row["timestamp"]))
            for row in csv.DictReader(file)
        ]
    times: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for user, campaign, _ in events:
        times[user][campaign] += 1
    preferred = {(user, of_user.most_common(1)[0][0]) for user, of_user in times.items()}
    moment = max(event[2] for event in events) - _HELD_OUT
    later = {(user, campaign) for user, campaign, at in events if at >= moment} & preferred
    assert len(later) > 0.9 * len(preferred)

    before = [
        (user, campaign, at.replace(tzinfo=None).isoformat()) for user, campaign, at in events if at < moment
    ]
    found = command(
        *("evaluate", "--k", "3", "--repeats", "--json"),
        *("--train", written(tmp_path / "train.csv", ("user_id", "item_id", "timestamp"), before)),
        *("--test", written(tmp_path / "test.csv", ("user_id", "item_id"), sorted(later))),
    )
    assert found.code == 0, found.err
    rows = {row["recommender"]: row["quality"]["3"]["hit_rate"] for row in found.document["recommenders"]}
    assert rows["hybrid"] >= 0.9
    assert rows["popular"] < 0.5, "it is not the same campaign for everybody"
