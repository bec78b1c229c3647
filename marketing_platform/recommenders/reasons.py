"""What the hybrid's scores come from, ready to be told: the families, their largest causes, the main one.

For many users and items at once. Evidence comes from the families; the words are `explanations.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from marketing_platform.recommenders.families import CauseKind, Evidence
from marketing_platform.recommenders.families.evidence import NOWHERE

# What a cause is and, for nodes, of what kind.
Kinds = Sequence[tuple[CauseKind, str]]

# Causes that are named of each family.
_NAMED = 3


class Cause(NamedTuple):
    """One thing behind a score: without it the score would be lower by that share, above 0."""

    kind: CauseKind
    # Row of the user, column of the item, or number of the node; None for a taste and for everyone.
    place: int | None
    share: float
    of: str = ""  # the kind of node, as `Training.links` names it


class Source(NamedTuple):
    """The part of one family in a score."""

    family: str
    share: float  # of the score; the shares of an item add up to 1
    causes: list[Cause]  # the largest first


class Reason(NamedTuple):
    """Why one item is where it is for one user."""

    sources: list[Source]  # the largest share first
    main: Cause  # the largest cause, over all families that name it
    family: str  # the one with the largest share that names it
    alike: int  # causes of its kind, itself among them
    others: int  # of them those that are neither itself nor the item
    personal: bool  # whether any cause is about the user


@dataclass(frozen=True)
class _Entries:
    """All causes of all pairs: arrays of one length."""

    pair: np.ndarray
    family: np.ndarray  # number, in order of names
    kind: np.ndarray  # number of the kind and what it is of
    place: np.ndarray
    weight: np.ndarray


def reasons(found: Mapping[str, Sequence[Evidence]], items: np.ndarray) -> list[Reason | None]:
    """Per pair asked about, from the evidence of each family in units of the score; None without any.

    `items` are the items of the pairs.
    """
    families = sorted(found)
    kinds: Kinds = sorted({(one.kind, one.of) for parts in found.values() for one in parts})
    entries = _entries(found, families, kinds)
    told: list[Reason | None] = [None] * len(items)
    if not len(entries.pair):
        return told
    sources = _sources(entries, families, kinds, len(items))
    main = _main_causes(entries, families, kinds, items)
    for pair, cause, family, alike, others, personal in main:
        told[pair] = Reason(sources[pair], cause, family, alike, others, personal)
    return told


def _entries(found: Mapping[str, Sequence[Evidence]], families: Sequence[str], kinds: Kinds) -> _Entries:
    parts = [
        (one, number, kinds.index((one.kind, one.of)))
        for number, family in enumerate(families)
        for one in found[family]
    ]
    sizes = [len(one.pair) for one, _, _ in parts]
    empty = np.zeros(0, np.int64)
    return _Entries(
        pair=np.concatenate([empty, *(one.pair for one, _, _ in parts)]),
        family=np.repeat(np.asarray([number for _, number, _ in parts], np.int64), sizes),
        kind=np.repeat(np.asarray([kind for _, _, kind in parts], np.int64), sizes),
        place=np.concatenate([empty, *(one.place for one, _, _ in parts)]),
        weight=np.concatenate([np.zeros(0), *(one.weight for one, _, _ in parts)]),
    )


def _sources(entries: _Entries, families: Sequence[str], kinds: Kinds, pairs: int) -> list[list[Source]]:
    part = entries.pair * len(families) + entries.family
    weights = np.bincount(part, entries.weight, pairs * len(families))
    totals = weights.reshape(pairs, -1).sum(axis=1)
    order = np.lexsort((entries.place, entries.kind, -entries.weight, part))
    named = order[_ranks(part[order]) < _NAMED]
    shares = entries.weight[named] / totals[entries.pair[named]]
    causes: dict[int, list[Cause]] = {}
    told = _causes(kinds, entries.kind[named], entries.place[named], shares)
    for at, cause in zip(part[named].tolist(), told, strict=True):
        causes.setdefault(at, []).append(cause)
    present = np.flatnonzero(weights > 0)
    pair, family = np.divmod(present, len(families))
    share = weights[present] / totals[pair]
    order = np.lexsort((family, -share, pair))
    found: list[list[Source]] = [[] for _ in range(pairs)]
    for at, one, number, of_all in zip(
        present[order].tolist(),
        pair[order].tolist(),
        family[order].tolist(),
        share[order].tolist(),
        strict=True,
    ):
        found[one].append(Source(families[int(number)], of_all, causes[at]))
    return found


def _main_causes(
    entries: _Entries, families: Sequence[str], kinds: Kinds, items: np.ndarray
) -> list[tuple[int, Cause, str, int, int, bool]]:
    """Per pair that has any: the largest cause, who names it, and how many are like it."""
    places = int(entries.place.max()) + 2
    # The same thing in several families is one cause.
    keys, same = np.unique(
        (entries.pair * len(kinds) + entries.kind) * places + entries.place - NOWHERE, return_inverse=True
    )
    weight = np.bincount(same, entries.weight)
    group, place = np.divmod(keys, places)
    place += NOWHERE
    pair, kind = np.divmod(group, len(kinds))
    order = np.lexsort((np.arange(len(keys)), -weight, pair))
    largest = order[_ranks(pair[order]) == 0]
    pairs = pair[largest]
    total = np.bincount(pair, weight, len(items))
    alike = np.bincount(group, minlength=len(items) * len(kinds))
    of_kind = alike[group[largest]]
    itself = np.zeros(len(items) * len(kinds), bool)
    itself[group[place == items[pair]]] = True
    others = of_kind - 1 - (itself[group[largest]] & (place[largest] != items[pairs]))
    about = np.asarray([one != "everyone" for one, _ in kinds])
    personal = np.bincount(pair, about[kind], len(items)) > 0
    shares = weight[largest] / total[pairs]
    namers = _namers(entries, same, largest, len(families), len(items))
    causes = _causes(kinds, kind[largest], place[largest], shares)
    columns = (pairs, namers[pairs], of_kind, others, personal[pairs])
    return [
        (one, cause, families[int(namer)], count, rest, about_user)
        for cause, one, namer, count, rest, about_user in zip(
            causes, *(column.tolist() for column in columns), strict=True
        )
    ]


def _namers(
    entries: _Entries, same: np.ndarray, largest: np.ndarray, families: int, pairs: int
) -> np.ndarray:
    """Per pair the family of the largest part among those that name its main cause."""
    part = entries.pair * families + entries.family
    weights = np.bincount(part, entries.weight, pairs * families)
    names = np.zeros(int(same.max()) + 1, bool)
    names[largest] = True
    naming = np.flatnonzero(names[same])
    order = naming[np.lexsort((entries.family[naming], -weights[part[naming]], entries.pair[naming]))]
    first = order[_ranks(entries.pair[order]) == 0]
    namers = np.zeros(pairs, np.int64)
    namers[entries.pair[first]] = entries.family[first]
    return namers


def _causes(kinds: Kinds, kind: np.ndarray, place: np.ndarray, share: np.ndarray) -> Iterator[Cause]:
    """A column at a time: there are some ten causes for each item of each user."""
    places = [None if at == NOWHERE else at for at in place.tolist()]
    names, of = ([kinds[one][part] for one in kind.tolist()] for part in (0, 1))
    return map(Cause._make, zip(names, places, share.tolist(), of, strict=True))


def _ranks(ordered: np.ndarray) -> np.ndarray:
    """How many equal numbers stand before each, in an array where equal ones stand together."""
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return np.arange(len(ordered)) - np.repeat(starts, np.diff(np.append(starts, len(ordered))))
