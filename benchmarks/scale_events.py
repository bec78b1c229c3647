"""What happens on one day of a benchmark, as arrays: sends and their bursts, funnels, messages.

An impression may lead to an open, a click, a look at products and a purchase, each some time after the one
before; where a campaign was sent out that day, impressions come in a burst behind the send. Messages come on
their own: short answers that everybody writes, phrases that repeat less and less, and some texts that occur
once. Files are made of this in `scale_data.py`.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from marketing_platform.sample.activity import CHANNELS, CONVERT, KINDS, MESSAGE, DayOfEvents
from marketing_platform.sample.chance import Floats, Ints, Switches, pick, pick_in_row, power_law, stacked
from marketing_platform.sample.messages import NO_MESSAGE, MessageTexts, draw_phrases
from marketing_platform.sample.people import People, draw_categories
from marketing_platform.sample.texts import Texts, chosen, compute, joined
from marketing_platform.sample.texts import numbers as whole_numbers
from marketing_platform.sample.world import FIRST_DAY, World

MESSAGE_SHARE = 0.2
_HOURS = (6, 3, 2, 1, 1, 3, 10, 24, 34, 40, 44, 46, 52, 48, 40, 38, 40, 46, 56, 68, 74, 62, 38, 16)
_WEEKDAYS = (1.06, 0.98, 0.97, 1.0, 0.92, 0.95, 1.12)  # Monday first

_IMPRESSION, _VIEW, _OPEN, _CLICK = (KINDS.index(kind) for kind in ("impression", "view", "open", "click"))
_UNSUBSCRIBE = KINDS.index("unsubscribe")
# Of impressions: opened; of those (or of impressions, where nothing is opened): clicked; by CHANNELS.
_OPENED = np.array([0.34, 0.4, 0.0, 0.8, 0.0])
_CLICKED = np.array([0.14, 0.2, 0.06, 0.12, 0.03])
_LOOKED, _CONVERTED, _LEFT = 0.7, 0.09, 0.004  # of clicks, of clicks, of opens
# Mean seconds between a step of the funnel and the one before it.
_TO_OPEN, _TO_CLICK, _TO_VIEW, _TO_CONVERT, _TO_LEAVE = 900.0, 25.0, 40.0, 700.0, 60.0
_SENT = ("email", "app", "sms")
_SEND_EVERY = 3  # days
_SEND_HOURS = (7, 20)
_IN_BURST, _BURST_SECONDS = 0.8, 2_400.0
_REACH_OF_A_SEND = 5.0  # beside a day without one

# Who was sent something answers it, or writes like everybody in the app or the shop.
_ANSWERS, _WRITES_ON = 0.5, (0, 0.7, 0.3)
_SHORT_SHARE, _UNIQUE_SHARE = 0.25, 0.06
_SHORT = (
    "Yes please", "Thanks!", "OK", "No thanks", "Thank you so much", "When?", "Is it in stock?",
    "Great, thanks", "How much is it?", "STOP", "Still waiting", "Got it", "Any discount?", "Perfect",
    "Not interested", "Hello?", "Where is my order?", "Which sizes?", "Sounds good", "Call me back please",
    "Too expensive", "Maybe later", "Love it", "Wrong size", "It works now, thanks",
)  # fmt: skip
# How a text is numbered: short answers below NO_MESSAGE, then phrases; from `_ONCE` on a phrase and, in
# `_ONCE`s, the order that makes the text one of its own.
_ONCE = 1 << 20


class Days:
    """Draws the events of one day after the other; equal arguments, equal events."""

    def __init__(self, world: World, people: People, seed: int) -> None:
        self._world, self._people, self._seed = world, people, seed
        self._category = np.array(world.campaign_category)
        self._channel = np.array([CHANNELS.index(one.channel) for one in world.campaigns])
        self._sent = np.isin(self._channel, [CHANNELS.index(channel) for channel in _SENT])

    def of(self, day: date, count: int, first_number: int) -> DayOfEvents:
        """Exactly `count` events that begin on `day`, in order of time, numbered from `first_number` on."""
        rng = np.random.default_rng([self._seed, day.toordinal(), first_number])
        send = self._sends(rng, day)
        written = round(count * MESSAGE_SHARE)
        met = self._met(rng, day, send, count - written)
        said = self._said(rng, day, send, written)
        columns = [np.concatenate(pair) for pair in zip(met, said, strict=True)]
        second, user, campaign, kind, channel, phrase = (
            values[np.argsort(columns[0], kind="stable")] for values in columns
        )
        number = first_number + np.arange(count)
        phrase = np.where(phrase >= _ONCE, phrase + _ONCE * number, phrase)
        return DayOfEvents(day, number, second, user, campaign, kind, channel, phrase)

    def _sends(self, rng: np.random.Generator, day: date) -> Ints:
        """The second at which each campaign is sent out today, -1 for those that are not."""
        count = len(self._channel)
        turn = (day.toordinal() + np.arange(count)) % _SEND_EVERY == 0
        at = rng.integers(_SEND_HOURS[0] * 4, _SEND_HOURS[1] * 4, count) * 900
        return np.where(turn & self._sent, at, -1)

    def _met(self, rng: np.random.Generator, day: date, send: Ints, count: int) -> tuple[Ints, ...]:
        """Impressions and what they lead to: `count` begin, and the first `count` events stay."""
        user, campaign = self._who(rng, day, send, count)
        channel = self._channel[campaign]
        burst = (send[campaign] >= 0) & (rng.random(count) < _IN_BURST)
        shown = np.where(burst, send[campaign] + _later(rng, _BURST_SECONDS, count), _by_hour(rng, count))
        opened = rng.random(count) < _OPENED[channel]
        clicked = (opened | (_OPENED[channel] == 0)) & (rng.random(count) < _CLICKED[channel])
        open_at = shown + _later(rng, _TO_OPEN, count)
        click_at = np.where(opened, open_at, shown) + _later(rng, _TO_CLICK, count)
        steps: list[tuple[int, Switches, Ints]] = [
            (_IMPRESSION, np.ones(count, dtype=np.bool_), shown),
            (_OPEN, opened, open_at),
            (_CLICK, clicked, click_at),
            (_VIEW, clicked & (rng.random(count) < _LOOKED), click_at + _later(rng, _TO_VIEW, count)),
            (CONVERT, clicked & (rng.random(count) < _CONVERTED), click_at + _later(rng, _TO_CONVERT, count)),
            (_UNSUBSCRIBE, opened & (rng.random(count) < _LEFT), open_at + _later(rng, _TO_LEAVE, count)),
        ]
        kept = np.argwhere(np.stack([happened for _, happened, _ in steps], axis=1))[:count]
        place, step = kept[:, 0], kept[:, 1]
        kinds = np.array([kind for kind, _, _ in steps])
        second = np.stack([at for _, _, at in steps], axis=1)[place, step]
        return (
            *(second, user[place], campaign[place], kinds[step], channel[place]),
            np.full(count, NO_MESSAGE),
        )

    def _said(self, rng: np.random.Generator, day: date, send: Ints, count: int) -> tuple[Ints, ...]:
        """Messages, written where the campaign is or in the app."""
        user, campaign = self._who(rng, day, send, count)
        category = self._category[campaign]
        own = np.isin(self._channel[campaign], [CHANNELS.index("email"), CHANNELS.index("sms")])
        channel = np.where(
            own & (rng.random(count) < _ANSWERS), self._channel[campaign], pick(rng, _WRITES_ON, count)
        )
        phrase, chance = draw_phrases(rng, category), rng.random(count)
        short = NO_MESSAGE - 1 - pick(rng, power_law(len(_SHORT), flat=1, exponent=1), count)
        phrase = np.where(chance < _SHORT_SHARE, short, phrase)
        phrase = np.where(chance > 1 - _UNIQUE_SHARE, phrase + _ONCE, phrase)
        return _by_hour(rng, count), user, campaign, np.full(count, MESSAGE), channel, phrase

    def _who(self, rng: np.random.Generator, day: date, send: Ints, count: int) -> tuple[Ints, Ints]:
        """Users by activity, nobody before signing up, and what they meet: campaigns by Zipf's law."""
        known = np.where(self._people.signed_up <= (day - FIRST_DAY).days, self._people.activity, 0.0)
        user = pick(rng, known, count)
        wanted = draw_categories(rng, self._world, self._people, user)
        return user, pick_in_row(rng, stacked(self._reach(day, send)), len(self._channel), wanted)

    def _reach(self, day: date, send: Ints) -> Floats:
        """How often who looks at a category meets each campaign; shape (categories, campaigns)."""
        runs = np.array([one.runs_on(day) for one in self._world.campaigns])
        reach = np.zeros((len(self._world.categories), len(self._world.campaigns)))
        for row in range(len(reach)):
            running = np.flatnonzero(runs & (self._category == row))
            reach[row, running] = power_law(len(running), flat=1, exponent=1.0)
        return reach * np.where(send >= 0, _REACH_OF_A_SEND, 1.0)


