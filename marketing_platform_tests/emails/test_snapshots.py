"""Each template in each language, byte by byte; run as a module, this file writes them anew.

Whoever changes a template looks at the difference, and at the pictures (`python -m scripts.emails`).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from marketing_platform_tests.emails.people import person, rendered, templates

_FOLDER = Path(__file__).with_name("snapshots")
_KNOWN = [(name, locale) for name, one in templates().by_name.items() for locale in one.locales]


def _made(name: str, locale: str) -> dict[str, str]:
    email = rendered(name, person(language=locale))
    told = f"{email.subject}\n{email.preview_text}\n\n{email.text}"
    # A line per element, so that a difference can be read.
    return {"html": email.html.replace("><", ">\n<"), "txt": told}


@pytest.mark.parametrize(("name", "locale"), _KNOWN)
def test_it_looks_as_it_did(name: str, locale: str) -> None:
    for ending, made in _made(name, locale).items():
        assert made == (_FOLDER / f"{name}.{locale}.{ending}").read_text(encoding="utf-8")


def main() -> None:
    """Write all of them."""
    _FOLDER.mkdir(exist_ok=True)
    for name, locale in _KNOWN:
        for ending, made in _made(name, locale).items():
            (_FOLDER / f"{name}.{locale}.{ending}").write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
