"""Declared rules applied to what a recommender offers, for all users at once.

The order of evaluation is fixed, whatever order the rules are written in:

1. `holdout`: its users get the popular list instead of their candidates.
2. `exclude`, `frequency_cap` and (of what the recommender itself scored) `minimum_score` remove.
3. `boost` multiplies scores; several on one item multiply.
4. The list is filled from the first place on: a `pin` at its place, else the best candidate by tier,
   then by relevance and difference from what stands already (`diversity`), that no `at_most` bars.

Users of the holdout only meet stages 1 and 2 without `minimum_score`: an exclusion is a promise,
everything else would make their list a different one from the popular.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from marketing_platform.errors import InputError
from marketing_platform.recommenders.diversity import ItemSpace
from marketing_platform.recommenders.rules.filters import codes_of, meant, values_of
from marketing_platform.recommenders.rules.holdout import held_out
from marketing_platform.recommenders.rules.lists import Candidates, Facts, Ruled
from marketing_platform.recommenders.rules.removal import left_to_answers, removals
from marketing_platform.recommenders.rules.selection import Block, Cap, Filled, Placed, Wishes, fill
from marketing_platform.recommenders.rules.spec import (
    AtMost,
    Boost,
    Diversity,
    Exclude,
    FrequencyCap,
    Holdout,
    MinimumScore,
    Pin,
    Rule,
    in_order,
)

# Arrays over the candidates of a block of users, all together, in bytes.
_BLOCK_BYTES = 32 << 20
_BYTES_PER_CANDIDATE = 80
_POPULAR_PER_PLACE = 10
_KEEP_OUT = (Exclude, FrequencyCap, MinimumScore, AtMost)


def apply(rules: Sequence[Rule], candidates: Candidates, facts: Facts, *, limit: int) -> Ruled:
    """The best `limit` items of each user after all rules, with what each rule did.

    The same arguments give the same lists, and so do the same rules in another order. A pin stands
    at its position unless something excludes the item for that user; in a list that is too short it
    is the last.

    Raises:
        InputError: A rule asks for something that `facts` does not know, or a score is no number
            of 0 or more.
    """
    _require_scores(candidates)
    return _Application(rules, candidates, facts, limit).run()


class _Application:
    """Everything that is the same for all blocks of users."""

    def __init__(self, rules: Sequence[Rule], candidates: Candidates, facts: Facts, limit: int) -> None:
        self._candidates = candidates
        self._labels = tuple(rule.label for rule in rules)
        self._bits = {label: np.uint64(1 << number) for number, label in enumerate(self._labels)}
        self._notes: list[str] = []
        self._removed = Counter({rule.label: 0 for rule in rules if isinstance(rule, _KEEP_OUT)})
        # Not as they are written: floats multiplied in another order are not always the same.
        ordered = in_order(rules)
        self._removals = removals(ordered, candidates, facts)
        for rule in ordered:
            if isinstance(rule, Exclude) and left_to_answers(rule, facts):
                self._notes.append(f"{rule.label}: looked at only when an answer leaves")
        self._minimum = next((rule for rule in ordered if isinstance(rule, MinimumScore)), None)
        self._holdout = next((rule for rule in ordered if isinstance(rule, Holdout)), None)
        self._factors, self._boosted = self._boosts(ordered, facts)
        self._caps = [rule for rule in ordered if isinstance(rule, AtMost)]
        self._wishes = self._wishes_of(ordered, facts, limit)

    def run(self) -> Ruled:
        users = len(self._candidates.users)
        held = held_out(self._holdout, self._candidates.users) if self._holdout else np.zeros(users, bool)
        limit = self._wishes.limit
        ruled = Ruled(
            items=np.full((users, limit), -1, np.int64),
            scores=np.zeros((users, limit), np.float32),
            tiers=np.zeros((users, limit), np.int8),
            applied=np.zeros((users, limit), np.uint64),
            holdout=held,
            labels=self._labels,
            removed=self._removed,
            notes=tuple(self._notes),
        )
        for rows in self._blocks(np.flatnonzero(~held), self._candidates.places.shape[1]):
            _write(ruled, rows, self._personal(rows))
        # Few users have excluded so much that they need the whole popular list.
        short, width = np.flatnonzero(held), _POPULAR_PER_PLACE * limit
        for popular in (self._candidates.popular[:width], self._candidates.popular):
            for rows in self._blocks(short, len(popular)):
                _write(ruled, rows, self._popular(rows, popular))
            short = np.flatnonzero(held & (ruled.items < 0).any(axis=1))
        return replace(ruled, removed=dict(self._removed))

    def _blocks(self, rows: np.ndarray, width: int) -> Iterator[np.ndarray]:
        space = self._wishes.space
        each = _BYTES_PER_CANDIDATE + (space.bytes_per_candidate if space else 0)
        size = max(1, _BLOCK_BYTES // (each * max(1, width + len(self._wishes.pins))))
        for start in range(0, len(rows), size):
            yield rows[start : start + size]

    def _personal(self, rows: np.ndarray) -> Filled:
        places, scores, tiers = (
            self._candidates.places[rows],
            self._candidates.scores[rows].astype(np.float32),
            self._candidates.tiers[rows].astype(np.int8),
        )
        offered = places >= 0
        out = self._kept_out(rows, places, offered)
        if self._minimum is not None:
            poor = offered & (tiers == 0) & (scores < self._minimum.score)
            self._removed[self._minimum.label] += int(poor.sum())
            out |= poor
        scores *= self._factors[places]
        wishes = self._wishes
        pinned = np.ones((len(rows), len(wishes.pins)), bool)
        if wishes.pins:
            pins = np.broadcast_to(np.array([pin.item for pin in wishes.pins]), pinned.shape)
            pinned = ~self._excluded(rows, pins)
        block = _ranked(Block(places, scores, tiers, self._boosted[places], offered & ~out, pinned))
        filled = fill(block, wishes)
        for rule, capped in zip(self._caps, filled.capped, strict=False):
            self._removed[rule.label] += int(capped)
        return filled

    def _popular(self, rows: np.ndarray, popular: np.ndarray) -> Filled:
        assert self._holdout is not None  # noqa: S101 -- else nobody is held out
        places = np.broadcast_to(popular, (len(rows), len(popular)))
        stays = ~self._excluded(rows, places)
        order = np.argsort(~stays, axis=1, kind="stable")
        zeros = np.zeros(places.shape, np.float32)
        block = Block(
            places=np.take_along_axis(places, order, axis=1),
            scores=zeros,
            tiers=zeros.astype(np.int8),
            bits=np.full(places.shape, self._bits[self._holdout.label]),
            open=np.take_along_axis(stays, order, axis=1),
            pinned=np.zeros((len(rows), 0), bool),
        )
        return fill(block, replace(self._wishes, pins=(), caps=(), diversity=None))

    def _kept_out(self, rows: np.ndarray, places: np.ndarray, offered: np.ndarray) -> np.ndarray:
        out = np.zeros(places.shape, bool)
        for removal in self._removals:
            mine = removal.keeps_out(rows, places) & offered
            self._removed[removal.label] += int(mine.sum())
            out |= mine
        return out

    def _excluded(self, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The same without counting, for what is no candidate."""
        out = np.zeros(places.shape, bool)
        for removal in self._removals:
            out |= removal.keeps_out(rows, places)
        return out

    def _boosts(self, rules: Sequence[Rule], facts: Facts) -> tuple[np.ndarray, np.ndarray]:
        """The factor of each item, and the bits of the rules that it comes from."""
        factors = np.ones(len(self._candidates.items))
        bits = np.zeros(len(self._candidates.items), np.uint64)
        for rule in rules:
            if isinstance(rule, Boost):
                items = meant(rule.where, facts.attributes, rule.label)
                factors[items] *= rule.factor
                bits[items] |= self._bits[rule.label]
                if not items.any():
                    self._notes.append(f"{rule.label}: it means no item there is")
        return factors.astype(np.float32), bits

    def _wishes_of(self, rules: Sequence[Rule], facts: Facts, limit: int) -> Wishes:
        diversity = next((rule for rule in rules if isinstance(rule, Diversity)), None)
        caps: list[Cap] = []
        for rule in self._caps:
            codes = codes_of(values_of(facts.attributes, rule.per, rule.label))
            caps.append(Cap(rule.items, codes, self._bits[rule.label]))
        space = None
        if diversity is not None:
            space = facts.space or ItemSpace.by_category(
                codes_of(values_of(facts.attributes, "category", diversity.label))
            )
        return Wishes(
            limit=limit,
            pins=list(self._pins(rules, facts, limit)),
            caps=caps,
            diversity=diversity.weight if diversity else None,
            diversity_bit=self._bits[diversity.label] if diversity else np.uint64(0),
            space=space,
        )

    def _pins(self, rules: Sequence[Rule], facts: Facts, limit: int) -> Iterator[Placed]:
        items = self._candidates.items
        for rule in rules:
            if not isinstance(rule, Pin):
                continue
            place = int(np.searchsorted(items, rule.item))
            if place == len(items) or items[place] != rule.item:
                self._notes.append(f"{rule.label}: there is no item {rule.item!r}")
            elif rule.until is not None and rule.until < facts.today:
                self._notes.append(f"{rule.label}: it ended on {rule.until}")
            elif rule.position > limit:
                self._notes.append(f"{rule.label}: lists have only {limit} places")
            else:
                yield Placed(place, rule.position, self._bits[rule.label])


def _ranked(block: Block) -> Block:
    """The same candidates by tier, score and number of the item, those not to be chosen last."""
    order = np.argsort(block.places, axis=1, kind="stable")
    for key in (-block.scores, block.tiers, ~block.open):
        along = np.take_along_axis(key, order, axis=1)
        order = np.take_along_axis(order, np.argsort(along, axis=1, kind="stable"), axis=1)

    def sorted_(values: np.ndarray) -> np.ndarray:
        return np.take_along_axis(values, order, axis=1)

    return Block(
        sorted_(block.places),
        sorted_(block.scores),
        sorted_(block.tiers),
        sorted_(block.bits),
        sorted_(block.open),
        block.pinned,
    )


def _write(ruled: Ruled, rows: np.ndarray, filled: Filled) -> None:
    ruled.items[rows] = filled.places
    ruled.scores[rows] = filled.scores
    ruled.tiers[rows] = filled.tiers
    ruled.applied[rows] = filled.bits


def _require_scores(candidates: Candidates) -> None:
    offered = candidates.scores[candidates.places >= 0]
    if not (np.isfinite(offered) & (offered >= 0)).all():
        raise InputError("scores of candidates must be finite numbers of 0 or more: rules multiply them")
