"""Puts the parts together: which files a sample has, in which order, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import numpy as np

from marketing_platform.sample import ad_records, flaws, records, texts
from marketing_platform.sample.activity import CONVERT, MESSAGE, DayOfEvents, days_of_events
from marketing_platform.sample.exports import Export, FileSummary, write_text
from marketing_platform.sample.list_test import write_list_test
from marketing_platform.sample.messages import MessageTexts
from marketing_platform.sample.people import People, make_people
from marketing_platform.sample.records import CHAT_FILE, EVENT_FILE, PURCHASE_FILE, EventColumns
from marketing_platform.sample.shop import Converts, OrderLines, month_of_orders
from marketing_platform.sample.world import DAYS, FIRST_DAY, World, load_world


@dataclass(frozen=True)
class SampleSummary:
    """What was written; `events` includes the `messages`, and every count includes the dirty rows."""

    directory: Path
    files: tuple[FileSummary, ...]
    users: int
    campaigns: int
    events: int
    messages: int
    products: int = 0
    purchases: int = 0
    interests: int = 0
    ad_spend: int = 0

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def dirty(self) -> dict[str, int]:
        """Planted errors by the reason that quarantine gives for them, most frequent first."""
        return dict(sum((Counter(file.dirty) for file in self.files), Counter[str]()).most_common())

    def document(self) -> dict[str, Any]:
        """The summary as plain values for JSON."""
        return {**asdict(self), "directory": str(self.directory), "rows": self.rows, "dirty": self.dirty}


def write_sample(directory: Path, *, users: int = 400, events: int = 8_000, seed: int = 7) -> SampleSummary:
    """Write every file of the sample below `directory`; equal arguments give equal bytes.

    Files already there are replaced. Memory does not grow with `events` beyond one month of purchases.
    """
    world, people = load_world(), make_people(load_world(), users, seed)
    crm = [
        records.write_users(directory, world, people),
        records.write_campaigns(directory, world),
        records.write_interests(directory, world, people, seed),
    ]
    products = records.write_products(directory, world)
    adverts = [
        write(directory, world, seed)
        for write in (ad_records.write_meta, ad_records.write_google, ad_records.write_microsoft)
    ]
    list_test = write_list_test(directory, world, people, seed)
    months = _Months(directory, world, people, seed)
    for _, days in groupby(
        days_of_events(world, people, events=events, seed=seed), lambda day: (day.day.year, day.day.month)
    ):
        months.write(days)
    return SampleSummary(
        directory=directory,
        files=(*crm, products, *adverts, list_test, *months.files),
        users=users,
        campaigns=len(world.campaigns),
        events=events,
        messages=months.messages,
        products=products.rows,
        purchases=months.purchases,
        interests=crm[-1].rows,
        ad_spend=sum(file.rows for file in adverts),
    )


def write_events(
    directory: Path,
    *,
    events: int,
    users: int,
    seed: int = 7,
    first_day: date = FIRST_DAY,
    days: int = DAYS,
    start: int = 0,
) -> SampleSummary:
    """Write users, campaigns and one CSV of events, messages included: the input of benchmarks.

    A later delta of the same users: the same `users` and `seed`, a later `first_day`, few `days`, and as
    `start` the number of events written so far, from which identifiers go on.
    """
    world, people = load_world(), make_people(load_world(), users, seed)
    columns = EventColumns(world, people, MessageTexts(world))
    files = [records.write_users(directory, world, people), records.write_campaigns(directory, world)]
    messages = 0
    name = f"events/events-{first_day}-{start:09d}.csv"
    with Export(directory, name, EVENT_FILE, flaws.EVENTS) as export:
        for day in days_of_events(
            world, people, events=events, seed=seed, first_day=first_day, days=days, start=start
        ):
            export.add(columns.events(day))
            messages += int((day.kind == MESSAGE).sum())
    return SampleSummary(
        directory=directory,
        files=(*files, export.summary),
        users=users,
        campaigns=len(world.campaigns),
        events=events,
        messages=messages,
    )


class _Months:
    """Writes what happened month by month: events, chats, and the purchases that follow from them."""

    def __init__(self, directory: Path, world: World, people: People, seed: int) -> None:
        self._directory, self._world, self._people, self._seed = directory, world, people, seed
        self._columns = EventColumns(world, people, MessageTexts(world))
        self._sent_back: OrderLines | None = None
        self.files: list[FileSummary] = []
        self.messages = 0
        self.purchases = 0

    def write(self, days: Iterable[DayOfEvents]) -> None:
        """The files of one month; `days` are all its days with events, in order."""
        days = iter(days)
        first = next(days)
        month = f"{first.day:%Y-%m}"
        converts: list[DayOfEvents] = []
        with (
            Export(self._directory, f"events/events-{month}.csv", EVENT_FILE, flaws.EVENTS) as events,
            Export(self._directory, f"conversations/chats-{month}.ndjson", CHAT_FILE, flaws.CHATS) as chats,
        ):
            for day in chain([first], days):
                events.add(self._columns.events(day.where(~day.is_chat)))
                chats.add(self._columns.chats(day.where(day.is_chat)))
                converts.append(day.where(day.kind == CONVERT))
                self.messages += int((day.kind == MESSAGE).sum())
        self.files += [events.summary, chats.summary, self._write_purchases(first.day, converts)]

    def _write_purchases(self, some_day: date, converts: list[DayOfEvents]) -> FileSummary:
        begins = some_day.replace(day=1)
        ends = begins.replace(month=begins.month + 1)
        category = np.array(self._world.campaign_category)
        lines, self._sent_back = month_of_orders(
            self._world,
            self._people,
            Converts(
                moment=np.concatenate([texts.second_of(day.day) + day.second for day in converts]),
                user=np.concatenate([day.user for day in converts]),
                category=np.concatenate([category[day.campaign] for day in converts]),
            ),
            month=(texts.second_of(begins), texts.second_of(ends)),
            sent_back=self._sent_back,
            seed=self._seed,
        )
        self.purchases += len(lines)
        return write_text(
            self._directory,
            f"shop/purchases-{begins:%Y-%m}.csv.gz",
            PURCHASE_FILE,
            records.purchase_columns(self._world, self._people, lines),
            flaws.PURCHASES,
        )
