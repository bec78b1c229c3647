"""What customers write: numbered texts per category, put together from phrases only when asked for.

A text is an opener, one question or complaint with its slots filled, and a closer. Its number says
which, whatever the seed, so that a later delta repeats texts of an earlier sample as customers do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketing_platform.sample.chance import Ints, Stream, stream
from marketing_platform.sample.texts import Texts
from marketing_platform.sample.world import Category, Phrases, World

NO_MESSAGE = -1
# Numbers per category. People repeat each other: number k is drawn about in proportion to
# 1 / (k + _FLAT), so that distinct texts grow slower than messages.
PHRASES = 10_000
_FLAT = 250.0

_SLOT = re.compile(r"\{(\w+)\}")
_OWN_QUESTIONS = 0.6  # the rest are questions any customer asks, about this category's products


def draw_phrases(rng: np.random.Generator, category: Ints) -> Ints:
    """A text number for each category index."""
    rank = _FLAT * ((PHRASES + _FLAT) / _FLAT) ** rng.random(len(category)) - _FLAT
    return category * PHRASES + rank.astype(np.int64)


class MessageTexts:
    """The text behind each number; a text once made is kept."""

    def __init__(self, world: World) -> None:
        self._writers = [
            _CategoryTexts(category, world.phrases, number)
            for number, category in enumerate(world.categories)
        ]
        self._made: dict[int, str] = {}

    def of(self, numbers: Ints) -> Texts:
        """The texts of `numbers`, in their order; NO_MESSAGE gives an empty one."""
        distinct, places = np.unique(numbers, return_inverse=True)
        return pa.array([self._text(int(number)) for number in distinct], pa.string()).take(pa.array(places))

    def _text(self, number: int) -> str:
        if number == NO_MESSAGE:
            return ""
        text = self._made.get(number)
        if text is None:
            text = self._made[number] = self._writers[number // PHRASES].text(number % PHRASES)
        return text


class _CategoryTexts:
    """The texts of one category; each number has a row of random choices."""

    def __init__(self, category: Category, phrases: Phrases, number: int) -> None:
        titles = tuple(product.name for product in category.products)
        self._slots: dict[str, Sequence[str]] = {
            **phrases.slots,
            **category.slots,
            "product": titles,
            "other": titles,
        }
        self._openers, self._closers = phrases.openers, phrases.closers
        self._own, self._common = category.asks, phrases.asks
        rng = stream(0, Stream.PHRASES, number)
        self._choices: NDArray[np.uint32] = rng.integers(0, 2**32, size=(PHRASES, 8), dtype=np.uint32)

    def text(self, number: int) -> str:
        whose, which, opener, closer, *fills = (int(choice) for choice in self._choices[number])
        asks = self._own if whose < _OWN_QUESTIONS * 2**32 else self._common
        words = _Filler(self._slots, fills)
        ask = _SLOT.sub(words, asks[which % len(asks)])
        start = self._openers[opener % len(self._openers)]
        return start + _after(start, ask) + self._closers[closer % len(self._closers)]


class _Filler:
    """Replaces one slot after the other; no filling is used twice in one text."""

    def __init__(self, slots: dict[str, Sequence[str]], choices: Sequence[int]) -> None:
        self._slots, self._choices = slots, choices
        self._used: list[str] = []

    def __call__(self, slot: re.Match[str]) -> str:
        offered = [text for text in self._slots[slot.group(1)] if text not in self._used]
        self._used.append(offered[self._choices[len(self._used)] % len(offered)])
        return self._used[-1]


def _after(start: str, ask: str) -> str:
    """A sentence goes on in lower case after a comma or colon, unless it opens with "I"."""
    if start.endswith((", ", ": ")) and ask.split(" ", 1)[0] != "I":
        return ask[0].lower() + ask[1:]
    return ask
