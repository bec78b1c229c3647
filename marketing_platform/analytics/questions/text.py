"""What people type as tokens: words, numbers, dates and signs, each as it was written and as it is compared.

Nothing is understood here. Invisible characters go (they could hide what is asked), accents and case do not
count; a sign that is not punctuation stays, so that somebody has to account for it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST = 2_000  # characters of a question

_TOKEN = re.compile(
    r"""
    (?P<iso>\d{4}-\d{2}-\d{2}(?!\d)|\d{4}-?w\d{1,2}(?!\w)|\d{4}-\d{2}(?![-\d]))
  | (?P<numeric>\d{1,2}/\d{1,2}/\d{2,4}|\d{1,2}\.\d{1,2}\.\d{4})
  | (?P<to>\.{2,3}|…|→|->|(?<=\s)[-–—](?=\s)|(?<=\d)\s*[-–—]\s*(?=\w)|(?<=\w)[–—](?=\w))
  | (?P<year>(?<![^\W_])['’]\d{2}(?!\w))
  | (?P<minus>(?<=\s)[-−–](?=\d))
  | (?P<word>[^\W_]+(?:['’][^\W_]+)*)
  | (?P<sign>\S)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MEANT = set("%*/#@+&<>=$€£^~|\\`")  # signs that say something; other punctuation separates words
_FIRST_FLAG = 0x1F1E6


@dataclass(frozen=True)
class Token:
    """A piece of a question."""

    text: str  # as it was written
    key: str  # as it is compared
    kind: str  # iso, numeric, to, minus, word, sign


def tokens(question: str) -> list[Token]:
    """The tokens of a question, punctuation left out; commas are kept, for they link names."""
    found: list[Token] = []
    for match in _TOKEN.finditer(_flags_as_codes(readable(question))):
        kind, text = match.lastgroup or "sign", match.group().strip()
        if kind == "year":  # May '25
            kind, text = "word", f"20{text[1:]}"
        if kind == "word" and re.search(r"['’]s$", text, re.IGNORECASE) and len(text) > 2:  # noqa: PLR2004
            if key_of(text) not in ("lets", "whats"):
                text = text[:-2]
        elif kind == "sign" and text not in _MEANT and text != "," and _is_punctuation(text):
            continue
        found.append(Token(text, key_of(text) if kind == "word" else text.casefold(), kind))
    return found


def phrase_key(of: Sequence[Token]) -> str:
    """What some tokens are together, however they are separated."""
    return "".join(token.key for token in of if token.kind != "to" and token.key != ",")


def readable(text: str) -> str:
    """Text in one form (NFKC), without characters that nobody sees."""
    composed = unicodedata.normalize("NFKC", text)
    return "".join(
        " " if char.isspace() else char
        for char in composed
        if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )


def key_of(text: str) -> str:
    """Letters and digits alone, without case and accents: `Brand_Search` and `brand search` are one."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(char for char in plain if char.isalnum())


def _is_punctuation(text: str) -> bool:
    return unicodedata.category(text)[0] in "PZ" or unicodedata.category(text) in ("Mn", "Sk")


def _flags_as_codes(text: str) -> str:
    """Flags are country codes in letters of their own."""
    return re.sub(
        "[\U0001f1e6-\U0001f1ff]{2}",
        lambda flag: " " + "".join(chr(ord(char) - _FIRST_FLAG + ord("A")) for char in flag.group()) + " ",
        text,
    )
