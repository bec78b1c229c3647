"""The little Markdown that generated pages consist of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any


def code(names: Iterable[Any]) -> str:
    """Names as code, with commas between."""
    return ", ".join(f"`{name}`" for name in names)


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table; nothing at all without rows."""
    lines = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    if lines:
        yield f"| {' | '.join(header)} |"
        yield f"|{'---|' * len(header)}"
        yield from lines


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
