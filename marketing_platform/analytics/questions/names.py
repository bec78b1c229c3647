"""Which words mean what: KPIs and what people call them, dimensions, the values that the data has, and the
words of `words.yaml`. Slips of the pen are put right only where one word alone is near; rather refused than
guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import yaml

from marketing_platform.analytics.kpis import Kpi, Registry
from marketing_platform.analytics.questions.countries import country_code, country_names
from marketing_platform.analytics.questions.facts import Facts
from marketing_platform.analytics.questions.text import key_of, phrase_key, tokens

_WORDS = Path(__file__).parent / "words.yaml"
_LISTS = ("guarded", "before_us", "not_typos")  # of words.yaml: words that mean nothing by themselves
_CODE_LETTERS = 2
_SHORTEST = 4  # letters of a word that may be a slip of the pen
_ANY_SLIP, _TWO_SLIPS = 7, 10  # from so many letters on a wrong letter counts as one, and two are forgiven

Sort = Literal["kpi", "dimension", "value", "absent", "word"]


@dataclass(frozen=True)
class Meaning:
    """What a phrase can mean."""

    sort: Sort
    name: str  # a KPI, a dimension (of a value, too), a group of words.yaml
    values: tuple[str, ...] = ()  # as the data writes them


@cache
def word_groups() -> Mapping[str, Any]:
    """`words.yaml`."""
    return yaml.safe_load(_WORDS.read_text(encoding="utf-8"))


class Names:
    """All phrases that mean something over one registry and one release."""

    def __init__(self, registry: Registry, facts: Facts) -> None:
        self._registry = registry
        self._phrases: dict[str, list[Meaning]] = defaultdict(list)
        self._spelling: dict[str, bool] = {}  # words that may be meant, and whether it is a name in the data
        self._facts = facts
        self._add_words()
        self._add_kpis(registry.kpis.values())
        for dimension, values in facts.values.items():
            self._add_values(dimension, values)
        self._add_countries(facts.values.get("country", ()))

    def meanings(self, key: str) -> Sequence[Meaning]:
        """What a phrase can mean, by its letters and digits."""
        return self._phrases.get(key, ())

    def knows_word(self, key: str) -> bool:
        """Whether the word is part of some phrase."""
        return key in self._spelling

    def nearest(self, key: str) -> list[str]:
        """The words that a misspelt one can be; one is certain enough, none and several are not."""
        if len(key) < _SHORTEST or not key.isalpha() or key in self._never_slips:
            return []
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        most = 2 if len(key) >= _TWO_SLIPS else 1
        near = process.extract(key, self._words, scorer=OSA.distance, score_cutoff=most, limit=20)
        fitting = [(distance, word) for word, distance, _ in near if self._is_slip(key, word, int(distance))]
        least = min((distance for distance, _ in fitting), default=0)
        return sorted(word for distance, word in fitting if distance == least)

    @cached_property
    def _words(self) -> list[str]:
        return [word for word in self._spelling if len(word) >= _SHORTEST and word.isalpha()]

    @cached_property
    def _never_slips(self) -> frozenset[str]:
        return frozenset(key_of(word) for word in word_groups()["not_typos"])

    def _is_slip(self, written: str, meant: str, distance: int) -> bool:
        if written[0] != meant[0]:
            return False
        swapped = sorted(written) == sorted(meant)
        if min(len(written), len(meant)) <= _SHORTEST:
            return swapped
        if self._spelling[meant] and len(written) == len(meant) and written[:-1] == meant[:-1]:
            return False  # AcctA, AcctB: names differ in their last letter on purpose
        wrong_letter = distance == 1 and len(written) == len(meant) and not swapped
        return not wrong_letter or len(written) >= _ANY_SLIP

    def _add_words(self) -> None:
        for group, phrases in word_groups().items():
            if group == "dimension":
                self._add_dimensions(phrases)
            elif group == "dates":
                self._spelling.update({key_of(word): False for word in phrases})
            elif group not in _LISTS:
                for phrase in phrases:
                    self._add(phrase, Meaning("word", group))

    def _add_dimensions(self, phrases: Mapping[str, Iterable[str]]) -> None:
        for dimension in self._registry.dimensions:
            for phrase in {dimension, *phrases.get(dimension, ())}:
                self._add(phrase, Meaning("dimension", dimension))

    def _add_kpis(self, kpis: Iterable[Kpi]) -> None:
        for kpi in kpis:
            for phrase in dict.fromkeys(_forms((kpi.kpi, kpi.name, *kpi.also))):
                if not any(one.sort == "kpi" for one in self.meanings(_key(phrase))):
                    self._add(phrase, Meaning("kpi", kpi.kpi))

    def _add_values(self, dimension: str, values: Iterable[str]) -> None:
        alike: dict[str, list[str]] = defaultdict(list)
        for value in values:
            alike[value.casefold()].append(value)
        also = self._registry.workspace.also.get(dimension, {})
        for written, same in alike.items():
            meaning = Meaning("value", dimension, tuple(same))
            names = {one for name, others in also.items() if name.casefold() == written for one in others}
            for phrase in (same[0], *names):
                self._add(phrase, meaning, is_value=True)

    def _add_countries(self, values: Iterable[str]) -> None:
        present: dict[str, list[str]] = defaultdict(list)
        for value in values:
            code = country_code(value)
            if code is not None:
                present[code].append(value)
        for code, names in country_names().items():
            found = present.get(code)
            meaning = (
                Meaning("value", "country", tuple(found)) if found else Meaning("absent", "country", (code,))
            )
            for phrase in {code, *names}:
                key = _key(phrase)
                own = [one for one in self.meanings(key) if one.name == "country" and one.sort == "value"]
                if found and own and own != [meaning]:
                    self._phrases[key] = [one for one in self.meanings(key) if one not in own]
                self._add(phrase, meaning, is_value=True)

    def _add(self, phrase: str, meaning: Meaning, *, is_value: bool = False) -> None:
        key = _key(phrase)
        if not key:
            return
        if meaning not in self._phrases[key]:
            self._phrases[key].append(meaning)
        if meaning.sort == "absent" and len(key) <= _CODE_LETTERS:
            return
        for token in tokens(phrase):
            self._spelling[token.key] = self._spelling.get(token.key, is_value) and is_value


def _key(phrase: str) -> str:
    return phrase_key(tokens(phrase))


def _forms(phrases: Iterable[str]) -> Iterator[str]:
    """Each as it is, then in the singular and plural: what is declared goes before what is made of it."""
    declared = list(phrases)
    yield from declared
    for phrase in declared:
        if len(phrase) > _SHORTEST - 2:
            yield phrase[:-1] if phrase.endswith("s") and not phrase.endswith("ss") else f"{phrase}s"
