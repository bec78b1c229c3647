"""What the hybrid's scores come from, ready to be told: the families, their largest causes, the main one.

For many users and items at once, as arrays: there are some ten causes for each item of each user.
Evidence comes from the families; the words are `explanations.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from marketing_platform.recommenders.families import CauseKind, Evidence
from marketing_platform.recommenders.families.evidence import NOWHERE
from marketing_platform.recommenders.ranking import rank_within, run_starts

# What a cause is and, for nodes, of what kind.
Kinds = Sequence[tuple[CauseKind, str]]

# Causes that are named of each family.
_NAMED = 3


@dataclass(frozen=True)
class Sources:
    """The parts of families in scores: arrays of one length, by pair and share, the largest first."""

    pair: np.ndarray  # place of the user and item that were asked about
    family: np.ndarray  # number in `Reasons.families`
    share: np.ndarray  # of the score; the shares of a pair add up to 1
    named: np.ndarray  # how many causes are named


@dataclass(frozen=True)
class Causes:
    """What is named of each source, the largest first: arrays of one length, in order of the sources."""

    kind: np.ndarray  # number in `Reasons.kinds`
    # Row of the user, column of the item, number of the node; NOWHERE for a taste and for everyone.
    place: np.ndarray
    share: np.ndarray  # of the score of the pair: without the cause it would be lower by that, above 0


@dataclass(frozen=True)
class Mains:
    """The largest cause of each pair over all families that name it: arrays of one length, by pair."""

    pair: np.ndarray  # those that anything speaks for
    item: np.ndarray
    kind: np.ndarray
    place: np.ndarray
    share: np.ndarray
    family: np.ndarray  # the one with the largest share that names it
    alike: np.ndarray  # causes of its kind, itself among them
    others: np.ndarray  # of them those that are neither itself nor the item
    personal: np.ndarray  # bool: whether any cause is about the user


@dataclass(frozen=True)
class Reasons:
    """Why items have scores for the users beside them; without evidence there is nothing of a pair."""

    families: Sequence[str]
    kinds: Kinds
    sources: Sources
    causes: Causes
    main: Mains


@dataclass(frozen=True)
class _Entries:
    """All causes of all pairs: arrays of one length."""

    pair: np.ndarray
    family: np.ndarray  # number, in order of names
    kind: np.ndarray  # number of the kind and what it is of
    place: np.ndarray
    weight: np.ndarray


def reasons(found: Mapping[str, Sequence[Evidence]], items: np.ndarray) -> Reasons:
    """From the evidence of each family in units of the score; `items` are those of the pairs."""
    families = sorted(found)
    kinds: Kinds = sorted({(one.kind, one.of) for parts in found.values() for one in parts})
    entries = _entries(found, families, kinds)
    sources, causes = _sources(entries, len(families), len(items))
    return Reasons(families, kinds, sources, causes, _main_causes(entries, len(families), kinds, items))


def _entries(found: Mapping[str, Sequence[Evidence]], families: Sequence[str], kinds: Kinds) -> _Entries:
    # In order of kind, as each family gives them in order of place: of equal causes the first are named.
    parts = sorted(
        (
            (one, number, kinds.index((one.kind, one.of)))
            for number, family in enumerate(families)
            for one in found[family]
        ),
        key=lambda part: part[1:],
    )
    sizes = [len(one.pair) for one, _, _ in parts]
    empty = np.zeros(0, np.int64)
    return _Entries(
        pair=np.concatenate([empty, *(one.pair for one, _, _ in parts)]),
        family=np.repeat(np.asarray([number for _, number, _ in parts], np.int64), sizes),
        kind=np.repeat(np.asarray([kind for _, _, kind in parts], np.int64), sizes),
        place=np.concatenate([empty, *(one.place for one, _, _ in parts)]),
        weight=np.concatenate([np.zeros(0), *(one.weight for one, _, _ in parts)]),
    )


def _sources(entries: _Entries, families: int, pairs: int) -> tuple[Sources, Causes]:
    part = entries.pair * families + entries.family
    weights = np.bincount(part, entries.weight, pairs * families)
    totals = weights.reshape(pairs, families).sum(axis=1)
    present = np.flatnonzero(weights > 0)
    pair, family = np.divmod(present, max(families, 1))
    share = weights[present] / totals[pair]
    order = np.lexsort((family, -share, pair))
    place_of = np.empty(pairs * families, np.int64)
    place_of[present[order]] = np.arange(len(order))
    source = place_of[part]
    largest = np.lexsort((-entries.weight, source))
    named = largest[rank_within(source[largest]) < _NAMED]
    counts = np.bincount(source[named], minlength=len(order))
    shares = entries.weight[named] / totals[entries.pair[named]]
    return (
        Sources(pair[order], family[order], share[order], counts),
        Causes(entries.kind[named], entries.place[named], shares),
    )


def _main_causes(entries: _Entries, families: int, kinds: Kinds, items: np.ndarray) -> Mains:
    """Per pair that has any: the largest cause, who names it, and how many are like it."""
    places = int(entries.place.max(initial=NOWHERE)) + 2
    # The same thing in several families is one cause.
    keys, same = np.unique(
        (entries.pair * len(kinds) + entries.kind) * places + entries.place - NOWHERE, return_inverse=True
    )
    weight = np.bincount(same, entries.weight, len(keys))
    group, place = np.divmod(keys, places)
    place += NOWHERE
    pair, kind = np.divmod(group, max(len(kinds), 1))
    largest = _first_largest(pair, weight)
    pairs = pair[largest]
    total = np.bincount(pair, weight, len(items))
    alike = np.bincount(group, minlength=len(items) * len(kinds))
    of_kind = alike[group[largest]]
    itself = np.zeros(len(items) * len(kinds), bool)
    itself[group[place == items[pair]]] = True
    about = np.asarray([one != "everyone" for one, _ in kinds], bool)
    return Mains(
        pair=pairs,
        item=items[pairs],
        kind=kind[largest],
        place=place[largest],
        share=weight[largest] / total[pairs],
        family=_namers(entries, same, largest, families, len(items))[pairs],
        alike=of_kind,
        others=of_kind - 1 - (itself[group[largest]] & (place[largest] != items[pairs])),
        personal=np.bincount(pair, about[kind], len(items))[pairs] > 0,
    )


def _first_largest(groups: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The place of the first of the largest values of each group, where equal ones stand together."""
    starts = run_starts(groups)
    sizes = np.diff(starts, append=len(groups))
    is_largest = np.flatnonzero(values == np.repeat(np.maximum.reduceat(values, starts), sizes))
    return is_largest[run_starts(groups[is_largest])]


def _namers(
    entries: _Entries, same: np.ndarray, largest: np.ndarray, families: int, pairs: int
) -> np.ndarray:
    """Per pair the family of the largest part among those that name its main cause."""
    part = entries.pair * families + entries.family
    weights = np.bincount(part, entries.weight, pairs * families)
    names = np.zeros(int(same.max(initial=-1)) + 1, bool)
    names[largest] = True
    naming = np.flatnonzero(names[same])
    order = naming[np.lexsort((entries.family[naming], -weights[part[naming]], entries.pair[naming]))]
    first = order[rank_within(entries.pair[order]) == 0]
    namers = np.zeros(pairs, np.int64)
    namers[entries.pair[first]] = entries.family[first]
    return namers
