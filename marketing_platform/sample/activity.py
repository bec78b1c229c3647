"""What users do with campaigns, day by day: who, which campaign, what, when. Nothing is written here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from marketing_platform.sample.chance import (
    Floats,
    Ints,
    Stream,
    Switches,
    pick_in_row,
    power_law,
    shares,
    stacked,
    stream,
)
from marketing_platform.sample.messages import NO_MESSAGE, draw_phrases
from marketing_platform.sample.people import People, draw_categories
from marketing_platform.sample.world import DAYS, FIRST_DAY, World

KINDS = ("message", "impression", "view", "open", "click", "convert", "unsubscribe")
MESSAGE, CONVERT = KINDS.index("message"), KINDS.index("convert")
CHANNELS = ("email", "app", "web", "sms", "ad")

_MESSAGE_SHARE = 1 / 3
# What else happens on a channel, for people whose interest the campaign meets; order as in KINDS.
_FUNNEL = {
    "email": (0, 34, 6, 42, 13, 4.0, 1.6),
    "app": (0, 38, 24, 27, 8, 3.2, 0.2),
    "web": (0, 44, 38, 0, 13, 4.4, 0.0),
    "sms": (0, 46, 4, 36, 9, 3.2, 2.0),
    "ad": (0, 66, 23, 0, 8.5, 2.8, 0.0),
}
# The others scroll past; order as in KINDS.
_LUKEWARM = np.array([0, 1.5, 0.8, 0.6, 0.35, 0.15, 2.0])
# Where people write when a campaign made them: answers to mails, else chat in app or shop.
_WRITES_ON = {
    "email": (62, 10, 28, 0, 0),
    "app": (6, 74, 20, 0, 0),
    "web": (12, 10, 78, 0, 0),
    "sms": (6, 26, 18, 50, 0),
    "ad": (14, 30, 56, 0, 0),
}
_HOURS = (6, 3, 2, 1, 1, 3, 10, 24, 34, 40, 44, 46, 52, 48, 40, 38, 40, 46, 56, 68, 74, 62, 38, 16)
_WEEKDAYS = (1.06, 0.98, 0.97, 1.0, 0.92, 0.95, 1.12)  # Monday first


@dataclass(frozen=True)
class DayOfEvents:
    """Parallel arrays over the events of one day, in order of time."""

    day: date
    number: Ints
    second: Ints  # of the day, UTC
    user: Ints
    campaign: Ints
    kind: Ints  # index into KINDS
    channel: Ints  # index into CHANNELS
    phrase: Ints  # number of the message's text, NO_MESSAGE unless kind is MESSAGE

    def __len__(self) -> int:
        return len(self.user)

    @property
    def is_chat(self) -> Switches:
        """Messages written in the app or the shop; those in mails and text messages come with the events."""
        written = self.kind == MESSAGE
        return written & ((self.channel == CHANNELS.index("app")) | (self.channel == CHANNELS.index("web")))

    def where(self, wanted: Switches) -> DayOfEvents:
        """The events for which `wanted` is true."""
        arrays = {name: values[wanted] for name, values in vars(self).items() if name != "day"}
        return DayOfEvents(self.day, **arrays)


def days_of_events(
    world: World,
    people: People,
    *,
    events: int,
    seed: int,
    first_day: date = FIRST_DAY,
    days: int = DAYS,
    start: int = 0,
) -> Iterator[DayOfEvents]:
    """Exactly `events` events spread over `days` days, numbered from `start` on, one day at a time."""
    calendar = [first_day + timedelta(offset) for offset in range(days)]
    growth = 1 + np.arange(days) / (3 * DAYS)
    weights = np.array([_WEEKDAYS[day.weekday()] for day in calendar]) * growth
    number = start
    for day, count in zip(calendar, shares(events, weights), strict=True):
        if count:
            yield _one_day(world, people, day, count=int(count), first_number=number, seed=seed)
        number += int(count)


def _one_day(
    world: World, people: People, day: date, *, count: int, first_number: int, seed: int
) -> DayOfEvents:
    rng = stream(seed, Stream.EVENTS, day.toordinal(), first_number)
    user = _who_acts(rng, people, day, count)
    wanted = draw_categories(rng, world, people, user)
    campaign = pick_in_row(rng, stacked(_reach(world, day)), len(world.campaigns), wanted)
    matched = (wanted == people.main[user]) | (wanted == people.second[user])
    channel = np.array([CHANNELS.index(one.channel) for one in world.campaigns])[campaign]
    writes = rng.random(count) < _MESSAGE_SHARE
    kind = np.where(
        writes, MESSAGE, pick_in_row(rng, _FUNNELS, len(KINDS), channel + len(CHANNELS) * ~matched)
    )
    channel = np.where(writes, pick_in_row(rng, _WRITING, len(CHANNELS), channel), channel)
    category = np.array(world.campaign_category)[campaign]
    return DayOfEvents(
        day=day,
        number=first_number + np.arange(count),
        second=np.sort(_seconds(rng, count)),
        user=user,
        campaign=campaign,
        kind=kind,
        # Who gave no consent gets no mail and no text message, and acts in the shop instead.
        channel=np.where(~people.consent[user] & _BY_PERMISSION[channel], CHANNELS.index("web"), channel),
        phrase=np.where(writes, draw_phrases(rng, category), NO_MESSAGE),
    )


def _who_acts(rng: np.random.Generator, people: People, day: date, count: int) -> Ints:
    """Users by activity; nobody acts before signing up."""
    known = np.where(people.signed_up <= (day - FIRST_DAY).days, people.activity, 0.0)
    bounds = np.cumsum(known)
    return np.searchsorted(bounds, rng.random(count) * bounds[-1], side="right")


def _reach(world: World, day: date) -> Floats:
    """How often each campaign is met by somebody who looks at a category; shape (categories, campaigns)."""
    reach = np.zeros((len(world.categories), len(world.campaigns)))
    for row in range(len(world.categories)):
        running = [
            index
            for index, campaign in enumerate(world.campaigns)
            if world.campaign_category[index] == row and campaign.runs_on(day)
        ]
        reach[row, running] = power_law(len(running), flat=1.5, exponent=0.9)
    return reach


def _seconds(rng: np.random.Generator, count: int) -> Ints:
    hour = pick_in_row(
        rng, stacked(np.array([_HOURS], dtype=np.float64)), 24, np.zeros(count, dtype=np.int64)
    )
    return hour * 3600 + (rng.random(count) * 3600).astype(np.int64)


def _funnels() -> Floats:
    warm = np.array([_FUNNEL[channel] for channel in CHANNELS], dtype=np.float64)
    return stacked(np.vstack([warm, warm * _LUKEWARM]))


_FUNNELS = _funnels()
_WRITING = stacked(np.array([_WRITES_ON[channel] for channel in CHANNELS], dtype=np.float64))
_BY_PERMISSION = np.array([channel in ("email", "sms") for channel in CHANNELS])
