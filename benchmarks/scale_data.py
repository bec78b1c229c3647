"""The files that `make bench-scale` lands, in the layouts of the sample's declared sources.

A file of events per week, users, campaigns, products, stated interests, purchases per month and what ads
cost. One event in a hundred is late: it stands in the file of the week in which it came in. One row in 500 is
bad. Memory does not grow with the number of events beyond a month of purchases; users are held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path

import numpy as np

from benchmarks.scale_events import Days, SaidTexts, calendar
from benchmarks.scale_world import scale_people, scale_world
from marketing_platform.sample import ad_records, flaws, records, texts
from marketing_platform.sample.activity import CONVERT, MESSAGE, DayOfEvents
from marketing_platform.sample.chance import shares
from marketing_platform.sample.exports import Export, write_text
from marketing_platform.sample.records import EVENT_FILE, PURCHASE_FILE, EventColumns
from marketing_platform.sample.shop import Converts, OrderLines, month_of_orders
from marketing_platform.sample.world import DAYS, FIRST_DAY

BAD_EVERY = 499
# Few enough that every week's events pass the gate, as in a good export.
_LATE, _LATE_DAYS = 0.01, 10
_DELTA_DAYS, _DELTA_LATE = 2, 0.1

EVENT_FILES = "events/events-*.csv"


@dataclass(frozen=True)
class Landed:
    """What was written; `rows` are those of all files."""

    events: int
    messages: int
    users: int
    rows: int


@dataclass
class _Converts:
    """What the purchases of a month follow from."""

    moment: list[texts.Texts] = field(default_factory=list[texts.Texts])
    user: list[texts.Texts] = field(default_factory=list[texts.Texts])
    category: list[texts.Texts] = field(default_factory=list[texts.Texts])


class ScaleData:
    """Writes the files of an installation with `events` events; equal arguments, equal bytes."""

    def __init__(self, landing: Path, *, events: int, seed: int = 7) -> None:
        self._landing, self._events, self._seed = landing, events, seed
        self._world = scale_world(seed)
        self._people = scale_people(self._world, events, seed)
        self._days = Days(self._world, self._people, seed)
        self._columns = EventColumns(self._world, self._people, SaidTexts(self._world))
        self._category = np.array(self._world.campaign_category)
        self._counts: Counter[str] = Counter()

    def write(self) -> Landed:
        """Everything up to the last day."""
        world, people = self._world, self._people
        self._counts.clear()
        files = [
            records.write_users(self._landing, world, people),
            records.write_campaigns(self._landing, world),
            records.write_products(self._landing, world),
            records.write_interests(self._landing, world, people, self._seed),
            *(
                write(self._landing, world, self._seed)
                for write in (ad_records.write_meta, ad_records.write_google, ad_records.write_microsoft)
            ),
        ]
        self._write_purchases(self._write_weeks())
        return self._landed(sum(file.rows for file in files))

    def write_more(self, events: int) -> Landed:
        """One more file: the next two days, and events of the days before that came in late."""
        self._counts.clear()
        late = round(events * _DELTA_LATE)
        after = FIRST_DAY + timedelta(DAYS)
        with self._export(f"events/events-{after}-more.csv") as export:
            before = calendar(after - timedelta(_LATE_DAYS), _LATE_DAYS)
            for day in self._drawn(before, late, self._events):
                self._add(export, day)
            for day in self._drawn(calendar(after, _DELTA_DAYS), events - late, self._events + late):
                self._add(export, day)
        return self._landed(0)

    def _landed(self, other_rows: int) -> Landed:
        counts = self._counts
        return Landed(counts["events"], counts["messages"], len(self._people), counts["rows"] + other_rows)

    def _write_weeks(self) -> dict[tuple[int, int], _Converts]:
        """The files of events; returns what purchases follow from, by month."""
        converts: dict[tuple[int, int], _Converts] = {}
        waiting: list[tuple[date, DayOfEvents]] = []  # late events, and when they come in
        days = self._drawn(calendar(FIRST_DAY, DAYS), self._events, 0)
        last = FIRST_DAY + timedelta(DAYS - 1)
        for (year, week), days_of_week in groupby(days, lambda day: day.day.isocalendar()[:2]):
            with self._export(f"events/events-{year}-w{week:02d}.csv") as export:
                for day in days_of_week:
                    month = converts.setdefault((day.day.year, day.day.month), _Converts())
                    self._note_converts(month, day)
                    in_time, late = self._told_apart(day)
                    waiting += late
                    due = [one for one in waiting if one[0] <= day.day or day.day == last]
                    waiting = [one for one in waiting if one not in due]
                    for _, events in due:
                        self._add(export, events)
                    self._add(export, in_time)
        return converts

    def _drawn(self, days: tuple[list[date], texts.Texts], events: int, start: int) -> Iterator[DayOfEvents]:
        number = start
        for day, count in zip(days[0], shares(events, days[1]), strict=True):
            if count:
                yield self._days.of(day, int(count), number)
            number += int(count)

    def _told_apart(self, day: DayOfEvents) -> tuple[DayOfEvents, list[tuple[date, DayOfEvents]]]:
        """The events of a day that come in at once, and the late ones by the day on which they do."""
        rng = np.random.default_rng([self._seed, day.day.toordinal(), len(day)])
        delay = np.where(rng.random(len(day)) < _LATE, rng.integers(1, _LATE_DAYS + 1, len(day)), 0)
        late = [
            (day.day + timedelta(int(days)), day.where(delay == days)) for days in np.unique(delay[delay > 0])
        ]
        return day.where(delay == 0), late

    def _note_converts(self, month: _Converts, day: DayOfEvents) -> None:
        bought = day.where(day.kind == CONVERT)
        month.moment.append(texts.second_of(day.day) + bought.second)
        month.user.append(bought.user)
        month.category.append(self._category[bought.campaign])

    def _export(self, name: str) -> Export:
        return Export(self._landing, name, EVENT_FILE, flaws.EVENTS, every=BAD_EVERY)

    def _add(self, export: Export, day: DayOfEvents) -> None:
        export.add(self._columns.events(day))
        self._counts.update(events=len(day), rows=len(day), messages=int((day.kind == MESSAGE).sum()))

    def _write_purchases(self, converts: dict[tuple[int, int], _Converts]) -> None:
        sent_back: OrderLines | None = None
        for (year, month), found in sorted(converts.items()):
            lines, sent_back = month_of_orders(
                self._world,
                self._people,
                Converts(*(np.concatenate(values) for values in vars(found).values())),
                month=(
                    texts.second_of(date(year, month, 1)),
                    texts.second_of(date(year + month // 12, month % 12 + 1, 1)),
                ),
                sent_back=sent_back,
                seed=self._seed,
            )
            written = write_text(
                self._landing,
                f"shop/purchases-{year}-{month:02d}.csv.gz",
                PURCHASE_FILE,
                records.purchase_columns(self._world, self._people, lines),
                flaws.PURCHASES,
            )
            self._counts.update(rows=written.rows)
