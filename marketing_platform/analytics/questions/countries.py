"""Names of countries and their ISO 3166-1 codes, from the CLDR as Babel ships it, and more."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from marketing_platform.analytics.questions.text import key_of

_CODE_LETTERS = 2
_ALSO = {
    "US": ("usa", "united states of america", "states", "america"),
    "GB": ("uk", "great britain", "britain"),
    "AE": ("uae", "emirates"),
    "NL": ("holland", "the netherlands"),
    "CZ": ("czech republic",),
    "IE": ("eire", "republic of ireland"),
    "KR": ("korea",),
    "TR": ("turkey",),
    "HK": ("hong kong",),
    "MM": ("burma", "myanmar"),
    "CI": ("ivory coast",),
    "RU": ("russian federation",),
    "VN": ("viet nam",),
}


@cache
def country_names() -> Mapping[str, tuple[str, ...]]:
    """What each country is called, by its code of two letters; the first is its name."""
    from babel import Locale

    territories = Locale.parse("en").territories
    return {
        code: (name, *_ALSO.get(code, ()))
        for code, name in territories.items()
        if len(code) == _CODE_LETTERS and code.isalpha() and code not in ("EU", "EZ", "UN", "ZZ", "XA", "XB")
    }


@cache
def _codes() -> Mapping[str, str]:
    return {key_of(name): code for code, names in country_names().items() for name in names}


def country_code(value: str) -> str | None:
    """The code of a country as data writes it: MX, mx, Mexico."""
    if len(value) == _CODE_LETTERS and value.upper() in country_names():
        return value.upper()
    return _codes().get(key_of(value))