class SaidTexts(MessageTexts):
    """The text behind each `DayOfEvents.phrase` that `Days` draws."""

    def of(self, numbers: Ints) -> Texts:
        """The texts of `numbers`, in their order; NO_MESSAGE gives an empty one."""
        once = numbers >= _ONCE
        known = super().of(np.where(once, numbers % _ONCE, np.maximum(numbers, NO_MESSAGE)))
        order = joined(known, " My order is T-", whole_numbers(numbers // _ONCE), ".")
        told = compute.if_else(once, order, known)
        return compute.if_else(numbers < NO_MESSAGE, chosen(_SHORT, NO_MESSAGE - 1 - numbers), told)


def calendar(first_day: date, days: int) -> tuple[list[date], Floats]:
    """The days, and how much of all events each of them has."""
    found = [first_day + timedelta(offset) for offset in range(days)]
    growth = 1 + np.arange(days) / (3 * days)
    return found, np.array([_WEEKDAYS[day.weekday()] for day in found]) * growth


def _by_hour(rng: np.random.Generator, count: int) -> Ints:
    return pick(rng, _HOURS, count) * 3600 + (rng.random(count) * 3600).astype(np.int64)


def _later(rng: np.random.Generator, mean: float, count: int) -> Ints:
    """Whole seconds, at least one."""
    return 1 + rng.exponential(mean, count).astype(np.int64)
