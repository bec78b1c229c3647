"""Tokens to items: each stretch of a question gets the one meaning it has here, or says why it has none.

The longest phrase wins. What could be two things is one only where the words around it decide; otherwise
it stays ambiguous, and the question ends there. What items make together is read in `parsing.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from marketing_platform.analytics.questions.date_words import DateWords
from marketing_platform.analytics.questions.dates import count_word, date_words
from marketing_platform.analytics.questions.names import Meaning, Names, word_groups
from marketing_platform.analytics.questions.refusal import NotUnderstood
from marketing_platform.analytics.questions.text import Token, phrase_key

_LONGEST_PHRASE = 10  # tokens
_MOST_UNKNOWN = 12  # more are no slips of the pen
_SHORT_OF_ALL_CAPITALS = 2  # words; one alone does not show that everything is in capitals

Sort = Literal["kpi", "dimension", "value", "absent", "word", "date", "number", "unknown", "refused"]


@dataclass(frozen=True)
class Item:
    """A stretch of a question and what it is."""

    sort: Sort
    name: str  # a KPI, a dimension, a group of words.yaml; why it is refused
    text: str
    values: tuple[str, ...] = ()
    date: DateWords | None = None
    number: int = 0
    candidates: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return self.text.casefold()

    def is_word(self, *groups: str) -> bool:
        """Whether it is a word of one of these groups."""
        return self.sort == "word" and self.name in groups


@dataclass
class Lexed:
    """The items of a question, and the slips of the pen that were put right."""

    items: list[Item]
    corrections: dict[str, str] = field(default_factory=dict)


def lex(tokens: Sequence[Token], names: Names) -> Lexed:
    """The items of a question; misspelt words are read as the only word that is near, if there is one."""
    items = _Lexer(tokens, names).items()
    unknown = {
        token.key for item in items if item.sort == "unknown" for token in tokens if token.text == item.text
    }
    slips = {key for key in unknown if not names.knows_word(key)}
    if not slips or len(slips) > _MOST_UNKNOWN:
        return Lexed(items)
    near = {key: names.nearest(key) for key in slips}
    certain = {key: words[0] for key, words in near.items() if len(words) == 1}
    read = [Token(certain[t.key], certain[t.key], t.kind) if t.key in certain else t for t in tokens]
    corrections = {token.text: certain[token.key] for token in tokens if token.key in certain}
    again = _Lexer(read, names).items() if certain else items
    written = {meant: text for text, meant in corrections.items()}
    doubtful = {key: tuple(words) for key, words in near.items() if len(words) > 1}
    return Lexed(
        [
            Item("unknown", "", written.get(item.text, item.text), candidates=doubtful.get(item.key, ()))
            if item.sort == "unknown"
            else item
            for item in again
        ],
        corrections,
    )


class _Lexer:
    def __init__(self, tokens: Sequence[Token], names: Names) -> None:
        self._tokens, self._names = tokens, names
        self._items: list[Item] = []
        words = [
            token.text
            for token in tokens
            if token.kind == "word" and token.text.upper() != token.text.lower()
        ]
        self._capitals = len(words) > _SHORT_OF_ALL_CAPITALS and all(word.isupper() for word in words)
        compares = {phrase.split()[0] for phrase in word_groups()["compare"]}
        self._ranges = not any(token.key in compares for token in tokens)

    def items(self) -> list[Item]:
        at = 0
        while at < len(self._tokens):
            at = self._next(at)
        return self._items

    def _next(self, at: int) -> int:
        token = self._tokens[at]
        dated, date_end, refusal = self._date(at)
        meanings, end = self._phrase(at)
        if meanings and end > date_end:
            self._items.append(self._chosen(meanings, at, end))
            return end
        if dated is not None:
            if meanings and end == date_end and any(one.sort == "value" for one in meanings):
                self._items.append(self._either(meanings, at, end))
            else:
                self._items.append(Item("date", "", self._said(at, date_end), date=dated))
            return date_end
        if refusal is not None:
            self._items.append(
                Item("refused", refusal.declined.reason, token.text, candidates=refusal.declined.suggestions)
            )
            return at + 1
        if token.key == ",":
            self._items.append(Item("word", "and", ","))
        elif token.kind == "to":
            self._items.append(Item("word", "stop", token.text))
        elif (number := count_word(token.key)) is not None:
            self._items.append(Item("number", "", token.text, number=number))
        else:
            self._items.append(Item("unknown", "", token.text))
        return at + 1

    def _date(self, at: int) -> tuple[DateWords | None, int, NotUnderstood | None]:
        try:
            found = date_words(self._tokens, at, ranges=self._ranges)
        except NotUnderstood as refusal:
            return None, at + 1, refusal
        return (None, at, None) if found is None else (*found, None)

    def _phrase(self, at: int) -> tuple[Sequence[Meaning], int]:
        """The longest phrase that begins here; a comma or a dash may stand in it, not at its ends."""
        if self._tokens[at].kind == "to" or self._tokens[at].key == ",":
            return (), at
        for end in range(min(len(self._tokens), at + _LONGEST_PHRASE), at, -1):
            last = self._tokens[end - 1]
            if last.kind == "to" or last.key == ",":
                continue
            meanings = self._names.meanings(phrase_key(self._tokens[at:end]))
            if meanings:
                return meanings, end
        return (), at

    def _chosen(self, meanings: Sequence[Meaning], at: int, end: int) -> Item:
        names = [one for one in meanings if one.sort in ("value", "absent")]
        words = [one for one in meanings if one.sort == "word"]
        spelled = end > at + 1 and len(phrase_key(self._tokens[at:end])) == end - at  # U.S., not us
        if names and words and spelled:
            return self._item(names[0], at, end)
        if names and end == at + 1 and self._tokens[at].key in word_groups()["guarded"]:
            return self._guarded(names[0], words, at, end)
        return self._item(words[0], at, end) if words else self._named(meanings, at, end)

    def _named(self, meanings: Sequence[Meaning], at: int, end: int) -> Item:
        """A phrase that is no word of ours: a KPI, a dimension, a value, a country that the data lacks."""
        labels = self._labels(end)
        labelled = [one for one in meanings if one.sort in ("value", "absent") and one.name in labels]
        if len(labelled) == 1:
            return self._item(labelled[0], at, end)
        present = [one for one in meanings if one.sort != "absent"] or meanings
        if len(present) > 1:
            return self._either(present, at, end)
        text = self._tokens[at].text
        code = present[0].sort == "absent" and end == at + 1 and len(text) == 2  # noqa: PLR2004
        if code and (self._capitals or not text.isupper()):
            return Item("unknown", "", text)
        return self._item(present[0], at, end)

    def _guarded(self, name: Meaning, words: Sequence[Meaning], at: int, end: int) -> Item:
        """A word that is the code of a country, too."""
        text, key = self._tokens[at].text, self._tokens[at].key
        word = self._item(words[0], at, end) if words else Item("unknown", "", text)
        if text.isupper() and not self._capitals:
            return self._item(name, at, end)
        before = self._items[-1] if self._items else None
        placed = before is not None and before.is_word("place", "never", "only", "versus")
        if key == "us" and name.sort == "value":
            return self._us(name, word, at)
        if placed and name.sort == "value" and (self._capitals or key == "it"):
            return Item("refused", f"“{text}” can be a word or a country", text)
        return word

    def _us(self, name: Meaning, word: Item, at: int) -> Item:
        """`show us` is us, `in us` is the US, and nobody knows what `for us` is."""
        said = self._tokens[at - 1].key if at else ""
        if said in word_groups()["before_us"]:
            return word
        if said in ("for", "to", "by", "with"):
            return Item("refused", f"“{said} {word.text}” can be us or the US", word.text)
        return self._item(name, at, at + 1)

    def _labels(self, end: int) -> set[str]:
        """Dimensions that the words directly before or behind name: campaign Sales, Meta platform."""
        found = {self._items[-1].name} if self._items and self._items[-1].sort == "dimension" else set[str]()
        behind = self._names.meanings(self._tokens[end].key) if end < len(self._tokens) else ()
        return found | {one.name for one in behind if one.sort == "dimension"}

    def _either(self, meanings: Sequence[Meaning], at: int, end: int) -> Item:
        said = self._said(at, end)
        labels = self._labels(end)
        labelled = [one for one in meanings if one.sort == "value" and one.name in labels]
        if len(labelled) == 1:
            return self._item(labelled[0], at, end)
        candidates = tuple(
            f"{one.name} {one.values[0]}" if one.sort == "value" else one.name for one in meanings
        )
        several = "can be read in several ways" if len(candidates) > 1 else "can be a name or a date"
        return Item("refused", f"“{said}” {several}: {', '.join(candidates)}", said, candidates=candidates)

    def _item(self, meaning: Meaning, at: int, end: int) -> Item:
        return Item(meaning.sort, meaning.name, self._said(at, end), meaning.values)

    def _said(self, at: int, end: int) -> str:
        return " ".join(token.text for token in self._tokens[at:end])
