"""Fills lists from the first place on: pins at their places, else the best that no cap bars.

One place of all users of a block at a time. What may be chosen at all was decided in `removal.py`,
the order of the stages is in `applying.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marketing_platform.recommenders.diversity import ItemSpace, Nearest, marginal_relevance

# Tiers are further apart than any relevance less any similarity, which are between -1 and 1.
_TIER = 4.0
_NEVER = -np.inf
# A pin whose place has not come is chosen only when nothing else is left, the foremost first.
_NOT_YET = -1e6


@dataclass(frozen=True)
class Cap:
    """At most so many items of a list have the same code; -1 is no code."""

    items: int
    codes: np.ndarray  # per item
    bit: np.uint64


@dataclass(frozen=True)
class Placed:
    """An item that belongs at a place of every list."""

    item: int
    position: int  # from 1
    bit: np.uint64


@dataclass(frozen=True)
class Wishes:
    """How lists are to be filled."""

    limit: int
    pins: Sequence[Placed]
    caps: Sequence[Cap]
    diversity: float | None
    diversity_bit: np.uint64
    space: ItemSpace | None  # given with `diversity`

    @property
    def none(self) -> bool:
        return not self.pins and not self.caps and self.diversity is None


@dataclass(frozen=True)
class Block:
    """Candidates of some users in order of rank, those of no use last: users x candidates."""

    places: np.ndarray  # numbers of items
    scores: np.ndarray
    tiers: np.ndarray
    bits: np.ndarray  # uint64: rules that had a part so far
    open: np.ndarray  # bool: may be chosen
    pinned: np.ndarray  # bool, users x pins: the pin is not excluded


@dataclass(frozen=True)
class Filled:
    """Lists of a block: users x limit, -1 where there is no item."""

    places: np.ndarray
    scores: np.ndarray
    tiers: np.ndarray
    bits: np.ndarray
    capped: np.ndarray  # per cap: candidates of the first `limit` that it kept out


def fill(block: Block, wishes: Wishes) -> Filled:
    """The lists of all users of the block."""
    if wishes.none or not block.places.shape[1] + len(wishes.pins):
        return _cut(block, wishes.limit)
    return _Filling(block, wishes).run()


def _cut(block: Block, limit: int) -> Filled:
    def first(values: np.ndarray, fill: int) -> np.ndarray:
        kept = np.where(block.open, values, np.asarray(fill, values.dtype))[:, :limit]
        missing = limit - kept.shape[1]
        return np.pad(kept, ((0, 0), (0, missing)), constant_values=fill) if missing else kept

    return Filled(
        first(block.places, -1),
        first(block.scores, 0),
        first(block.tiers, 0),
        first(block.bits, 0),
        np.zeros(0, np.int64),  # no caps, or nothing to cap
    )


class _Filling:
    """The state of one block: each pin is one more candidate, in a column of its own at the end."""

    def __init__(self, block: Block, wishes: Wishes) -> None:
        self._wishes = wishes
        self._width = block.places.shape[1]
        self._rows = np.arange(len(block.places))
        pins = len(wishes.pins)
        wider = ((0, 0), (0, pins))
        self._places = np.pad(block.places, wider)
        self._scores = np.pad(block.scores, wider)
        self._tiers = np.pad(block.tiers, wider)
        self._bits = np.pad(block.bits, wider)
        self._open = np.concatenate([block.open, block.pinned], axis=1)
        self._among_first = block.open & (np.arange(self._width) < wishes.limit)
        for number, pin in enumerate(wishes.pins):
            self._take_over(number, pin)
        self._codes = [cap.codes[self._places] for cap in wishes.caps]
        self._room = [np.full(self._places.shape, cap.items, np.int32) for cap in wishes.caps]
        for number in range(pins):
            self._count(np.flatnonzero(block.pinned[:, number]), self._width + number)
        self._relevance = self._relevances()
        self._nearest = (
            Nearest(wishes.space, self._places)
            if wishes.diversity is not None and wishes.space is not None
            else None
        )

    def _take_over(self, number: int, pin: Placed) -> None:
        """The pin's column takes what is known of the item, and the item is no candidate any more."""
        column = self._width + number
        self._places[:, column] = pin.item
        row, place = np.nonzero((self._places[:, : self._width] == pin.item) & self._open[:, : self._width])
        mine = self._open[row, column]
        row, place = row[mine], place[mine]
        for values in (self._scores, self._tiers, self._bits):
            values[row, column] = values[row, place]
        self._open[row, place] = False
        self._among_first[row, place] = False
        self._bits[:, column] |= pin.bit

    def _relevances(self) -> np.ndarray:
        """0 to 1 within a tier, or the order alone when nothing but the order counts."""
        if self._wishes.diversity is None:
            order = -np.arange(self._places.shape[1], dtype=np.float64)
            return np.broadcast_to(order, self._places.shape)
        offered = self._open[:, : self._width]
        scores = np.where(offered, self._scores[:, : self._width], 0).astype(np.float64)
        tiers = self._tiers[:, : self._width]
        found = np.zeros(self._places.shape)
        for tier in np.unique(tiers):
            within = np.where(tiers == tier, scores, 0)
            most = within.max(axis=1, initial=0)[:, None]
            found[:, : self._width] += np.divide(within, most, out=np.zeros_like(within), where=most > 0)
        return found

    def run(self) -> Filled:
        shape = (len(self._rows), self._wishes.limit)
        filled = Filled(
            np.full(shape, -1, self._places.dtype),
            np.zeros(shape, self._scores.dtype),
            np.zeros(shape, self._tiers.dtype),
            np.zeros(shape, np.uint64),
            np.zeros(len(self._wishes.caps), np.int64),
        )
        for place in range(self._wishes.limit):
            if not self._choose(place, filled):
                break
        left = self._open[:, : self._width] & self._among_first
        for number, room in enumerate(self._room):
            filled.capped[number] = (left & (room[:, : self._width] <= 0)).sum()
        return filled

    def _choose(self, place: int, filled: Filled) -> bool:
        """Fills one place of every list that has something left; whether any has."""
        uncapped = np.where(self._open, self._values(), _NEVER)
        self._place_pins(uncapped, place)
        value = uncapped
        if self._room:
            barred = np.logical_or.reduce([room <= 0 for room in self._room])
            barred[:, self._width :] = False
            value = np.where(barred, _NEVER, uncapped)
        choice = value.argmax(axis=1)
        rows = np.flatnonzero(value[self._rows, choice] > _NEVER)
        if not len(rows):
            return False
        chosen = choice[rows]
        self._bits[rows, chosen] |= self._why(rows, chosen, value, uncapped)
        filled.places[rows, place] = self._places[rows, chosen]
        filled.scores[rows, place] = self._scores[rows, chosen]
        filled.tiers[rows, place] = self._tiers[rows, chosen]
        filled.bits[rows, place] = self._bits[rows, chosen]
        self._open[rows, chosen] = False
        self._count(rows, choice, only_below=self._width)
        if self._nearest is not None:
            # Rows without a choice add an item nobody asks about any more.
            self._nearest.add(self._places[self._rows, choice])
        return True

    def _values(self) -> np.ndarray:
        if self._nearest is None or self._wishes.diversity is None:
            return self._relevance
        value = marginal_relevance(self._relevance, self._nearest.values, self._wishes.diversity)
        return value - _TIER * self._tiers

    def _place_pins(self, value: np.ndarray, place: int) -> None:
        for number, pin in enumerate(self._wishes.pins):
            column = self._width + number
            due = np.inf if pin.position <= place + 1 else _NOT_YET - pin.position
            value[:, column] = np.where(self._open[:, column], due, _NEVER)

    def _why(
        self, rows: np.ndarray, chosen: np.ndarray, value: np.ndarray, uncapped: np.ndarray
    ) -> np.ndarray:
        """Bits of the caps and of the diversity that brought the chosen ones forward."""
        bits = np.zeros(len(rows), np.uint64)
        offered = chosen < self._width
        if self._room:
            rival = uncapped[rows].argmax(axis=1)
            for cap, room in zip(self._wishes.caps, self._room, strict=True):
                brought = offered & (rival != chosen) & (room[rows, rival] <= 0)
                bits[brought] |= cap.bit
        if self._nearest is not None and self._width:
            first = (value[rows, : self._width] > _NEVER).argmax(axis=1)
            bits[offered & (first != chosen)] |= self._wishes.diversity_bit
        return bits

    def _count(self, rows: np.ndarray, columns: np.ndarray | int, only_below: int | None = None) -> None:
        """Takes room from candidates that share a code with the one chosen; pins were counted before."""
        if not self._room or not len(rows):
            return
        columns = np.broadcast_to(columns, len(self._rows))[rows]
        if only_below is not None:
            rows, columns = rows[columns < only_below], columns[columns < only_below]
        for codes, room in zip(self._codes, self._room, strict=True):
            code = codes[rows, columns][:, None]
            room[rows] -= (codes[rows] == code) & (code >= 0)
